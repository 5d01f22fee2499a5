import Raft
import Replica
import Storage
import Wire

/// The stores of a member's directory, opened in the steps in which the host opens them.
struct OpenedMember {
    let directory: DataDirectory
    let log: LogStore
    let tree: TreeStore
    let file: TreeReader
    let applier: EntryApplier
    let shape: LogShape

    init(_ directory: DataDirectory) throws(StorageError) {
        self.directory = directory
        try FileOperations.makeDirectories(directory.transfer)
        for name in FileOperations.names(in: directory.transfer) { try FileOperations.remove(directory.transfer + "/" + name) }
        log = try LogStore(directory.log)
        _ = try SnapshotInstall.resume(in: directory, log: log)
        guard FileOperations.exists(directory.tree) || log.cut == .origin else {
            throw .damaged(file: directory.tree, place: "the file", reason: "it is missing, and the log has been cut")
        }
        if try WALFile.inspect(directory.tree + "-wal", afterPowerLoss: false).isDamaged {
            try TreeStore.prove(directory.tree, mayLackPageChecksums: false)
        }
        tree = try TreeStore(directory.tree, historyEvents: World.historyEvents)
        try Verification.quick(log: log, tree: tree)
        file = try TreeReader(path: directory.tree, as: .reader)
        applier = try EntryApplier(file: file, historyEvents: World.historyEvents)
        shape = try log.shape()
    }
}
