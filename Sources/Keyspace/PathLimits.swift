/// How long and how deep a key may be, for whoever lets a change into the log. A path costs a node for each directory on the way to it, each
/// with all of its path: the square of its length, on every member.
///
/// etcd 3.4 closes a connection whose request line passes 4,096 bytes, so no client of it has longer keys. Applying does not look at these
/// bounds: what an older version let into a log stays appliable.
extension TreePath {
    package static let bytesMax = 4096
    package static let segmentsMax = 256

    package var isWithinLimits: Bool { hasRoom(forBytes: 0, segments: 0) }

    fileprivate func hasRoom(forBytes more: Int, segments moreSegments: Int) -> Bool {
        guard bytes.count + more <= Self.bytesMax else { return false }
        let segments = bytes.reduce(0) { $0 + ($1 == UInt8(ascii: "/") ? 1 : 0) }
        return segments + moreSegments <= Self.segmentsMax
    }
}

extension Command {
    /// Whether the node that it is about lies within the bounds, also one that gets its name only when it is made.
    package var isWithinLimits: Bool {
        // A slash and twenty digits.
        operation == .createInOrder ? path.hasRoom(forBytes: 21, segments: 1) : path.isWithinLimits
    }
}
