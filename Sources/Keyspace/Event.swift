/// What one change did: the answer to its client and the message to its watchers.
package struct Event: Equatable, Sendable {
    /// The raw values are stored (`events.action`); never renumber.
    package enum Action: UInt8, Sendable, CaseIterable {
        case set = 1
        case create = 2
        case update = 3
        case compareAndSwap = 4
        case delete = 5
        case compareAndDelete = 6
        case expire = 7
        /// Bookkeeping of the cluster: takes a place in the history, concerns no key, reaches no watcher.
        case cluster = 8

        /// True for the actions that take a node away.
        package var isRemoval: Bool { self == .delete || self == .compareAndDelete || self == .expire }
    }

    package var action: Action
    /// The v2 index of the change.
    package var index: UInt64
    package var path: TreePath
    /// The node after the change; after a removal: created of the old node, modified = `index`, no value, no expiration.
    /// For an update of a directory `modified` is `index` though the stored one stays (v2-keys.md §9).
    package var node: TreeNode
    package var previous: TreeNode?
    /// The time of the log entry, nanoseconds since 1970 UTC: a shown `ttl` is counted from it.
    package var time: Int64
    /// A refresh takes a place in the history and reaches no watcher.
    package var isRefresh: Bool
    /// Watched paths strictly below a removed directory where a node existed; their watchers hear of it
    /// (v2-keys.md §13). Not stored.
    package var removedBelow: [TreePath] = []

    package init(
        _ action: Action, index: UInt64, path: TreePath, node: TreeNode, previous: TreeNode?, time: Int64,
        isRefresh: Bool = false
    ) {
        self.action = action
        self.index = index
        self.path = path
        self.node = node
        self.previous = previous
        self.time = time
        self.isRefresh = isRefresh
    }
}
