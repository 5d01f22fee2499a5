import Glibc

/// The data directory of a member. Every path of the program is made here.
///
///     <data-dir>/               mode 0700 when it is made here; otherwise left as it is: somebody may have been let in to read
///     └── member/
///         ├── lock              held while a server runs; its text is the pid
///         ├── log.db  (-wal)    identity, hard state, entries, where the log was cut
///         ├── tree.db (-wal)    key tree, events, members, applied position
///         ├── tree.db.incoming  a snapshot that is taking the tree's place
///         └── transfer/         unfinished copies; emptied at start-up
package final class DataDirectory {
    package let path: String
    private var lockDescriptor: Int32 = -1
    /// The last server here was killed or crashed: its pid still stands in the lock file.
    package private(set) var endedUncleanly = false

    package init(path: String) {
        var trimmed = path
        while trimmed.count > 1, trimmed.hasSuffix("/") { trimmed.removeLast() }
        self.path = trimmed
    }

    deinit { unlock() }

    package var member: String { path + "/member" }
    package var log: String { member + "/log.db" }
    package var tree: String { member + "/tree.db" }
    package var transfer: String { member + "/transfer" }
    var lockFile: String { member + "/lock" }

    /// True when a member has been here: then flags that found a cluster are ignored.
    package var isInitialised: Bool { FileOperations.exists(log) }

    /// Makes what is missing and takes the lock. Returns the names that do not belong here.
    package func openForServing() throws(StorageError) -> [String] {
        try FileOperations.makeDirectories(path)
        if FileOperations.exists(path + "/proxy"), FileOperations.exists(member) {
            throw .refused("invalid datadir. Both member and proxy directories exist.")
        }
        if FileOperations.exists(member + "/wal") || FileOperations.exists(member + "/snap") {
            throw .refused(
                "\(path) belongs to etcd (member/wal or member/snap exists); give etclite a directory of its own with --data-dir")
        }
        try FileOperations.makeDirectories(member)
        guard access(member, R_OK | W_OK | X_OK) == 0 else {
            throw .refused(
                "cannot write to member directory: \(member): \(FileOperations.systemText(errno)); "
                    + "give this user the right to read and write it, or choose another --data-dir")
        }
        try lock()
        try FileOperations.makeDirectories(transfer)
        for name in FileOperations.names(in: transfer) { try FileOperations.remove(transfer + "/" + name) }
        return FileOperations.names(in: path).filter { !["member", "proxy", "fixtures", "lost+found"].contains($0) }
    }

    /// For a tool that only looks. Throws when there is no member here.
    package func requireMember() throws(StorageError) {
        guard FileOperations.isDirectory(path) else { throw .refused("\(path): no such directory") }
        for file in [log, tree] {
            guard FileOperations.exists(file) else {
                throw .refused("\(path) is not a data directory of etclite: \(file) is missing")
            }
            guard access(file, R_OK) == 0 else {
                throw .refused("cannot read \(file): \(FileOperations.systemText(errno)); run this as the user of the server")
            }
        }
    }

    private func lock() throws(StorageError) {
        let descriptor = open(lockFile, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else {
            throw .refused("cannot write to member directory: open \(lockFile): \(FileOperations.systemText(errno))")
        }
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
            let code = errno
            defer { close(descriptor) }
            guard code == EWOULDBLOCK else {
                throw .refused("cannot lock \(lockFile): \(FileOperations.systemText(code))")
            }
            var text = [UInt8](repeating: 0, count: 32)
            let count = max(read(descriptor, &text, text.count), 0)
            let pid = String(decoding: text.prefix(count).prefix { $0 >= 0x30 && $0 <= 0x39 }, as: UTF8.self)
            throw .refused(
                "data directory \(path) is in use by process \(pid.isEmpty ? "(unknown)" : pid); "
                    + "stop it first, or choose another --data-dir")
        }
        var before = stat()
        endedUncleanly = fstat(descriptor, &before) == 0 && before.st_size > 0
        let text = Array("\(getpid())\n".utf8)
        // Written over, not emptied first: on a full disk nothing could be written then, and the next start would take the last end for one
        // in order.
        let written = pwrite(descriptor, text, text.count, 0)
        guard written == text.count, ftruncate(descriptor, off_t(text.count)) == 0 else {
            let code = written < 0 || written == text.count ? errno : ENOSPC
            close(descriptor)
            throw .refused("cannot write to member directory: \(lockFile): \(FileOperations.systemText(code))")
        }
        lockDescriptor = descriptor
    }

    /// True when a program that knows nothing of page checksums may have been the last to write `tree.db`.
    ///
    /// A server leaves its WAL file where it is when it dies. A plain SQLite shell that is the last to close the file afterwards
    /// copies the WAL into it, rightly but without checksums, and removes the WAL. Call it before opening anything.
    package var mayLackPageChecksums: Bool {
        endedUncleanly && treeMayBeAnothers
    }

    /// Nothing that a server wrote stands in the WAL: it may have gone into the file by another hand.
    var treeMayBeAnothers: Bool {
        guard FileOperations.exists(tree) else { return false }
        // A WAL in which nothing is committed can be what is left of a proof (`TreeStore.prove`) that was interrupted.
        switch try? WALFile.inspect(tree + "-wal") {
        case .sound(frames: 0), .torn(frames: 0, _): return true
        default: return false
        }
    }

    /// The file stays: removing it would race with the next holder. Emptied, it says that the server stopped in order.
    package func unlock(isClean: Bool = false) {
        if lockDescriptor >= 0 {
            if isClean { _ = ftruncate(lockDescriptor, 0) }
            close(lockDescriptor)
        }
        lockDescriptor = -1
    }
}
