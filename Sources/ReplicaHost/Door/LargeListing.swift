import Glibc
import Keyspace
import NIOCore

/// Makes an answer's body of a listing, line by line: a large one is written on a thread of the replica's, which knows no form of it.
///
/// The calls are `begin`, `add` for each line in the order of `KeyTree.get`, then `end`.
package protocol ListingEncoding: Sendable {
    /// - Parameter directory: nil for the root.
    mutating func begin(_ directory: TreeNode?, at path: TreePath, into body: inout ByteBuffer)
    mutating func add(_ line: ListedNode, into body: inout ByteBuffer)
    mutating func end(into body: inout ByteBuffer)
}

/// A whole answer body in a file without a name: what it takes of the disk is free again when nobody holds this.
package final class ListingFile: Sendable {
    package let descriptor: Int32
    /// Bytes.
    package let size: UInt64
    private let released: @Sendable () -> Void

    package init(descriptor: Int32, size: UInt64, released: @escaping @Sendable () -> Void) {
        self.descriptor = descriptor
        self.size = size
        self.released = released
    }

    deinit {
        close(descriptor)
        released()
    }
}
