import Raft

/// How long a member that refused a snapshot waits for the next one.
///
/// Each try costs a copy of the whole tree and its way to the member. One whose version is older than the tree's schema refuses them all
/// until it is replaced; it connects anew then, and is not kept waiting.
struct SnapshotPatience {
    private var refusals: [MemberID: Int] = [:]

    private static let secondsMax: Int64 = 60

    /// Seconds until the next try. The first refusal may be a matter of moments: the member has caught up, or takes another one.
    mutating func refused(by member: MemberID) -> Int64 {
        let before = refusals[member, default: 0]
        refusals[member] = before + 1
        return before == 0 ? 0 : min(1 << Int64(min(before - 1, 6)), Self.secondsMax)
    }

    /// It is another process, or has taken one.
    mutating func forget(_ member: MemberID) { refusals[member] = nil }
}
