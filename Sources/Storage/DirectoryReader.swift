import Keyspace
import Raft
import SQLite
import Wire

/// Reports how far a long operation has come: its stage, what is done, and of how much when that is known.
package typealias ProgressReport = (_ stage: String, _ done: UInt64, _ total: UInt64?) -> Void

/// A data directory opened to be looked at: nothing in it is written, and a server may be running on it.
///
/// Both files are seen as of one moment each, the tree's first: so its applied position lies within the log, unless a
/// server cut five thousand entries in between.
package final class DirectoryReader {
    package let directory: DataDirectory
    package let log: LogContents
    /// The last entry, after the chain of the last entries was checked.
    package let tail: ChainLink
    /// The tree as it is stored; an empty one when there is no `tree.db` and the log still has everything.
    package let tree: TreeReader
    /// False when `tree.db` is missing.
    package let hasTree: Bool
    package let historyEvents: Int
    let logConnection: Connection
    let treeConnection: Connection

    package convenience init(_ directory: DataDirectory) throws(StorageError) {
        let tree = FileOperations.kind(directory.tree) == nil ? nil : try directory.openToLook(directory.tree, Schema.tree)
        try self.init(directory, treeConnection: tree, logConnection: DirectoryReader.openLog(directory))
    }

    /// `treeConnection`: nil when there is no tree, or when it is not to be used.
    init(_ directory: DataDirectory, treeConnection: Connection?, logConnection: Connection) throws(StorageError) {
        self.directory = directory
        self.logConnection = logConnection
        log = try LogContents(logConnection)
        tail = try log.verifiedTail(rows: LogStore.quickCheckRows)
        try log.requireHardState(fits: tail)
        if let plan = try log.installation() {
            throw .refused(
                "\(directory.path): a snapshot of entry \(plan.position.index) was being installed when the server died; start it once, "
                    + "so that it finishes that")
        }
        hasTree = treeConnection != nil
        if let treeConnection {
            self.treeConnection = treeConnection
            tree = try TreeReader(treeConnection)
        } else {
            guard log.cut == .origin else {
                throw .damaged(
                    file: directory.tree, place: "the file",
                    reason: "it is missing, and the log begins only behind entry \(log.cut.position.index)")
            }
            let empty = try TreeStore(":memory:", historyEvents: TreeReader.historyEventsDefault)
            self.treeConnection = empty.connection
            tree = try empty.reader()
        }
        historyEvents = try tree.historyEvents()
        try Verification.compare(
            applied: tree.state().applied, cut: log.cut.position, tail: tail.position, file: directory.tree, log: log)
    }

    static func openLog(_ directory: DataDirectory) throws(StorageError) -> Connection {
        // While a server writes, the end of the WAL is in flux, and its shared index tells what counts.
        if case .nobody = directory.holder {
            let wal = directory.log + "-wal"
            if FileOperations.kind(wal) != nil {
                try FileOperations.requireFile(wal, followLinks: false)
                if case .damaged(let place, let reason) = try WALFile.inspect(wal) {
                    throw .damaged(file: wal, place: place, reason: reason)
                }
            }
        }
        return try directory.openToLook(directory.log, Schema.log)
    }

    /// The tree as a server would serve it after a start: what is stored, and the rest of the log applied in memory.
    package func currentTree(_ progress: ProgressReport? = nil) throws(StorageError) -> EntryApplier {
        let applier = try EntryApplier(file: tree, historyEvents: historyEvents)
        try LogReplay.run(log, applier, upTo: tail.position.index, progress: progress)
        return applier
    }

    /// Time of the newest entry, nanoseconds since 1970 UTC; nil when the log keeps none with a time.
    package func newestTime() throws(StorageError) -> Int64? {
        try storing { () throws(SQLiteError) in
            try logConnection.integer("SELECT time FROM log WHERE time <> 0 ORDER BY \"index\" DESC LIMIT 1")
        }
    }

    /// Entries that are kept.
    package var entryCount: UInt64 { tail.position.index.value - min(log.cut.position.index.value, tail.position.index.value) }

    /// Number of the newest migration of each file.
    package func schemas() throws(StorageError) -> (log: Int, tree: Int) {
        try storing { () throws(SQLiteError) in
            (try Migrator.version(of: logConnection), try Migrator.version(of: treeConnection))
        }
    }
}

extension DirectoryReader {
    /// Only the log, whatever has become of the tree.
    package static func logOnly(_ directory: DataDirectory) throws(StorageError) -> LogContents {
        let log = try LogContents(openLog(directory))
        try log.requireHardState(fits: log.verifiedTail(rows: LogStore.quickCheckRows))
        return log
    }

    /// How far the stored tree has come, and how many events it keeps.
    package static func storedState(
        _ directory: DataDirectory
    ) throws(StorageError) -> (state: TreeState, historyEvents: Int) {
        let reader = try TreeReader(directory.openToLook(directory.tree, Schema.tree))
        return (try reader.state(), try reader.historyEvents())
    }
}

extension LogContents {
    /// Throws unless the log has everything that follows `state`.
    package func requireReach(of state: TreeState, file: String) throws(StorageError) {
        try Verification.compare(
            applied: state.applied, cut: cut.position, tail: verifiedTail(rows: 1).position, file: file, log: self)
    }
}
