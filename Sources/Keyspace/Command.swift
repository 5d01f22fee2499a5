/// A change of the key tree as the log carries it: everything that decides its outcome, and nothing else.
package struct Command: Equatable, Sendable {
    /// The raw values are stored in the log (`log.operation`); never renumber.
    package enum Operation: UInt8, Sendable, CaseIterable {
        case set = 1
        case create = 2
        case createInOrder = 3
        case update = 4
        case compareAndSwap = 5
        case delete = 6
        case compareAndDelete = 7
        /// Removes every node whose expiration is not after the time of the entry (etcd's SYNC).
        case expire = 8
    }

    package var operation: Operation
    /// For `createInOrder` the directory that gets the child.
    package var path: TreePath
    package var value: [UInt8] = []
    /// The `dir` parameter.
    package var isDirectory = false
    /// The `recursive` parameter; only delete looks at it.
    package var isRecursive = false
    /// Keep the value, renew the TTL, tell no watcher (v2-keys.md §12). Never set on create and createInOrder.
    package var isRefresh = false
    /// Absolute, nanoseconds since 1970 UTC, computed by the member that received the request.
    package var expiration: Int64?
    /// Nil: not asked for.
    package var previousValue: [UInt8]?
    /// Zero: not asked for.
    package var previousIndex: UInt64 = 0

    package init(_ operation: Operation, _ path: TreePath) {
        self.operation = operation
        self.path = path
    }
}
