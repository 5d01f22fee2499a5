import Raft

/// Which members a snapshot is on its way to, or has come to and they need what follows it: the log is held for them.
///
///     starts ──> on its way ──> arrived ──> has caught up
///                    │              └ silent for 30 s: given up
///                    └ failed: given up
///
/// The log must not grow for ever because of one slow member: when it has grown by so many cuts since the snapshot was begun, it is cut all
/// the same, and the member needs another one. So that this comes in time, the log may grow twice as long for the next, up to a bound: whoever
/// takes less than that for a copy catches up.
struct SnapshotHold: Sendable {
    /// Where the log was when a snapshot was begun.
    struct Start: Sendable {
        var index: Index
        var written: Int
    }

    private var sending: [MemberID: Start] = [:]
    private var arrived: [MemberID: (start: Start, matched: Index, until: UInt64)] = [:]
    /// So many cuts may be overdue.
    private(set) var factor = factorMin

    static let factorMin: UInt64 = 8
    static let factorMax: UInt64 = 256
    /// How long a member that has got a snapshot may take to install it, and to go on from there (etcd waits as long).
    static let silentMilliseconds: UInt64 = 30_000

    var following: [MemberID] { Array(arrived.keys) }

    /// Where the first of those was begun that the log is held for; nil: nobody needs it.
    var since: Start? {
        (sending.values.map(\.self) + arrived.values.map(\.start)).min { $0.index < $1.index }
    }

    mutating func starts(_ member: MemberID, at index: Index, written: Int) {
        arrived[member] = nil
        sending[member] = Start(index: index, written: written)
    }

    mutating func ends(_ member: MemberID, _ succeeded: Bool, at now: UInt64) {
        guard let start = sending.removeValue(forKey: member), succeeded else { return }
        arrived[member] = (start, 0, now + Self.silentMilliseconds)
    }

    /// Who has caught up with `target`, or is silent for too long, needs nothing any more.
    mutating func update(_ target: Index, at now: UInt64, matched: [MemberID: Index]) {
        for (member, state) in arrived {
            let index = matched[member]
            if let index, index >= target {
                arrived[member] = nil
                if since == nil { factor = Self.factorMin }
            } else if let index, index > state.matched {
                arrived[member] = (state.start, index, now + Self.silentMilliseconds)
            } else if now >= state.until {
                arrived[member] = nil
            }
        }
    }

    /// What was begun comes too late, whatever becomes of it.
    mutating func giveUp() {
        sending.removeAll()
        arrived.removeAll()
        factor = min(factor * 2, Self.factorMax)
    }
}
