import Keyspace

/// A bounded cache in two generations: what was used lately, and what was before. When the first is full it becomes the second,
/// and the old second is forgotten. No bookkeeping on a hit in the first.
struct NodeCache {
    private var young: [TreePath: TreeNode] = [:]
    private var old: [TreePath: TreeNode] = [:]
    private var youngBytes = 0
    /// For each generation, roughly.
    private let bytesMax: Int

    init(bytesMax: Int) { self.bytesMax = bytesMax / 2 }

    subscript(path: TreePath) -> TreeNode? {
        mutating get {
            if let node = young[path] { return node }
            guard let node = old[path] else { return nil }
            insert(node, at: path)
            return node
        }
    }

    mutating func insert(_ node: TreeNode, at path: TreePath) {
        let bytes = 160 + path.bytes.count + node.value.count
        // One large value must not push everything else out.
        guard bytes < bytesMax / 16 else { return remove(path) }
        if let replaced = young.updateValue(node, forKey: path) {
            youngBytes += node.value.count - replaced.value.count
        } else {
            youngBytes += bytes
        }
        guard youngBytes > bytesMax else { return }
        old = young
        young = [:]
        youngBytes = 0
    }

    mutating func remove(_ path: TreePath) {
        if let removed = young.removeValue(forKey: path) { youngBytes -= 160 + path.bytes.count + removed.value.count }
        old.removeValue(forKey: path)
    }

    mutating func removeAll() {
        young = [:]
        old = [:]
        youngBytes = 0
    }
}
