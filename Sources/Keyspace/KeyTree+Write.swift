/// The operations that leave a node behind: set, create, createInOrder, update, compareAndSwap.
extension KeyTree {
    /// Makes the node anew, so a file that is set again gets a new `created` and loses its TTL (v2-keys.md §4).
    mutating func set(_ command: Command, at time: Int64) throws(Table.Failure) -> Result<Event, Refusal> {
        let path = command.path
        if path.isRoot { return .failure(.rootIsReadOnly) }
        guard let old = try table.node(at: path) else {
            // There is no value to keep, so a refresh makes nothing (§12).
            if command.isRefresh { return .failure(try whyMissing(path)) }
            return try insert(command, at: path, as: .set, time: time)
        }
        if old.isDirectory { return .failure(.notAFile(path)) }
        let node = newNode(command, value: command.isRefresh ? old.value : command.value)
        try table.put(node, at: path, over: old)
        return .success(
            Event(
                .set, index: nextIndex, path: path, node: node, previous: old, time: time,
                isRefresh: command.isRefresh))
    }

    mutating func create(_ command: Command, at time: Int64) throws(Table.Failure) -> Result<Event, Refusal> {
        if command.path.isRoot { return .failure(.rootIsReadOnly) }
        return try create(command, at: command.path, time: time)
    }

    /// The child is named after the index of this change: 20 digits, so that byte order is the order of making
    /// (v2-keys.md §4, POST). The root may be the parent.
    mutating func createInOrder(_ command: Command, at time: Int64) throws(Table.Failure) -> Result<Event, Refusal> {
        let digits = Array(String(nextIndex).utf8)
        let zeros = [UInt8](repeating: UInt8(ascii: "0"), count: max(0, 20 - digits.count))
        return try create(command, at: command.path.child(zeros + digits), time: time)
    }

    mutating func update(_ command: Command, at time: Int64) throws(Table.Failure) -> Result<Event, Refusal> {
        let path = command.path
        if path.isRoot { return .failure(.rootIsReadOnly) }
        guard let old = try table.node(at: path) else { return .failure(try whyMissing(path)) }
        if old.isDirectory, !command.value.isEmpty, !command.isRefresh { return .failure(.notAFile(path)) }
        return .success(try rewrite(old, by: command, as: .update, time: time))
    }

    mutating func compareAndSwap(_ command: Command, at time: Int64) throws(Table.Failure) -> Result<Event, Refusal> {
        let path = command.path
        if path.isRoot { return .failure(.rootIsReadOnly) }
        guard let old = try table.node(at: path) else { return .failure(try whyMissing(path)) }
        if old.isDirectory { return .failure(.notAFile(path)) }
        if let refusal = command.mismatch(with: old) { return .failure(refusal) }
        return .success(try rewrite(old, by: command, as: .compareAndSwap, time: time))
    }

    private mutating func create(
        _ command: Command, at path: TreePath, time: Int64
    ) throws(Table.Failure) -> Result<Event, Refusal> {
        if try table.node(at: path) != nil { return .failure(.keyAlreadyExists(path)) }
        return try insert(command, at: path, as: .create, time: time)
    }

    /// Puts a node where none is, after the directories that lead to it. Those are part of the same change and
    /// never get a TTL (v2-keys.md §4, 11).
    private mutating func insert(
        _ command: Command, at path: TreePath, as action: Event.Action, time: Int64
    ) throws(Table.Failure) -> Result<Event, Refusal> {
        switch try way(to: path) {
        case .open: break
        case .blocked(let file): return .failure(.notADirectory(file))
        case .broken(let first):
            let directory = TreeNode(isDirectory: true, created: nextIndex, modified: nextIndex)
            for ancestor in path.lazyAncestors where ancestor.bytes.count >= first.bytes.count {
                try table.put(directory, at: ancestor, over: nil)
            }
        }
        let node = newNode(command, value: command.value)
        try table.put(node, at: path, over: nil)
        return .success(Event(action, index: nextIndex, path: path, node: node, previous: nil, time: time))
    }

    private func newNode(_ command: Command, value: [UInt8]) -> TreeNode {
        TreeNode(
            isDirectory: command.isDirectory, value: command.isDirectory ? [] : value,
            created: nextIndex, modified: nextIndex, expiration: command.expiration)
    }

    /// Gives an existing node a new value and TTL. It stays what it is, file or directory, and keeps `created`.
    private mutating func rewrite(
        _ old: TreeNode, by command: Command, as action: Event.Action, time: Int64
    ) throws(Table.Failure) -> Event {
        var shown = old
        shown.modified = nextIndex
        shown.expiration = command.expiration
        if !old.isDirectory, !command.isRefresh { shown.value = command.value }
        var stored = shown
        // The answer shows the new index, but the directory keeps its own (v2-keys.md §9, quirk).
        if old.isDirectory { stored.modified = old.modified }
        try table.put(stored, at: command.path, over: old)
        return Event(
            action, index: nextIndex, path: command.path, node: shown, previous: old, time: time,
            isRefresh: command.isRefresh)
    }
}

extension Command {
    /// Every condition that was given must hold (v2-keys.md §4); nil when they do.
    func mismatch(with node: TreeNode) -> Refusal? {
        var value: Refusal.Mismatch<[UInt8]>?
        if let given = previousValue, given != node.value { value = .init(given: given, actual: node.value) }
        var index: Refusal.Mismatch<UInt64>?
        if previousIndex != 0, previousIndex != node.modified {
            index = .init(given: previousIndex, actual: node.modified)
        }
        return value == nil && index == nil ? nil : .compareFailed(value: value, index: index)
    }
}
