/// The operations that take a node away: delete, compareAndDelete, and what expiry shares with them.
extension KeyTree {
    mutating func delete(
        _ command: Command, at time: Int64, watched: WatchedPaths
    ) throws(Table.Failure) -> Result<Event, Refusal> {
        let path = command.path
        if path.isRoot { return .failure(.rootIsReadOnly) }
        guard let old = try table.node(at: path) else { return .failure(try whyMissing(path)) }
        if old.isDirectory, !command.isRecursive {
            if !command.isDirectory { return .failure(.notAFile(path)) }
            if try table.hasChildren(path) { return .failure(.directoryNotEmpty(path)) }
        }
        return .success(
            try remove(
                old, at: path, as: .delete, withSubtree: old.isDirectory && command.isRecursive,
                time: time, watched: watched))
    }

    mutating func compareAndDelete(
        _ command: Command, at time: Int64, watched: WatchedPaths
    ) throws(Table.Failure) -> Result<Event, Refusal> {
        let path = command.path
        // etcd finds that the root is a directory before it looks whether it is the root (v2-keys.md §4, quirk).
        if path.isRoot { return .failure(.notAFile(nil)) }
        guard let old = try table.node(at: path) else { return .failure(try whyMissing(path)) }
        if old.isDirectory { return .failure(.notAFile(path)) }
        if let refusal = command.mismatch(with: old) { return .failure(refusal) }
        return .success(
            try remove(old, at: path, as: .compareAndDelete, withSubtree: false, time: time, watched: watched))
    }

    /// Takes the node away under the next index; the caller moves the index.
    mutating func remove(
        _ old: TreeNode, at path: TreePath, as action: Event.Action, withSubtree: Bool,
        time: Int64, watched: WatchedPaths
    ) throws(Table.Failure) -> Event {
        let gone = TreeNode(isDirectory: old.isDirectory, created: old.created, modified: nextIndex)
        var event = Event(action, index: nextIndex, path: path, node: gone, previous: old, time: time)
        if withSubtree {
            for below in watched.below(path) where try table.node(at: below) != nil {
                event.removedBelow.append(below)
            }
            try table.removeSubtree(path)
        } else {
            try table.remove(old, at: path)
        }
        return event
    }
}
