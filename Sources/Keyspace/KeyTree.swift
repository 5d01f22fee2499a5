/// The key tree and its rules: what each operation does, refuses and reports (v2-keys.md §4, 7, 9, 11, 12).
///
/// A pure function of what is in the table, the index and the command: no clock, no randomness, so that every
/// member that applies the same log holds the same tree. When the table throws, a change may have been written
/// in part; the owner of the table takes it back (or stops) before it uses the tree again.
package struct KeyTree<Table: NodeTable> {
    package var table: Table
    /// The v2 index: the number of the last change, zero for a tree that nobody has touched (v2-keys.md §7).
    package internal(set) var index: UInt64

    package init(table: Table, index: UInt64) {
        self.table = table
        self.index = index
    }

    /// Applies one change. A refusal leaves table and index as they were; a success moves the index by one.
    ///
    /// - Parameters:
    ///   - command: Any operation but `expire`, which makes any number of events: `expire(at:watched:)`.
    ///   - time: The time of the log entry, nanoseconds since 1970 UTC; only copied into the event.
    ///   - watched: Which paths somebody watches; decides `Event.removedBelow` and nothing else.
    package mutating func apply(
        _ command: Command, at time: Int64, watched: WatchedPaths
    ) throws(Table.Failure) -> Result<Event, Refusal> {
        let outcome: Result<Event, Refusal> =
            switch command.operation {
            case .set: try set(command, at: time)
            case .create: try create(command, at: time)
            case .createInOrder: try createInOrder(command, at: time)
            case .update: try update(command, at: time)
            case .compareAndSwap: try compareAndSwap(command, at: time)
            case .delete: try delete(command, at: time, watched: watched)
            case .compareAndDelete: try compareAndDelete(command, at: time, watched: watched)
            case .expire: preconditionFailure("expire is not one change; call expire(at:watched:)")
            }
        if case .success = outcome { index = nextIndex }
        return outcome
    }

    /// Gives the next index to an entry of the cluster itself (member changes, version), which takes a place in
    /// the history and touches no key (v2-keys.md §7).
    ///
    /// - Returns: The index of that entry.
    package mutating func skipIndex() -> UInt64 {
        index = nextIndex
        return index
    }

    /// The index of the change that is being applied.
    var nextIndex: UInt64 { index + 1 }
}

extension KeyTree: Sendable where Table: Sendable {}
