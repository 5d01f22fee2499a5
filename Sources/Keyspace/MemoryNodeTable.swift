/// The reference implementation of a node table: one sorted array.
///
/// What other tables are compared with, and enough for tests and small trees; an insertion moves what is behind it.
package struct MemoryNodeTable: NodeTable, Equatable, Sendable {
    package typealias Failure = Never

    private struct Entry: Equatable, Sendable {
        let path: TreePath
        var node: TreeNode
    }

    /// Invariant: ordered by the bytes of the path, each path once.
    private var entries: [Entry] = []

    package init() {}

    package var count: Int { entries.count }

    /// Every node, ordered by the bytes of its path.
    package var all: [(path: TreePath, node: TreeNode)] { entries.map { ($0.path, $0.node) } }

    package func node(at path: TreePath) -> TreeNode? {
        position(of: path).map { entries[$0].node }
    }

    package mutating func put(_ node: TreeNode, at path: TreePath, over _: TreeNode? = nil) {
        let place = entries.partitionPoint { $0.path < path }
        if entries.indices.contains(place), entries[place].path == path {
            entries[place].node = node
        } else {
            entries.insert(Entry(path: path, node: node), at: place)
        }
    }

    package mutating func remove(_: TreeNode, at path: TreePath) { remove(path) }

    package mutating func remove(_ path: TreePath) {
        if let position = position(of: path) { entries.remove(at: position) }
    }

    package mutating func removeSubtree(_ path: TreePath) {
        entries.removeSubrange(below(path))
        remove(path)
    }

    package func hasChildren(_ path: TreePath) -> Bool { !below(path).isEmpty }

    package func children(of path: TreePath) -> [(path: TreePath, node: TreeNode)] {
        // Siblings compare like their names, because all that stands before those is the same.
        entries[below(path)].filter { $0.path.parent == path }.map { ($0.path, $0.node) }
    }

    package func due(at time: Int64) -> [(path: TreePath, expiration: Int64)] {
        var due: [(path: TreePath, expiration: Int64)] = []
        for entry in entries {
            if let expiration = entry.node.expiration, expiration <= time { due.append((entry.path, expiration)) }
        }
        return due.sorted { ($0.expiration, $0.path) < ($1.expiration, $1.path) }
    }

    private func position(of path: TreePath) -> Int? {
        let place = entries.partitionPoint { $0.path < path }
        return entries.indices.contains(place) && entries[place].path == path ? place : nil
    }

    /// The places of what lies strictly below: one stretch, as all of it begins with the path and a slash.
    private func below(_ path: TreePath) -> Range<Int> {
        let first = path.child([])
        let start = entries.partitionPoint { $0.path < first }
        let end = entries.partitionPoint { $0.path < first || $0.path.isBelow(path) }
        return start..<end
    }
}
