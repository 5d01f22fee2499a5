import Keyspace
import Raft
import SQLite

/// A `tree.db` of its own, made from a directory that may have a server on it.
package enum TreeCopy {
    /// Copies the tree as one reader sees it, beside the threads of its server.
    static func make(beside tree: String, to path: String, lock: TreeFileLock, abandonment: Abandonment) throws(StorageError) {
        try lock.hold { () throws(StorageError) in
            try storing { () throws(SQLiteError) in
                let source = try Connection(tree, as: .copier)
                defer { source.close() }
                source.interrupt { abandonment.isAbandoned }
                try source.copy(to: path)
            }
        }
    }

    /// Copies the stored tree as it is at one moment, without the space that it has to spare.
    package static func make(of directory: DataDirectory, to path: String) throws(StorageError) {
        try FileOperations.requireFile(directory.tree, followLinks: false)
        let source = directory.readingProfile(directory.tree)
        if source == .immutable {
            try FileOperations.copy(directory.tree, to: path)
        } else {
            let mayLackChecksums = directory.mayLackPageChecksumsUnlocked
            try storing { () throws(SQLiteError) in
                // `bringUp` proves what was copied.
                let connection =
                    mayLackChecksums
                    ? try PageChecksums.tolerated { () throws(SQLiteError) in try Connection(directory.tree, as: .copier) }
                    : try Connection(directory.tree, as: .copier)
                defer { connection.close() }
                try connection.copy(to: path)
            }
        }
        let copy = try storing { () throws(SQLiteError) in try Connection(path, as: .reader) }
        defer { copy.close() }
        try Schema.require(copy, Schema.tree)
    }

    /// Applies the rest of `log` to the tree in `path`, up to `target`, and proves the outcome: the state hash is counted anew.
    ///
    /// - Returns: what the tree has come to. It may be ahead of `target` when a server wrote on while it was copied.
    package static func bringUp(
        _ path: String, with log: LogContents, upTo target: Index, historyEvents: Int, progress: ProgressReport?
    ) throws(StorageError) -> TreeState {
        let store = try TreeStore(path, historyEvents: historyEvents)
        let reader = try store.reader()
        if store.state.applied.index < target {
            try LogReplay.run(log, EntryApplier(file: reader, historyEvents: historyEvents), into: store, upTo: target, progress: progress)
        }
        let summary = try TreeSummary(reader) { progress?("proving the tree", UInt64($0), nil) }
        try summary.require(store.state, file: path)
        let state = store.state
        try store.closeAsFile()
        return state
    }
}

extension TreeSummary {
    /// Throws when the rows are not a tree, or not the one that `state` speaks of.
    package func require(_ state: TreeState, file: String) throws(StorageError) {
        if let orphan = orphans.first {
            throw .damaged(file: file, place: "table nodes, \(orphan.text)", reason: "its parent is missing or not a directory")
        }
        guard hash == state.hash else {
            throw .damaged(
                file: file, place: "table state, state_hash",
                reason: "it says \(state.hash.hex), the nodes come to \(hash.hex)")
        }
    }
}
