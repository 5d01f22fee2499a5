/// Which watched paths an event concerns: one rule for those who wait, another for those who search the past
/// (v2-keys.md §13). They differ in etcd, and clients can see it.
extension Event {
    /// True when a watcher of `path` that waits now hears of the event.
    ///
    /// One rule more is not decided here, because it depends on the tree and not on names: the watchers of
    /// `removedBelow` hear of it too.
    package func concerns(path watched: TreePath, recursive: Bool) -> Bool {
        guard isTold else { return false }
        if path == watched { return true }
        return recursive && path.isBelow(watched) && !hasHiddenSegment(below: watched)
    }

    /// True when a watch with a `waitIndex` in the past finds the event in the history.
    ///
    /// Unlike live watchers it finds hidden keys; and the removal of a directory D is found by each path whose
    /// text begins with D: what never existed below it, and `/d2` for `/d` (quirks of etcd's scan).
    package func matchesHistory(path watched: TreePath, recursive: Bool) -> Bool {
        guard isTold else { return false }
        if path == watched || recursive && path.isBelow(watched) { return true }
        return action.isRemoval && node.isDirectory && watched.bytes.starts(with: path.bytes)
    }

    /// False for what takes a place in the history and reaches no watcher at all.
    var isTold: Bool { !isRefresh && action != .cluster }

    private func hasHiddenSegment(below ancestor: TreePath) -> Bool {
        let rest = path.bytes.dropFirst(ancestor.bytes.count)
        return zip(rest, rest.dropFirst()).contains { $0 == UInt8(ascii: "/") && $1 == UInt8(ascii: "_") }
    }
}
