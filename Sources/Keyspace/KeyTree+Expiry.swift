extension KeyTree {
    /// Removes every node whose expiration is not after `time`: the time of the log entry, not of any clock here,
    /// so that all members remove the same nodes at the same place (v2-keys.md §11).
    ///
    /// - Returns: One event a removed node, each with an index of its own, ordered by expiration, then path. A
    ///   directory takes its subtree along, and what lay in it makes no event, due or not.
    package mutating func expire(at time: Int64, watched: WatchedPaths) throws(Table.Failure) -> [Event] {
        var events: [Event] = []
        for due in try table.due(at: time) {
            // Gone already with a directory that was due before it.
            guard let node = try table.node(at: due.path) else { continue }
            events.append(
                try remove(
                    node, at: due.path, as: .expire, withSubtree: node.isDirectory, time: time, watched: watched))
            index = nextIndex
        }
        return events
    }
}
