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
    /// Where the log was when the tree's durability was asked for, and has not come yet.
    private var askedAt: Index?
    /// The tree's file lags a little behind what is applied; so many entries later it is worth asking once more.
    private static let entriesBetweenRequests: UInt64 = 256
    /// Members that a snapshot is on its way to, and until when those that have got one need what follows it.
    private var receiving: [MemberID] = []
    private var heldUntil: UInt64 = 0
    /// How long a member that has got a snapshot may take to install it and ask for what follows (etcd waits as long).
    private static let installMilliseconds: UInt64 = 30_000
    /// The log must not grow for ever because of one slow member: with so many cuts overdue it is cut all the same.
    private static let overdueMax: UInt64 = 8

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
        guard index > durable else { return }
        durable = index
        askedAt = nil
    }

    mutating func snapshotStarts(to member: MemberID) { if !receiving.contains(member) { receiving.append(member) } }

    mutating func snapshotEnds(to member: MemberID, succeeded: Bool, at now: UInt64) {
        receiving.removeAll { $0 == member }
        if succeeded { heldUntil = now + LogPolicy.installMilliseconds }
    }

    /// The log has begun anew behind a snapshot, which is the tree now.
    mutating func installed(_ index: Index) {
        (cutAt, durable, bytes) = (index, max(durable, index), 0)
    }

    private func isDue(_ end: Index) -> Bool {
        let entries = end.value - min(cutAt.value, end.value)
        return entries > entriesKept && (entries - entriesKept >= entriesBetweenCuts || bytes >= bytesBetweenCuts)
    }

    private func isHeld(_ end: Index, at now: UInt64) -> Bool {
        guard !receiving.isEmpty || now < heldUntil else { return false }
        let entries = end.value - min(cutAt.value, end.value)
        return entries / LogPolicy.overdueMax < entriesBetweenCuts + entriesKept && bytes / Int(LogPolicy.overdueMax) < bytesBetweenCuts
    }

    /// Where to cut now; nil when it is not time, or a member needs what would go.
    mutating func cut(committed: Index, at now: UInt64) -> Index? {
        let end = min(durable, committed)
        guard isDue(end), !isHeld(end, at: now) else { return nil }
        cutAt = Index(end.value - entriesKept)
        bytes = 0
        return cutAt
    }

    /// True when a cut is due and only the tree's durability is missing; not again before something has moved.
    mutating func wantsDurableTree(committed: Index) -> Bool {
        guard isDue(committed), !isDue(min(durable, committed)) else { return false }
        if let askedAt, committed.value < askedAt.value + LogPolicy.entriesBetweenRequests { return false }
        askedAt = committed
        return true
    }
}
