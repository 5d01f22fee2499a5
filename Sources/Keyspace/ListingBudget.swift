/// How much of a listing is made at a time by whoever cannot wait for more.
package struct ListingBudget: Sendable {
    private var nodes: Int
    private var bytes: Int

    /// - Parameter bytes: of keys and values.
    package init(nodes: Int, bytes: Int) {
        self.nodes = nodes
        self.bytes = bytes
    }

    package static let unlimited = ListingBudget(nodes: .max, bytes: .max)

    /// False when the node is one too many.
    package mutating func take(_ path: TreePath, _ node: TreeNode) -> Bool {
        nodes -= 1
        bytes -= path.bytes.count + node.value.count
        return nodes >= 0 && bytes >= 0
    }
}
