/// A node of the key tree as it is stored: a file with a value, or a directory.
package struct TreeNode: Equatable, Sendable {
    package var isDirectory: Bool
    /// Any bytes; empty for a directory.
    package var value: [UInt8]
    /// The v2 index of the change that made the node.
    package var created: UInt64
    /// The v2 index of its last set, create, update or compareAndSwap.
    package var modified: UInt64
    /// When it expires, in nanoseconds since 1970 UTC; nil for never.
    package var expiration: Int64?

    package init(isDirectory: Bool, value: [UInt8] = [], created: UInt64, modified: UInt64, expiration: Int64? = nil) {
        self.isDirectory = isDirectory
        self.value = value
        self.created = created
        self.modified = modified
        self.expiration = expiration
    }
}
