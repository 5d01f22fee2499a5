import Keyspace

/// A bounded cache in two generations: what was used lately, and what was before. When the first is full it becomes the second,
/// and the old second is forgotten. Cheaper than to forget one entry at a time, and no bookkeeping on a hit in the first.
struct PathCache<Value: Sendable> {
    private var young: [TreePath: (value: Value, bytes: Int)] = [:]
    private var old: [TreePath: (value: Value, bytes: Int)] = [:]
    private var youngBytes = 0
    /// For each generation.
    private let bytesMax: Int

    /// - Parameter bytesMax: of all that is kept, as the callers of `insert` estimate it.
    init(bytesMax: Int) { self.bytesMax = bytesMax / 2 }

    mutating func find(_ path: TreePath) -> Value? {
        if let entry = young[path] { return entry.value }
        guard let entry = old[path] else { return nil }
        // It only moves to the young, which may grow by it beyond the bound, until the next is inserted.
        youngBytes += entry.bytes
        young[path] = entry
        return entry.value
    }

    /// - Parameter bytes: roughly what the value and its path take. What is larger than a quarter of the whole is not kept.
    /// - Returns: a forgotten generation to let go of. Freeing thousands of values takes milliseconds, so it should go where nobody waits.
    mutating func insert(_ value: Value, at path: TreePath, bytes: Int) -> Forgotten? {
        guard bytes < bytesMax / 2 else {
            remove(path)
            return nil
        }
        youngBytes += bytes
        if let replaced = young.updateValue((value, bytes), forKey: path) { youngBytes -= replaced.bytes }
        guard youngBytes > bytesMax else { return nil }
        let forgotten = Forgotten(values: old)
        old = young
        young = Dictionary(minimumCapacity: old.count)
        youngBytes = 0
        return forgotten
    }

    mutating func remove(_ path: TreePath) {
        if let removed = young.removeValue(forKey: path) { youngBytes -= removed.bytes }
        old.removeValue(forKey: path)
    }

    mutating func removeAll() -> [Forgotten] {
        let forgotten = [Forgotten(values: young), Forgotten(values: old)]
        young = [:]
        old = [:]
        youngBytes = 0
        return forgotten
    }

    /// A generation that nobody looks into any more.
    struct Forgotten: Sendable {
        fileprivate let values: [TreePath: (value: Value, bytes: Int)]
    }
}
