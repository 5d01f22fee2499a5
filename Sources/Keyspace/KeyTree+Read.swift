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
        if path.isRoot { return .success(.directory(nil, try list(path, recursive: recursive))) }
        guard let node = try table.node(at: path) else { return .failure(try whyMissing(path)) }
        guard node.isDirectory else { return .success(.file(node)) }
        return .success(.directory(node, try list(path, recursive: recursive)))
    }

    /// The stack is on the heap: how deep a tree gets is the choice of strangers.
    private func list(_ directory: TreePath, recursive: Bool) throws(Table.Failure) -> [ListedNode] {
        var waiting = try visibleChildren(of: directory, depth: 1)
        guard recursive else { return waiting }
        waiting.reverse()
        var listed: [ListedNode] = []
        while let next = waiting.popLast() {
            listed.append(next)
            if next.node.isDirectory {
                waiting.append(contentsOf: try visibleChildren(of: next.path, depth: next.depth + 1).reversed())
            }
        }
        return listed
    }

    private func visibleChildren(of directory: TreePath, depth: Int) throws(Table.Failure) -> [ListedNode] {
        try table.children(of: directory).compactMap { child in
            child.path.isHidden ? nil : ListedNode(depth: depth, path: child.path, node: child.node)
        }
    }
}
