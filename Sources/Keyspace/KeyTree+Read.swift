/// What a get finds.
package enum Reading: Equatable, Sendable {
    case file(TreeNode)
    /// The directory, nil for the root, which has no indexes; and what its listing shows, in depth-first order:
    /// each directory before what lies in it, the nodes of one directory by the bytes of their names.
    case directory(TreeNode?, [ListedNode])
}

/// A line of a listing.
package struct ListedNode: Equatable, Sendable {
    /// 1 for a direct child of the directory that was asked for.
    package let depth: Int
    package let path: TreePath
    package let node: TreeNode

    package init(depth: Int, path: TreePath, node: TreeNode) {
        self.depth = depth
        self.path = path
        self.node = node
    }
}

extension KeyTree {
    /// Reads a file or lists a directory (v2-keys.md §9, 10).
    ///
    /// Overdue nodes are shown until an expire entry removes them. A hidden node is left out of the listing
    /// above it with everything below it, but the path that is asked for may itself be hidden.
    ///
    /// - Returns: Refused with `keyNotFound` (the first missing component) or `notADirectory`.
    package func get(_ path: TreePath, recursive: Bool) throws(Table.Failure) -> Result<Reading, Refusal> {
        var budget = ListingBudget.unlimited
        // Without a limit there is a result.
        return try get(path, recursive: recursive, within: &budget) ?? .success(.directory(nil, []))
    }

    /// The same, if the listing is no larger than the budget: nil when it is.
    package func get(
        _ path: TreePath, recursive: Bool, within budget: inout ListingBudget
    ) throws(Table.Failure) -> Result<Reading, Refusal>? {
        switch try find(path) {
        case .failure(let refusal): return .failure(refusal)
        case .success(let node?) where !node.isDirectory: return .success(.file(node))
        case .success(let node): return try list(path, recursive: recursive, within: &budget).map { .success(.directory(node, $0)) }
        }
    }

    /// The node; nil for the root, which has none.
    package func find(_ path: TreePath) throws(Table.Failure) -> Result<TreeNode?, Refusal> {
        if path.isRoot { return .success(nil) }
        guard let node = try table.node(at: path) else { return .failure(try whyMissing(path)) }
        return .success(node)
    }

    /// The stack is on the heap: how deep a tree gets is the choice of strangers.
    private func list(
        _ directory: TreePath, recursive: Bool, within budget: inout ListingBudget
    ) throws(Table.Failure) -> [ListedNode]? {
        guard var waiting = try visibleChildren(of: directory, depth: 1, within: &budget) else { return nil }
        guard recursive else { return waiting }
        waiting.reverse()
        var listed: [ListedNode] = []
        while let next = waiting.popLast() {
            listed.append(next)
            guard next.node.isDirectory else { continue }
            guard let children = try visibleChildren(of: next.path, depth: next.depth + 1, within: &budget) else { return nil }
            waiting.append(contentsOf: children.reversed())
        }
        return listed
    }

    private func visibleChildren(
        of directory: TreePath, depth: Int, within budget: inout ListingBudget
    ) throws(Table.Failure) -> [ListedNode]? {
        try table.children(of: directory, within: &budget)?.compactMap { child in
            child.path.isHidden ? nil : ListedNode(depth: depth, path: child.path, node: child.node)
        }
    }
}
