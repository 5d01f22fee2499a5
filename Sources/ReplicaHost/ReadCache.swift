import Keyspace
import NIOCore

/// What the loop knows of the tree by itself: files that were read or written lately, and encoded listings.
///
/// It is right at the index up to which the loop has seen events: each event changes or removes what it concerns before
/// anyone can ask. Bounded by bytes, in two generations like the cache of the apply thread.
struct ReadCache {
    private struct Entry {
        var file: TreeNode?
        var flat: ByteBuffer?
        var deep: ByteBuffer?

        var bytes: Int { 192 + (file?.value.count ?? 0) + (flat?.readableBytes ?? 0) + (deep?.readableBytes ?? 0) }
    }

    private var young: [TreePath: Entry] = [:]
    private var old: [TreePath: Entry] = [:]
    private var youngBytes = 0
    /// Listings in either generation; while there are none, an event need not look at its ancestors.
    private var hasListings = false
    private let bytesMax: Int

    init(bytesMax: Int) { self.bytesMax = bytesMax / 2 }

    mutating func reading(_ path: TreePath, recursive: Bool) -> CachedReading? {
        guard let entry = find(path) else { return nil }
        if let file = entry.file { return .file(file) }
        return (recursive ? entry.deep : entry.flat).map { .listing($0) }
    }

    mutating func keep(_ file: TreeNode, at path: TreePath) {
        guard file.value.count < bytesMax / 16 else { return forget(path) }
        insert(Entry(file: file), at: path)
    }

    mutating func keep(_ body: ByteBuffer, path: TreePath, recursive: Bool) {
        guard body.readableBytes < bytesMax / 4 else { return }
        var entry = find(path) ?? Entry()
        entry.file = nil
        if recursive { entry.deep = body } else { entry.flat = body }
        insert(entry, at: path)
        hasListings = true
    }

    /// Follows one change of the tree.
    mutating func follow(_ event: Event) {
        guard event.action != .cluster else { return }
        if event.action.isRemoval {
            // Everything below a removed directory is gone; it is rare enough to forget all.
            if event.node.isDirectory { return removeAll() }
            forget(event.path)
        } else if event.node.isDirectory {
            forget(event.path)
        } else {
            keep(event.node, at: event.path)
        }
        guard hasListings else { return }
        forget(.root)
        for ancestor in event.path.ancestors { forget(ancestor) }
    }

    mutating func removeAll() {
        young = [:]
        old = [:]
        youngBytes = 0
        hasListings = false
    }

    private mutating func find(_ path: TreePath) -> Entry? {
        if let entry = young[path] { return entry }
        guard let entry = old[path] else { return nil }
        insert(entry, at: path)
        return entry
    }

    private mutating func insert(_ entry: Entry, at path: TreePath) {
        youngBytes += entry.bytes + path.bytes.count
        if let replaced = young.updateValue(entry, forKey: path) { youngBytes -= replaced.bytes + path.bytes.count }
        guard youngBytes > bytesMax else { return }
        old = young
        young = [:]
        youngBytes = 0
    }

    private mutating func forget(_ path: TreePath) {
        if let removed = young.removeValue(forKey: path) { youngBytes -= removed.bytes + path.bytes.count }
        old.removeValue(forKey: path)
    }
}
