import Keyspace
import Raft
import SQLite
import Wire

/// The invariants that hold between log and tree: the quick form at every start, whatever the size; the full form for the tool.
package enum Verification {
    /// The log reaches from the tree's position to its own end, and both agree on the term there. Behind it the log may hold entries that
    /// are not committed; before it nothing may ever be removed from the tail.
    package static func quick(log: LogStore, tree: TreeStore) throws(StorageError) {
        try compare(
            applied: tree.state.applied, cut: log.cut.position, tail: log.tail.position,
            file: tree.connection.path, log: LogContents(log.connection))
        // Whatever is applied was committed, whether the log was told or not.
        log.noteCommitted(tree.state.applied.index)
    }

    static func compare(
        applied: LogPosition, cut: LogPosition, tail: LogPosition, file: String, log: LogContents
    ) throws(StorageError) {
        guard applied.index <= tail.index else {
            throw .damaged(
                file: file, place: "table state, applied_index",
                reason: "the tree holds entry \(applied.index), but the log ends at \(tail.index): the log has lost entries")
        }
        guard applied.index >= cut.index else {
            throw .damaged(
                file: file, place: "table state, applied_index",
                reason: "the tree ends at entry \(applied.index), but the log begins behind \(cut.index)")
        }
        let term = try log.link(at: applied.index).position.term
        guard term == applied.term || applied.index == 0 else {
            throw .damaged(
                file: file, place: "table state, applied_term",
                reason: "entry \(applied.index) is of term \(term) in the log and of term \(applied.term) here")
        }
    }
}
