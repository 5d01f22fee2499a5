import Keyspace
import Wire

/// The key tree as it is applied: what has changed lately in memory, everything else in `tree.db`.
///
/// Three floors: the layer that changes gather in, the layer that is being written just now (if any), and the file as it was
/// last committed. A lookup goes from the top down. Before the file come the layer written last and a bounded cache of what the file holds, because parents
/// are asked for again and again.
///
/// A class, because the tree that uses it and the applier that freezes its layers share it; confined to one thread.
package final class LayeredTable: NodeTable {
    package typealias Failure = StorageError

    package private(set) var current = TreeLayer()
    package private(set) var frozen: TreeLayer?
    /// The layer that was written last: what it says of its nodes, the file says too. Kept as a cache that costs nothing to fill.
    private var settled: TreeLayer?
    package private(set) var hash: StateHash
    private let file: TreeReader
    /// Nodes as the file holds them, none of which a layer has touched since.
    private var cache = PathCache<TreeNode>(bytesMax: 4 << 20)
    /// Paths that the file was found not to hold, since the last change: a new node is looked up first, then put.
    private var absent: [TreePath] = []

    package init(file: TreeReader, hash: StateHash) {
        self.file = file
        self.hash = hash
    }

    // MARK: NodeTable

    package func node(at path: TreePath) throws(StorageError) -> TreeNode? {
        switch current.lookUp(path) {
        case .node(let node): return node
        case .removed: return nil
        case .unknown: break
        }
        switch frozen?.lookUp(path) {
        case .node(let node): return node
        case .removed: return nil
        case .unknown, nil: break
        }
        return try stored(path)
    }

    package func put(_ node: TreeNode, at path: TreePath) throws(StorageError) {
        if let old = try self.node(at: path) { hash.remove(path, old) }
        hash.add(path, node)
        current.set(node, at: path)
        cache.remove(path)
        absent.removeAll(keepingCapacity: true)
    }

    package func remove(_ path: TreePath) throws(StorageError) {
        guard let old = try node(at: path) else { return }
        hash.remove(path, old)
        current.set(nil, at: path)
        cache.remove(path)
    }

    package func removeSubtree(_ path: TreePath) throws(StorageError) {
        var waiting = [path]
        if let node = try node(at: path) { hash.remove(path, node) }
        while let directory = waiting.popLast() {
            for child in try children(of: directory) {
                hash.remove(child.path, child.node)
                if child.node.isDirectory { waiting.append(child.path) }
            }
        }
        current.clear(path)
        cache.removeAll()
    }

    package func hasChildren(_ path: TreePath) throws(StorageError) -> Bool {
        // Without touched children the file's word counts; otherwise the merged list is short to make.
        if current.cleared.isEmpty, frozen?.cleared.isEmpty ?? true, current.touchedChildren(of: path).isEmpty,
            frozen?.touchedChildren(of: path).isEmpty ?? true
        {
            return try file.hasChildren(path)
        }
        return try !children(of: path).isEmpty
    }

    package func children(of path: TreePath) throws(StorageError) -> [(path: TreePath, node: TreeNode)] {
        var touched = Set(current.touchedChildren(of: path))
        if !current.isCleared(path), let frozen { touched.formUnion(frozen.touchedChildren(of: path)) }
        let stored = isCleared(path) ? [] : try file.children(of: path)
        if touched.isEmpty, current.cleared.isEmpty, frozen?.cleared.isEmpty ?? true { return stored }
        // A stored child may be gone by the clearing of its own subtree, so each is looked up again from the top.
        var children: [(path: TreePath, node: TreeNode)] = []
        children.reserveCapacity(stored.count + touched.count)
        for child in stored where !touched.contains(child.path) && !isCleared(child.path) { children.append(child) }
        var changed: [(path: TreePath, node: TreeNode)] = []
        for child in touched.sorted() {
            if let node = try node(at: child) { changed.append((child, node)) }
        }
        if changed.isEmpty { return children }
        children.append(contentsOf: changed)
        children.sort { $0.path < $1.path }
        return children
    }

    package func due(at time: Int64) throws(StorageError) -> [(path: TreePath, expiration: Int64)] {
        var due: [(path: TreePath, expiration: Int64)] = []
        for row in try file.due(at: time) where isUntouched(row.path) { due.append(row) }
        var seen = Set<TreePath>()
        for path in current.expiring + (frozen?.expiring ?? []) where seen.insert(path).inserted {
            if let expiration = try node(at: path)?.expiration, expiration <= time { due.append((path, expiration)) }
        }
        due.sort { ($0.expiration, $0.path) < ($1.expiration, $1.path) }
        // A path that both a layer and the file know was taken from the layer only; one that a layer has twice, once.
        return due
    }

    /// A time before which nothing expires; nil when nothing ever does. May be early, never late.
    package func earliestExpiration() throws(StorageError) -> Int64? {
        var earliest = try file.earliestExpiration()
        for path in current.expiring + (frozen?.expiring ?? []) {
            if let expiration = try node(at: path)?.expiration { earliest = min(earliest ?? expiration, expiration) }
        }
        return earliest
    }

    // MARK: Layers

    package func append(_ event: Event, keeping limit: Int) { current.append(event, keeping: limit) }

    package func setMembers(_ members: [Member]) { current.members = members }

    /// Hands the gathered changes out to be written; nil while the last ones still are.
    package func freeze(_ state: TreeState) -> TreeLayer? {
        guard frozen == nil else { return nil }
        current.state = state
        frozen = current
        current = TreeLayer()
        return frozen
    }

    /// The frozen layer is committed: the file says the same now. Returns what is no longer needed, for whoever has time to free it.
    package func dropFrozen() -> TreeLayer? {
        let unneeded = settled
        settled = frozen
        frozen = nil
        absent.removeAll(keepingCapacity: true)
        return unneeded
    }

    private func stored(_ path: TreePath) throws(StorageError) -> TreeNode? {
        if let node = settled?.nodes[path] { return node }
        if let node = cache.find(path) { return node }
        if absent.contains(path) { return nil }
        guard let node = try file.node(at: path) else {
            if absent.count >= 16 { absent.removeFirst() }
            absent.append(path)
            return nil
        }
        cache.insert(node, at: path, bytes: 160 + path.bytes.count + node.value.count)
        return node
    }

    private func isCleared(_ path: TreePath) -> Bool {
        current.isCleared(path) || (frozen?.isCleared(path) ?? false)
    }

    private func isUntouched(_ path: TreePath) -> Bool {
        guard case .unknown = current.lookUp(path) else { return false }
        guard let frozen else { return true }
        if case .unknown = frozen.lookUp(path) { return true }
        return false
    }
}
