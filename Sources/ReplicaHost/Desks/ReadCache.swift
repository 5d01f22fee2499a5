import Keyspace
import NIOCore
import Storage

/// What the loop knows of the tree by itself: files that were read or written lately, and encoded listings.
///
/// It is right at the index up to which the loop has seen events: each event changes or removes what it concerns before
/// anyone can ask. Bounded by bytes.
struct ReadCache {
    /// Encoded, as answered to a listing of the directory alone and to a recursive one.
    private struct Listings {
        var flat: ByteBuffer?
        var deep: ByteBuffer?
    }

    private var files: PathCache<TreeNode>
    private var listings: PathCache<Listings>
    /// While there are none, an event need not look at its ancestors.
    private var hasListings = false

    /// Generations that nobody looks into any more, to be let go of where nobody waits.
    private var forgotten: [PathCache<TreeNode>.Forgotten] = []

    init(bytesMax: Int) {
        files = PathCache(bytesMax: bytesMax / 4 * 3)
        listings = PathCache(bytesMax: bytesMax / 4)
    }

    mutating func reading(_ path: TreePath, recursive: Bool) -> CachedReading? {
        if let file = files.find(path) { return .file(file) }
        guard hasListings, let found = listings.find(path) else { return nil }
        return (recursive ? found.deep : found.flat).map { .listing($0) }
    }

    mutating func keep(_ file: TreeNode, at path: TreePath) {
        if let old = files.insert(file, at: path, bytes: 160 + path.bytes.count + file.value.count) { forgotten.append(old) }
    }

    mutating func keep(_ body: ByteBuffer, path: TreePath, recursive: Bool) {
        var found = listings.find(path) ?? Listings()
        if recursive { found.deep = body } else { found.flat = body }
        let bytes = (found.flat?.readableBytes ?? 0) + (found.deep?.readableBytes ?? 0)
        _ = listings.insert(found, at: path, bytes: 200 + path.bytes.count + bytes)
        hasListings = true
    }

    /// Follows one change of the tree.
    ///
    /// - Parameter keeps: take a file that is not here yet: whoever writes it will soon read it.
    mutating func follow(_ event: Event, keeps: Bool) {
        guard event.action != .cluster else { return }
        if event.action.isRemoval {
            // Everything below a removed directory is gone; it is rare enough to forget all.
            if event.node.isDirectory { return removeAll() }
            files.remove(event.path)
        } else if event.node.isDirectory {
            files.remove(event.path)
        } else if keeps || files.find(event.path) != nil {
            keep(event.node, at: event.path)
        }
        guard hasListings else { return }
        listings.remove(event.path)
        listings.remove(.root)
        for ancestor in event.path.ancestors { listings.remove(ancestor) }
    }

    mutating func removeAll() {
        forgotten += files.removeAll()
        _ = listings.removeAll()
        hasListings = false
    }

    /// What was forgotten since the last time; most often nothing.
    mutating func takeForgotten() -> [any Sendable] {
        if forgotten.isEmpty { return [] }
        defer { forgotten = [] }
        return forgotten
    }
}
