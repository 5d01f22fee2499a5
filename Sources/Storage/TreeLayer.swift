import Keyspace
import Wire

/// Changes of the tree that are applied and not yet in `tree.db`, as one transaction will write them.
package struct TreeLayer: Sendable {
    /// The newest state of each touched node; nil: removed.
    package private(set) var nodes: [TreePath: TreeNode?] = [:]
    /// Subtrees removed whole, in order; `nodes` holds what came after.
    package private(set) var cleared: [TreePath] = []
    package var events: [Event] = []
    /// All members, when they changed.
    package var members: [Member]?
    /// What the tree has come to with this layer.
    package var state = TreeState()
    /// Roughly what it holds, in bytes.
    package private(set) var bytes = 0

    /// Touched children by parent, so that a listing need not look at every node.
    private var touched: [TreePath: [TreePath]] = [:]
    /// Nodes that got an expiration here; some may have lost it again.
    package private(set) var expiring: [TreePath] = []

    package init() {}

    package var isEmpty: Bool { nodes.isEmpty && cleared.isEmpty && events.isEmpty && members == nil }
    /// Nodes that were touched; the events come to no more, or will not all be stored.
    package var changes: Int { nodes.count + cleared.count }

    package enum Lookup {
        case node(TreeNode)
        case removed
        /// This layer knows nothing of it; ask the one below.
        case unknown
    }

    package func lookUp(_ path: TreePath) -> Lookup {
        if let known = nodes[path] { return known.map(Lookup.node) ?? .removed }
        return isCleared(path) ? .removed : .unknown
    }

    /// True when everything that lower layers hold at or below `path` is gone.
    package func isCleared(_ path: TreePath) -> Bool {
        !cleared.isEmpty && cleared.contains { path == $0 || path.isBelow($0) }
    }

    package func touchedChildren(of path: TreePath) -> [TreePath] { touched[path] ?? [] }

    package mutating func set(_ node: TreeNode?, at path: TreePath) {
        if nodes.updateValue(node, forKey: path) == nil {
            bytes += 160 + 2 * path.bytes.count
            if let parent = path.parent { touched[parent, default: []].append(path) }
        }
        bytes += node?.value.count ?? 0
        if node?.expiration != nil { expiring.append(path) }
    }

    package mutating func clear(_ path: TreePath) {
        for below in nodes.keys where below == path || below.isBelow(path) {
            nodes[below] = nil
            touched[below] = nil
        }
        touched[path] = nil
        if let parent = path.parent { touched[parent]?.removeAll { $0 == path } }
        cleared.removeAll { $0.isBelow(path) }
        if !cleared.contains(path) { cleared.append(path) }
    }

    package mutating func append(_ event: Event, keeping limit: Int) {
        events.append(event)
        bytes += 200 + event.path.bytes.count + event.node.value.count + (event.previous?.value.count ?? 0)
        // Only the last ones will be stored; the others need not be kept until then.
        if events.count > 2 * limit + 1024 { events.removeFirst(events.count - limit) }
    }
}
