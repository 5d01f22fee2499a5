import Raft

/// Quorum reads: known to the core until the leader has confirmed, then waiting here until everything up to the confirmed index is applied.
///
/// A read whose leader was lost is asked again; it ends when it is released, or when the caller gives it up.
struct ReadBook: Sendable {
    private var asked: Set<UInt64> = []
    /// Ordered by index.
    private var confirmed: [(number: UInt64, index: Index)] = []
    private var again: [UInt64] = []
    private let readsMax: Int

    init(readsMax: Int) { self.readsMax = readsMax }

    /// False when there is no room.
    mutating func add(_ number: UInt64) -> Bool {
        guard asked.count + confirmed.count < readsMax else { return false }
        asked.insert(number)
        return true
    }

    mutating func confirm(_ number: UInt64, index: Index) {
        guard asked.remove(number) != nil else { return }
        // Nearly always the highest so far.
        var place = confirmed.count
        while place > 0, confirmed[place - 1].index > index { place -= 1 }
        confirmed.insert((number, index), at: place)
    }

    mutating func fail(_ number: UInt64) { if asked.contains(number) { again.append(number) } }

    /// Those that are to be asked again.
    mutating func takeFailed() -> [UInt64] {
        defer { again.removeAll() }
        return again.filter { asked.contains($0) }
    }

    mutating func abandon(_ numbers: [UInt64]) {
        for number in numbers where asked.remove(number) == nil { confirmed.removeAll { $0.number == number } }
    }

    mutating func release(applied: Index, into released: inout [(number: UInt64, index: Index)]) {
        guard let first = confirmed.first, first.index <= applied else { return }
        let count = confirmed.firstIndex { $0.index > applied } ?? confirmed.count
        released += confirmed[..<count]
        confirmed.removeFirst(count)
    }
}
