import Raft
import Wire

/// The payloads of the newest entries, so that a peer that keeps up is served without a look at the disk. Bounded by bytes, but what is
/// not both durable and committed stays whatever it takes: nobody else could give it to the log's readers.
struct EntryCache: Sendable {
    /// Of the first payload that is kept; where the next entry goes when there is none.
    private(set) var first: Index
    private(set) var bytes = 0
    private var payloads = Queue<EntryPayload>()
    private let bytesMax: Int

    init(next: Index, bytesMax: Int) {
        first = next
        self.bytesMax = bytesMax
    }

    var end: Index { Index(first.value + UInt64(payloads.count)) }
    var count: Int { payloads.count }

    /// Follows the log. After a gap (entries that did not come through here) it begins anew.
    mutating func append(_ payload: EntryPayload, at index: Index) {
        if index != end { reset(next: index) }
        payloads.append(payload)
        bytes += payload.size
    }

    mutating func truncate(from index: Index) {
        guard index < end else { return }
        guard index > first else { return reset(next: index) }
        let removed = Int(end.value - index.value)
        for place in (payloads.count - removed)..<payloads.count { bytes -= payloads[place].size }
        payloads.removeLast(removed)
    }

    mutating func reset(next: Index) {
        payloads.removeAll()
        first = next
        bytes = 0
    }

    /// Forgets the oldest up to `safe` as long as there is too much.
    mutating func trim(upTo safe: Index) {
        guard bytes > bytesMax else { return }
        var removed = 0
        while removed < payloads.count, bytes > bytesMax, first.value + UInt64(removed) <= safe.value {
            bytes -= payloads[removed].size
            removed += 1
        }
        payloads.removeFirst(removed)
        first = Index(first.value + UInt64(removed))
    }

    /// Nil when one of them is not kept.
    func payloads(from index: Index, count: Int) -> [EntryPayload]? {
        guard index >= first, index.value - first.value + UInt64(count) <= UInt64(payloads.count) else { return nil }
        let start = Int(index.value - first.value)
        return (start..<start + count).map { payloads[$0] }
    }
}
