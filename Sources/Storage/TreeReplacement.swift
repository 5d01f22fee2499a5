import Raft
import SQLite

/// A copy of `tree.db` that takes its place when a reader keeps its WAL from being reset.
package enum TreeReplacement {
    /// Copies the tree as it is stored and brings the copy up to date, beside the threads that write.
    ///
    /// - Parameters:
    ///   - applied: up to where the stored tree is by now.
    ///   - copying: runs its argument while nobody swaps the file.
    /// - Returns: where the copy is.
    package static func prepare(
        tree: String, log: String, historyEvents: Int, applied: () -> Index,
        copying: (() throws(StorageError) -> Void) throws(StorageError) -> Void
    ) throws(StorageError) -> LogPosition {
        let partial = FileReplacement.partial(tree)
        try FileReplacement.clear(tree)
        try copying { () throws(StorageError) in
            try storing { () throws(SQLiteError) in
                let source = try Connection(tree, as: .copier)
                defer { source.close() }
                try source.copy(to: partial)
            }
        }
        Failpoint.pass("replace.tree-copied")
        // The proof reads every node, and meanwhile the tree goes on; so once more at the end, what has come since.
        _ = try bringUp(partial, log, applied(), historyEvents)
        let store = try TreeStore(partial, historyEvents: historyEvents)
        let source = try openLog(log)
        defer { source.connection.close() }
        if store.state.applied.index < applied() {
            try LogReplay.run(
                source, EntryApplier(file: store.reader(), historyEvents: historyEvents), into: store, upTo: applied())
        }
        let position = store.state.applied
        try store.closeAsFile()
        return position
    }

    private static func bringUp(_ path: String, _ log: String, _ target: Index, _ historyEvents: Int) throws(StorageError) -> LogPosition {
        let source = try openLog(log)
        defer { source.connection.close() }
        return try TreeCopy.bringUp(path, with: source, upTo: target, historyEvents: historyEvents, progress: nil).applied
    }

    /// One moment of the log, whatever is cut from it meanwhile. Let go of it soon: it is in the way of a checkpoint itself.
    static func openLog(_ path: String) throws(StorageError) -> LogContents {
        let connection = try storing { () throws(SQLiteError) in
            let connection = try Connection(path, as: .reader)
            try connection.execute("BEGIN")
            return connection
        }
        return try LogContents(connection)
    }
}

/// What a tree that has taken the place of another needs to be where that was.
package final class TreeCatchUp {
    private let log: LogContents

    /// Nil when the log does not reach back to `position` any more: then nobody was in the way of the old file, and it is to stay.
    package init?(log path: String, from position: LogPosition) throws(StorageError) {
        log = try TreeReplacement.openLog(path)
        guard log.cut.position.index <= position.index, try log.link(at: position.index).position == position || position == .origin
        else {
            log.connection.close()
            return nil
        }
    }

    /// Applies what the old one has applied, and proves that it comes to the same.
    package func run(_ applier: EntryApplier, upTo old: TreeState, isHashLate: Bool) throws(StorageError) {
        defer { log.connection.close() }
        try LogReplay.run(log, applier, upTo: old.applied.index)
        var found = applier.state
        // A hash that still counts what is gone says nothing.
        if isHashLate || applier.isHashLate { found.hash = old.hash }
        guard found == old else {
            throw .damaged(
                file: log.connection.path, place: "table log",
                reason: "applied again up to \(old.applied.index) it comes to \(applier.state), at first it was \(old)")
        }
    }
}
