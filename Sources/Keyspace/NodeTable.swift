/// Where a key tree keeps its nodes: memory in tests, layers over SQLite in the server and the offline tool.
///
/// The root is not stored: it always exists, is a directory and has no indexes. A table does what it is told
/// and checks no rule of the tree.
package protocol NodeTable {
    /// What reading or writing may throw; `Never` for memory.
    associatedtype Failure: Error

    func node(at path: TreePath) throws(Failure) -> TreeNode?
    /// Inserts or replaces the one node.
    ///
    /// - Parameter old: what `node(at:)` says of the path just now.
    mutating func put(_ node: TreeNode, at path: TreePath, over old: TreeNode?) throws(Failure)
    /// Removes the one node; nothing lies below it.
    ///
    /// - Parameter old: what `node(at:)` says of the path just now.
    mutating func remove(_ old: TreeNode, at path: TreePath) throws(Failure)
    /// Removes the node and everything below it.
    mutating func removeSubtree(_ path: TreePath) throws(Failure)
    /// True when a node, hidden or not, lies directly below.
    func hasChildren(_ path: TreePath) throws(Failure) -> Bool
    /// The direct children, hidden ones too, ordered by the bytes of their names.
    func children(of path: TreePath) throws(Failure) -> [(path: TreePath, node: TreeNode)]
    /// The same, as long as the budget reaches: nil when it does not.
    func children(of path: TreePath, within budget: inout ListingBudget) throws(Failure) -> [(path: TreePath, node: TreeNode)]?
    /// The nodes whose expiration is not after `time`, ordered by expiration, then path.
    func due(at time: Int64) throws(Failure) -> [(path: TreePath, expiration: Int64)]
}

extension NodeTable {
    package func children(
        of path: TreePath, within budget: inout ListingBudget
    ) throws(Failure) -> [(path: TreePath, node: TreeNode)]? {
        let children = try children(of: path)
        for child in children where !budget.take(child.path, child.node) { return nil }
        return children
    }
}
