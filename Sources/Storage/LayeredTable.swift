import Keyspace
import Wire

/// A node as the table knows it, and the number of the layer that changed it last; zero for one that was only read.
struct KnownNode: Sendable {
    /// Nil: removed.
    var node: TreeNode?
    var layer: UInt64
}

typealias NodeGeneration = [TreePath: KnownNode]

/// The key tree as it is applied: what has changed lately in memory, everything else in `tree.db`.
///
/// Changes gather in the current layer; the one before may be on its way to the file just now. What memory knows of nodes stands in
/// two generations, whether it was changed or read: when a layer is given out, the young generation becomes the old one, and the old
/// one is forgotten. By then the file has all that it says, because a layer is given out only after the one before was committed.
/// Nodes that are asked for again, such as parents, move to the young generation; so one lookup or two answer nearly everything.
///
/// A class, because the tree that uses it and the applier that freezes its layers share it; confined to one thread.
package final class LayeredTable: NodeTable {
    package typealias Failure = StorageError

    package private(set) var current = TreeLayer()
    package private(set) var frozen: TreeLayer?
    package private(set) var hash: StateHash
    private let file: TreeReader
    private var young: NodeGeneration = [:]
    private var old: NodeGeneration = [:]
    /// Number of the current layer.
    private var layer: UInt64 = 1
    /// What was read from the file into the young generation, in bytes, roughly.
    private var bytesRead = 0

    /// For each generation.
    private static let bytesReadMax = 2 << 20

    package init(file: TreeReader, hash: StateHash) {
        self.file = file
        self.hash = hash
    }

    // MARK: NodeTable

    package func node(at path: TreePath) throws(StorageError) -> TreeNode? {
        if let known = known(path) { return known.node }
        guard !isCleared(path), let node = try file.node(at: path) else { return nil }
        keep(node, at: path)
        return node
    }

    package func put(_ node: TreeNode, at path: TreePath, over old: TreeNode?) {
        if let old { hash.remove(path, old) }
        hash.add(path, node)
        set(node, at: path)
    }

    package func remove(_ old: TreeNode, at path: TreePath) {
        hash.remove(path, old)
        set(nil, at: path)
    }

    package func removeSubtree(_ path: TreePath) throws(StorageError) {
        var waiting = [path]
        if let node = try node(at: path) { hash.remove(path, node) }
        forget(path)
        while let directory = waiting.popLast() {
            for child in try children(of: directory) {
                hash.remove(child.path, child.node)
                if child.node.isDirectory { waiting.append(child.path) }
                forget(child.path)
            }
        }
        current.clear(path)
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
        if !current.isCleared(path), let before = frozen?.touchedChildren(of: path) { touched.formUnion(before) }
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
        current.unneeded = old
        (old, young, bytesRead) = (young, [:], 0)
        young.reserveCapacity(min(old.count, 1 << 14))
        frozen = current
        current = TreeLayer()
        layer += 1
        return frozen
    }

    /// The frozen layer is committed: the file says the same now. Returns what is no longer needed, for whoever has time to free it.
    package func dropFrozen() -> TreeLayer? {
        defer { frozen = nil }
        return frozen
    }

    // MARK: What memory knows

    private func known(_ path: TreePath) -> KnownNode? {
        if let known = young[path] { return known }
        guard let known = old[path] else { return nil }
        young[path] = known
        return known
    }

    private func set(_ node: TreeNode?, at path: TreePath) {
        current.set(node, at: path)
        young[path] = KnownNode(node: node, layer: layer)
    }

    /// The node goes with a subtree that is cleared.
    private func forget(_ path: TreePath) {
        if young[path]?.layer == layer {
            set(nil, at: path)
        } else {
            young[path] = nil
            old[path] = nil
        }
    }

    private func keep(_ node: TreeNode, at path: TreePath) {
        let bytes = 160 + path.bytes.count + node.value.count
        if bytesRead + bytes > LayeredTable.bytesReadMax {
            // Only what the file says too may be forgotten.
            guard current.changes.isEmpty, frozen == nil else { return }
            (old, young, bytesRead) = (young, [:], 0)
            guard bytes <= LayeredTable.bytesReadMax / 4 else { return }
        }
        bytesRead += bytes
        young[path] = KnownNode(node: node, layer: 0)
    }

    private func isCleared(_ path: TreePath) -> Bool {
        current.isCleared(path) || (frozen?.isCleared(path) ?? false)
    }

    private func isUntouched(_ path: TreePath) -> Bool {
        if let known = known(path), known.layer == layer || frozen != nil && known.layer == layer - 1 { return false }
        return !isCleared(path)
    }
}
