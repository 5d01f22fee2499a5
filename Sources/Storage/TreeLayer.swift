import Access
import Keyspace
import Wire

/// Changes of the tree that are applied and not yet in `tree.db`, as one transaction will write them.
package struct TreeLayer: Sendable {
    package struct Change: Sendable {
        package let path: TreePath
        /// Nil: removed.
        package let node: TreeNode?
    }

    /// In the order in which they were applied; what a later one says of the same path holds.
    package private(set) var changes: [Change] = []
    /// Subtrees removed whole, before any of `changes`.
    package private(set) var cleared: [TreePath] = []
    package var events: [Event] = []
    /// Events below this index are not stored, and go if they are.
    package private(set) var oldestEvent: UInt64 = 0
    /// All members, when they changed.
    package var members: [Member]?
    /// All users and roles, when they changed.
    package var access: AccessState?
    /// What the tree has come to with this layer.
    package var state = TreeState()
    /// Roughly what it holds, in bytes.
    package var bytes: Int { changeBytes + eventBytes }
    private var changeBytes = 0
    private var eventBytes = 0
    /// Nodes that got an expiration here, and which; some may have lost it again, or got another.
    package private(set) var expiring: [(path: TreePath, expiration: Int64)] = []
    /// Of `cleared`, those whose stored nodes nobody has looked at one by one: `state.hash` still counts them, until whoever removes the rows
    /// takes them out.
    package private(set) var uncounted: [Uncounted] = []
    /// All subtrees removed by this layer, in order, but for those below an earlier one.
    private var removed: [TreePath] = []
    /// What the table forgets when this layer is given out. It travels along to be freed where nobody waits.
    var unneeded: NodeGeneration = [:]

    /// Touched children by parent, of the first `indexed` changes: listings are rarer than changes, so it is made when one comes.
    private var touched: [TreePath: [TreePath]] = [:]
    private var indexed = 0

    /// The stored nodes at and below `path`, but for some.
    package struct Uncounted: Sendable {
        package let path: TreePath
        /// Changed by this layer before the removal: what was stored here was taken out with the change.
        fileprivate let changed: Set<TreePath>
        /// Removed by this layer before that: taken out then, or uncounted in their own right.
        fileprivate let removed: Set<TreePath>

        package func holds(_ node: TreePath) -> Bool {
            if changed.contains(node) { return false }
            return removed.isEmpty || !(removed.contains(node) || node.ancestors.contains { removed.contains($0) })
        }
    }

    package init() {}

    package var isEmpty: Bool { changes.isEmpty && cleared.isEmpty && events.isEmpty && members == nil && access == nil }
    /// Changes of nodes; the events come to no more, or will not all be stored.
    package var count: Int { changes.count + cleared.count }

    /// The last word on each path, ordered by path: neighbours share pages, and the file comes out the same wherever layers are cut.
    package var newest: [Change] {
        changes.withUnsafeBufferPointer { changes in
            let order = changes.indices.sorted { left, right in
                let order = changes[left].path.order(against: changes[right].path)
                return order == 0 ? left < right : order < 0
            }
            var newest: [Change] = []
            newest.reserveCapacity(order.count)
            for place in order.indices {
                let change = changes[order[place]]
                if place + 1 < order.count, changes[order[place + 1]].path == change.path { continue }
                newest.append(change)
            }
            return newest
        }
    }

    /// True when everything that lower layers hold at or below `path` is gone.
    package func isCleared(_ path: TreePath) -> Bool {
        !cleared.isEmpty && cleared.contains { path == $0 || path.isBelow($0) }
    }

    /// Children of `path` that a change speaks of; one may stand here more than once.
    mutating func touchedChildren(of path: TreePath) -> [TreePath] {
        for change in changes[indexed...] {
            if let parent = change.path.parent { touched[parent, default: []].append(change.path) }
        }
        indexed = changes.count
        return touched[path] ?? []
    }

    mutating func set(_ node: TreeNode?, at path: TreePath) {
        changes.append(Change(path: path, node: node))
        changeBytes += 160 + path.bytes.count + (node?.value.count ?? 0)
        if let expiration = node?.expiration { expiring.append((path, expiration)) }
    }

    /// - Precondition: whatever a change of this layer has put at or below `path` is taken back by a later one.
    mutating func clear(_ path: TreePath) {
        if !isCleared(path) { removed.append(path) }
        cleared.removeAll { $0.isBelow(path) }
        if !cleared.contains(path) { cleared.append(path) }
    }

    /// The same for one whose stored nodes were not looked at.
    /// - Parameter changed: all paths at or below it that a change of this layer speaks of.
    mutating func clearUncounted(_ path: TreePath, changed: Set<TreePath>) {
        // What is stored below an earlier removal is accounted for by that.
        if !isCleared(path) {
            uncounted.append(
                Uncounted(path: path, changed: changed, removed: Set(removed.filter { $0.isBelow(path) })))
        }
        clear(path)
    }

    /// - Parameter oldest: index of the oldest event that is kept, with this one.
    mutating func append(_ event: Event, oldest: UInt64) {
        events.append(event)
        oldestEvent = oldest
        eventBytes += TreeLayer.bytes(event)
        // Only the last ones will be stored; the others need not be kept until then.
        if events.count >= 1024, events[events.count / 2].index < oldest {
            events.removeAll { $0.index < oldest }
            eventBytes = events.reduce(0) { $0 + TreeLayer.bytes($1) }
        }
    }

    /// Path and value are those of a change.
    private static func bytes(_ event: Event) -> Int { 200 + (event.previous?.value.count ?? 0) }
}
