import Keyspace
import Raft
import Storage
import Wire

/// What a data directory is and how far it has come, as a server would start from it: the rest of the log is applied in
/// memory first.
package struct DirectoryStatus: Sendable {
    package struct File: Sendable {
        package let name: String
        package let bytes: Int
    }

    package let path: String
    package let identity: Identity
    package let members: [Member]
    package let clusterVersion: String
    package let holder: DataDirectory.Holder

    package let term: Term
    /// What the disk knows to be committed; a lower bound.
    package let commit: Index
    /// The first entry that is kept; nil when none is.
    package let first: Index?
    package let last: Index
    /// Entries up to here are in `tree.db`; the rest is applied at the next start.
    package let stored: Index
    /// After the rest of the log.
    package let applied: LogPosition
    /// The v2 index after the rest of the log.
    package let keysIndex: UInt64
    package let stateHash: StateHash
    /// Of the newest entry that has one, nanoseconds since 1970 UTC.
    package let lastTime: Int64?

    package let nodes: UInt64
    package let directories: UInt64
    package let entries: UInt64
    package let events: UInt64
    package let files: [File]
    package let logSchema: Int
    package let treeSchema: Int

    package init(_ path: String, progress: ProgressReport? = nil) throws(RecoveryError) {
        let reader = try Looking.reader(path)
        let directory = reader.directory
        self.path = directory.path
        holder = directory.holder
        identity = reader.log.identity
        term = max(reader.log.hardState.term, reader.tail.position.term)
        commit = reader.log.hardState.commit
        entries = reader.entryCount
        first = entries == 0 ? nil : reader.log.cut.position.index.next
        last = reader.tail.position.index
        let found = try recovering { () throws(StorageError) in
            let stored = try reader.tree.state().applied.index
            let current = try reader.currentTree(progress)
            return (
                stored: stored, current: current, counts: try DirectoryStatus.count(reader, current),
                events: UInt64(current.history.count), time: try reader.newestTime(),
                schemas: try reader.schemas()
            )
        }
        let state = found.current.state
        stored = found.stored
        applied = state.applied
        keysIndex = state.keysIndex
        stateHash = state.hash
        lastTime = found.time ?? (state.time == 0 ? nil : state.time)
        members = found.current.members
        clusterVersion = found.current.clusterVersion
        (nodes, directories) = found.counts
        events = found.events
        (logSchema, treeSchema) = found.schemas
        files = [directory.log, directory.log + "-wal", directory.tree, directory.tree + "-wal"].compactMap { file in
            FileOperations.size(file).map { File(name: String(file.dropFirst(directory.path.count + 1)), bytes: $0) }
        }
    }

    /// SQLite counts what is stored; what the rest of the log touched is counted by hand.
    private static func count(
        _ reader: DirectoryReader, _ current: EntryApplier
    ) throws(StorageError) -> (UInt64, UInt64) {
        let layer = current.tree.table.current
        var (nodes, directories) = try reader.tree.counts()
        guard !layer.isEmpty else { return (nodes, directories) }
        (nodes, directories) = (0, 0)
        let newest = layer.newest
        let touched = Set(newest.map(\.path))
        try reader.tree.allNodes { (path: TreePath, node: TreeNode) throws(StorageError) in
            if !touched.contains(path), !layer.isCleared(path) {
                nodes += 1
                directories += node.isDirectory ? 1 : 0
            }
            return true
        }
        for case let node? in newest.map(\.node) {
            nodes += 1
            directories += node.isDirectory ? 1 : 0
        }
        return (nodes, directories)
    }
}
