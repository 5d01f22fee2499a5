import Keyspace

/// A bounded cache in two generations: what was used lately, and what was before. When the first is full it becomes the second,
/// and the old second is forgotten. Cheaper than to forget one entry at a time, and no bookkeeping on a hit in the first.
struct PathCache<Value: Sendable> {
    private var young: [TreePath: (value: Value, bytes: Int)] = [:]
    private var old: [TreePath: (value: Value, bytes: Int)] = [:]
    private var youngBytes = 0
    /// For each generation.
    private let bytesMax: Int
    private let retire: @Sendable (any Sendable) -> Void

    /// - Parameters:
    ///   - bytesMax: of all that is kept, as the callers of `insert` estimate it.
    ///   - retire: is given a forgotten generation to let go of. Freeing thousands of values takes milliseconds, so it should go where
    ///     nobody waits.
    init(bytesMax: Int, retire: @escaping @Sendable (any Sendable) -> Void = { _ in }) {
        self.bytesMax = bytesMax / 2
        self.retire = retire
    }

    mutating func find(_ path: TreePath) -> Value? {
        if let entry = young[path] { return entry.value }
        guard let entry = old[path] else { return nil }
        insert(entry.value, at: path, bytes: entry.bytes)
        return entry.value
    }

    /// - Parameter bytes: roughly what the value and its path take. What is larger than a quarter of the whole is not kept.
    mutating func insert(_ value: Value, at path: TreePath, bytes: Int) {
        guard bytes < bytesMax / 2 else { return remove(path) }
        youngBytes += bytes
        if let replaced = young.updateValue((value, bytes), forKey: path) { youngBytes -= replaced.bytes }
        guard youngBytes > bytesMax else { return }
        retire(old)
        old = young
        young = Dictionary(minimumCapacity: old.count)
        youngBytes = 0
    }

    mutating func remove(_ path: TreePath) {
        if let removed = young.removeValue(forKey: path) { youngBytes -= removed.bytes }
        old.removeValue(forKey: path)
    }

    mutating func removeAll() {
        retire(young)
        retire(old)
        young = [:]
        old = [:]
        youngBytes = 0
    }
}
