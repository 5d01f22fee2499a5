import Access
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
///     layers, for the file                        generations, for looking up
///     current   gathers changes                   young   what `current` says, and what was read since it began
///     frozen    is being written                  old     what `frozen` says, and what was read before
///     tree.db   as last committed
///
/// A layer is the list of its changes in order, for the file. Nobody searches it: what a layer says of a node also stands in a generation, a
/// table by path, together with what was read from the file. So a lookup asks `young`, then `old`, then the file, unless a layer has removed
/// the subtree (`isCleared`). When `current` is frozen, `young` becomes `old`, and what was `old` is forgotten whole: a layer is frozen
/// only after the one before was committed, so the file says all that it said. Nodes that are asked for again, such as parents, move
/// from `old` to `young`, and so stay.
///
/// A class, because the tree that uses it and the applier that freezes its layers share it; confined to one thread.
package final class LayeredTable: NodeTable {
    package typealias Failure = StorageError

    package private(set) var current = TreeLayer()
    package private(set) var frozen: TreeLayer?
    /// Of all nodes; but see `isHashLate`.
    package private(set) var hash: StateHash
    private let file: TreeReader
    private var young: NodeGeneration = [:]
    private var old: NodeGeneration = [:]
    /// Number of the current layer.
    private var layer: UInt64 = 1
    /// What was read from the file into the young generation, in bytes, roughly.
    private var bytesRead = 0

    /// Whatever the file says of earlier expirations is out of date: a layer has removed those nodes.
    private var nothingDueBefore = Int64.min

    /// For each generation.
    private static let bytesReadMax = 2 << 20

    /// Of a subtree with more nodes than this the stored ones are not counted out of the hash here; see `TreeLayer.uncounted`. Nil: always.
    private let countedMax: Int?

    package init(file: TreeReader, hash: StateHash, countedMax: Int? = nil) {
        self.file = file
        self.hash = hash
        self.countedMax = countedMax
    }

    /// True when `hash` still counts nodes that are gone.
    package var isHashLate: Bool { !current.uncounted.isEmpty || !(frozen?.uncounted.isEmpty ?? true) }

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
        if let countedMax, try isLarge(path, countedMax) { return try removeLargeSubtree(path) }
        try visitSubtree(path) { child, node in
            hash.remove(child, node)
            forget(child)
            return true
        }
        current.clear(path)
    }

    private func isLarge(_ path: TreePath, _ countMax: Int) throws(StorageError) -> Bool {
        var count = 0
        try visitSubtree(path) { _, _ in
            count += 1
            return count <= countMax
        }
        return count > countMax
    }

    /// Costs what the layers hold, whatever the file does.
    private func removeLargeSubtree(_ path: TreePath) throws(StorageError) {
        func isInside(_ other: TreePath) -> Bool { other == path || other.isBelow(path) }
        var changed = Set<TreePath>()
        for change in current.changes where isInside(change.path) { changed.insert(change.path) }
        for path in changed {
            if let node = try node(at: path) {
                hash.remove(path, node)
                set(nil, at: path)
            }
        }
        young = young.filter { $0.value.layer == layer || !isInside($0.key) }
        old = old.filter { !isInside($0.key) }
        current.clearUncounted(path, changed: changed)
    }

    /// The node and everything below it, in no order, until `body` returns false.
    private func visitSubtree(_ path: TreePath, _ body: (TreePath, TreeNode) -> Bool) throws(StorageError) {
        guard let node = try node(at: path), body(path, node) else { return }
        var waiting = [path]
        var goesOn = true
        while goesOn, let directory = waiting.popLast() {
            try visitChildren(of: directory) { child, node in
                if node.isDirectory { waiting.append(child) }
                goesOn = body(child, node)
                return goesOn
            }
        }
    }

    package func hasChildren(_ path: TreePath) throws(StorageError) -> Bool {
        // The newest first: a directory that has just been filled says so at once.
        for touched in [current.touchedChildren(of: path), frozen?.touchedChildren(of: path) ?? []] {
            for child in touched.reversed() { if try node(at: child) != nil { return true } }
        }
        // Of the stored ones, as many are looked at as are gone by changes in memory.
        if isCleared(path) { return false }
        return try file.hasChild(of: path) { (child: TreePath) throws(StorageError) in try node(at: child) != nil }
    }

    /// The direct children in no order, one at a time: there may be more than should stand in memory at once.
    private func visitChildren(of path: TreePath, _ body: (TreePath, TreeNode) -> Bool) throws(StorageError) {
        var touched = Set(current.touchedChildren(of: path))
        if !current.isCleared(path), let before = frozen?.touchedChildren(of: path) { touched.formUnion(before) }
        if !isCleared(path) {
            var goesOn = true
            try file.visitChildren(of: path) { child, node in
                if !touched.contains(child), !isCleared(child) { goesOn = body(child, node) }
                return goesOn
            }
            if !goesOn { return }
        }
        for child in touched { if let node = try node(at: child), !body(child, node) { return } }
    }

    package func children(of path: TreePath) throws(StorageError) -> [(path: TreePath, node: TreeNode)] {
        var budget = ListingBudget.unlimited
        // Without a limit there is a list.
        return try children(of: path, within: &budget) ?? []
    }

    package func children(
        of path: TreePath, within budget: inout ListingBudget
    ) throws(StorageError) -> [(path: TreePath, node: TreeNode)]? {
        var touched = Set(current.touchedChildren(of: path))
        if !current.isCleared(path), let before = frozen?.touchedChildren(of: path) { touched.formUnion(before) }
        guard let stored = isCleared(path) ? [] : try file.children(of: path, within: &budget) else { return nil }
        if touched.isEmpty, current.cleared.isEmpty, frozen?.cleared.isEmpty ?? true { return stored }
        // A stored child may be gone by the clearing of its own subtree, so each is looked up again from the top.
        var children: [(path: TreePath, node: TreeNode)] = []
        children.reserveCapacity(stored.count + touched.count)
        for child in stored where !touched.contains(child.path) && !isCleared(child.path) { children.append(child) }
        var changed: [(path: TreePath, node: TreeNode)] = []
        for child in touched.sorted() {
            guard let node = try node(at: child) else { continue }
            guard budget.take(child, node) else { return nil }
            changed.append((child, node))
        }
        if changed.isEmpty { return children }
        children.append(contentsOf: changed)
        children.sort { $0.path < $1.path }
        return children
    }

    package func due(at time: Int64) throws(StorageError) -> [(path: TreePath, expiration: Int64)] {
        var due: [(path: TreePath, expiration: Int64)] = []
        for row in try file.due(from: nothingDueBefore, to: time) where isUntouched(row.path) { due.append(row) }
        var seen = Set<TreePath>()
        for layer in [current, frozen].compactMap({ $0 }) {
            for (path, given) in layer.expiring where given <= time && seen.insert(path).inserted {
                if let expiration = try node(at: path)?.expiration, expiration <= time { due.append((path, expiration)) }
            }
        }
        due.sort { ($0.expiration, $0.path) < ($1.expiration, $1.path) }
        // A path that both a layer and the file know was taken from the layer only; one that a layer has twice, once.
        return due
    }

    /// Everything that was due then is removed: no need to look at it again in the file, which learns of it later.
    package func noteExpired(upTo time: Int64) { nothingDueBefore = max(nothingDueBefore, time == .max ? time : time + 1) }

    /// A time before which nothing expires; nil when nothing ever does. May be early, never late.
    package func earliestExpiration() throws(StorageError) -> Int64? {
        var earliest = try file.earliestExpiration(from: nothingDueBefore)
        for layer in [current, frozen].compactMap({ $0 }) {
            for (path, given) in layer.expiring where given >= nothingDueBefore && given < earliest ?? .max {
                if let expiration = try node(at: path)?.expiration { earliest = min(earliest ?? expiration, expiration) }
            }
        }
        return earliest
    }

    /// The latest time, not after `time`, up to which no more than some `count` nodes expire; those of one nanosecond are not parted. They may be
    /// fewer, or none, where expirations were put off. Costs little, however many are due.
    package func endOfSlice(_ count: Int, upTo time: Int64) throws(StorageError) -> Int64 {
        let end = min(time, try file.expiration(number: count, from: nothingDueBefore) ?? time)
        var young: [Int64] = []
        for layer in [current, frozen].compactMap({ $0 }) {
            for (_, given) in layer.expiring where given >= nothingDueBefore && given <= end { young.append(given) }
        }
        guard young.count > count else { return end }
        young.sort()
        return young[count - 1]
    }

    // MARK: Layers

    package func append(_ event: Event, oldest: UInt64) { current.append(event, oldest: oldest) }

    package func setMembers(_ members: [Member]) { current.members = members }

    package func setAccess(_ access: AccessState) { current.access = access }

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
    ///
    /// - Parameter counted: what the writer has taken out of the hash for `TreeLayer.uncounted`.
    package func dropFrozen(counted: StateHash = StateHash()) -> TreeLayer? {
        defer { frozen = nil }
        hash.subtract(counted)
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
        // Set to expire in the past.
        if let expiration = node?.expiration, expiration < nothingDueBefore { nothingDueBefore = expiration }
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
