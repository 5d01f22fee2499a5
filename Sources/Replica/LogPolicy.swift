import Raft

/// When the log is cut: after so many entries or bytes, and only behind what the tree holds durably.
///
/// A member that is given a snapshot needs what follows it, so the log is held meanwhile and until that member has caught up
/// (`SnapshotHold`), but not for ever.
package struct LogPolicy: Sendable {
    /// Entries between two cuts (`--snapshot-count`).
    private let entriesBetweenCuts: UInt64
    /// Bytes of payload between two cuts, whatever their number.
    private let bytesBetweenCuts: Int
    /// What is kept behind the durable tree, for peers that are a little behind, and for reading: so many entries, but of large ones fewer.
    private let entriesKept: UInt64
    private let bytesKept: Int
    private var cutAt: Index
    private var durable: Index
    private var sizes: LogSizes
    /// Where the log was when the tree's durability was asked for, and has not come yet.
    private var askedAt: Index?
    private var hold = SnapshotHold()
    /// Nothing has come for a while: then no more than what is kept should take up space.
    private var isAtRest = false
    /// The tree's file lags a little behind what is applied; so many entries later it is worth asking once more.
    private static let entriesBetweenRequests: UInt64 = 256

    /// - Parameters:
    ///   - last: where the log ends.
    ///   - bytes: what it holds.
    package init(
        entriesBetweenCuts: UInt64, bytesBetweenCuts: Int = 64 << 20, entriesKept: UInt64 = 5000, bytesKept: Int = 64 << 20,
        cutAt: Index, durable: Index, last: Index = 0, bytes: Int = 0
    ) {
        self.entriesBetweenCuts = entriesBetweenCuts
        self.bytesBetweenCuts = bytesBetweenCuts
        self.entriesKept = entriesKept
        self.bytesKept = bytesKept
        self.cutAt = cutAt
        self.durable = durable
        sizes = LogSizes(bytes: bytes, last: last, bytesPerMark: bytesKept / 64)
    }

    /// So many bytes were written, and the log is durable up to `index`.
    package mutating func grew(bytes: Int, upTo index: Index) {
        isAtRest = false
        sizes.grew(bytes: bytes, upTo: index)
    }

    package mutating func treeIsDurable(upTo index: Index, isAtRest: Bool = false) {
        self.isAtRest = isAtRest
        guard index > durable else { return }
        durable = index
        askedAt = nil
    }

    mutating func snapshotStarts(to member: MemberID) {
        hold.starts(member, at: durable, written: sizes.written)
    }

    mutating func snapshotEnds(to member: MemberID, succeeded: Bool, at now: UInt64) { hold.ends(member, succeeded, at: now) }

    /// The log has begun anew behind a snapshot, which is the tree now.
    mutating func installed(_ index: Index) {
        (cutAt, durable) = (index, max(durable, index))
        sizes.reset(at: index)
        hold = SnapshotHold()
    }

    /// Members that have got a snapshot and may need what follows it.
    var heldFor: [MemberID] { hold.following }

    /// Where a cut goes that leaves what is kept behind `end`; nil when it is not time for one.
    private func due(_ end: Index) -> Index? {
        let entries = end.value - min(cutAt.value, end.value)
        var target = entries > entriesKept ? Index(end.value - entriesKept) : cutAt
        if let large = sizes.newest(with: bytesKept) { target = max(target, min(large, end)) }
        guard target > cutAt else { return nil }
        let count = target.value - cutAt.value
        return count >= entriesBetweenCuts || sizes.bytes >= bytesBetweenCuts || isAtRest && count >= max(1, entriesKept / 4) ? target : nil
    }

    /// Where to cut now; nil when it is not time, or a member needs what would go.
    ///
    /// - Parameter matched: of the members in `heldFor`, up to where their logs are known to agree with this one.
    mutating func cut(committed: Index, at now: UInt64, matched: [MemberID: Index] = [:]) -> Index? {
        guard let target = due(min(durable, committed)) else { return nil }
        hold.update(target, at: now, matched: matched)
        if let since = hold.since {
            let entries = target.value - min(since.index.value, target.value)
            let bytes = sizes.written - since.written
            let factor = hold.factor
            if entries / factor < entriesBetweenCuts + entriesKept, bytes / Int(factor) < bytesBetweenCuts { return nil }
            hold.giveUp()
        }
        cutAt = target
        sizes.cut(at: target)
        return target
    }

    /// True when a cut is due and only the tree's durability is missing; not again before something has moved.
    mutating func wantsDurableTree(committed: Index) -> Bool {
        guard due(committed) != nil, due(min(durable, committed)) == nil else { return false }
        if let askedAt, committed.value < askedAt.value + LogPolicy.entriesBetweenRequests { return false }
        askedAt = committed
        return true
    }
}
