import Glibc
import Storage

/// A data directory in the making: built beside its final name, checked as a server would at its start, made durable, and only
/// then renamed. A crash leaves `NAME.partial`, which the next attempt clears away.
struct NewDirectory {
    let path: String
    let partial: DataDirectory
    private static let memberFiles = ["log.db", "tree.db"].flatMap { [$0, $0 + "-wal", $0 + "-shm", $0 + "-journal"] }

    /// Builds with `body`. Nothing is left behind when it throws.
    static func build<Value>(
        _ path: String, _ body: (DataDirectory) throws(StorageError) -> Value,
        pass: () -> Void
    ) throws(RecoveryError) -> Value {
        let new = try NewDirectory(path)
        do {
            let value = try body(new.partial)
            try new.prove()
            try new.synchronize()
            pass()
            if FileOperations.exists(new.path) {
                // It is empty, or this fails (rename(2)).
                try FileOperations.rename(new.partial.path, to: new.path)
            } else {
                try FileOperations.renameIfFree(new.partial.path, to: new.path)
            }
            return value
        } catch {
            try? new.clear()
            throw RecoveryError(error)
        }
    }

    private init(_ given: String) throws(RecoveryError) {
        path = DataDirectory(path: given).path
        partial = DataDirectory(path: path + ".partial")
        guard NewDirectory.isFree(path) else { throw .refused("\(path) exists; choose a directory that does not") }
        guard FileOperations.isDirectory(FileOperations.directoryOf(path)) else {
            throw .cannotLook("\(FileOperations.directoryOf(path)): no such directory")
        }
        try recovering { () throws(StorageError) in
            try clear()
            try FileOperations.makeDirectories(partial.member)
        }
    }

    /// Nothing is there, or an empty directory, which somebody may have made for it.
    static func isFree(_ path: String) -> Bool {
        switch FileOperations.kind(path) {
        case nil: true
        case .directory: FileOperations.names(in: path).isEmpty
        default: false
        }
    }

    /// Removes what an earlier attempt may have left, and nothing else.
    private func clear() throws(StorageError) {
        switch FileOperations.kind(partial.path) {
        case nil: return
        case .directory: break
        default: throw .refused("\(partial.path) is in the way; remove it")
        }
        for file in NewDirectory.memberFiles { try FileOperations.remove(partial.member + "/" + file) }
        for directory in [partial.member, partial.path] where rmdir(directory) != 0 && errno != ENOENT {
            throw .refused("\(partial.path) is in the way and holds something else; remove it")
        }
    }

    /// Opens both files as a server does.
    private func prove() throws(StorageError) {
        let tree = try TreeStore(partial.tree, historyEvents: TreeReader.historyEventsDefault)
        let log = try LogStore(partial.log)
        try Verification.quick(log: log, tree: tree)
        try tree.close()
        try log.close()
    }

    private func synchronize() throws(StorageError) {
        let files = FileOperations.names(in: partial.member).map { partial.member + "/" + $0 }
        for file in files + [partial.member, partial.path] { try FileOperations.synchronize(file) }
    }
}
