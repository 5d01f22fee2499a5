import Raft

/// When the log is cut: after so many entries or bytes, and only behind what the tree holds durably.
package struct LogPolicy: Sendable {
    /// Entries between two cuts (`--snapshot-count`).
    private let entriesBetweenCuts: UInt64
    /// Bytes of payload between two cuts, whatever their number.
    private let bytesBetweenCuts: Int
    /// Entries that are kept behind the durable tree, for peers that are a little behind, and for reading.
    private let entriesKept: UInt64
    private var cutAt: Index
    private var durable: Index
    private var bytes = 0
    private var asked = false

    package init(
        entriesBetweenCuts: UInt64, bytesBetweenCuts: Int = 256 << 20, entriesKept: UInt64 = 5000, cutAt: Index,
        durable: Index
    ) {
        self.entriesBetweenCuts = entriesBetweenCuts
        self.bytesBetweenCuts = bytesBetweenCuts
        self.entriesKept = entriesKept
        self.cutAt = cutAt
        self.durable = durable
    }

    package mutating func grew(bytes added: Int) { bytes += added }

    package mutating func treeIsDurable(upTo index: Index) {
        durable = max(durable, index)
        asked = false
    }

    private func isDue(_ end: Index) -> Bool {
        let entries = end.value - min(cutAt.value, end.value)
        return entries > entriesKept && (entries - entriesKept >= entriesBetweenCuts || bytes >= bytesBetweenCuts)
    }

    /// Where to cut now; nil when it is not time.
    mutating func cut(committed: Index) -> Index? {
        let end = min(durable, committed)
        guard isDue(end) else { return nil }
        cutAt = Index(end.value - entriesKept)
        bytes = 0
        return cutAt
    }

    /// True once when a cut is due and only the tree's durability is missing.
    mutating func wantsDurableTree(committed: Index) -> Bool {
        guard !asked, isDue(committed), !isDue(min(durable, committed)) else { return false }
        asked = true
        return true
    }
}
