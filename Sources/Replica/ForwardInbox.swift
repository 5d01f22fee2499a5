import Raft

/// What a leader has taken of the proposals that others forward to it, in its present term.
struct ForwardInbox: Sendable {
    private var term: Term = 0
    private var taken: [MemberID: UInt64] = [:]

    enum Verdict { case next, repetition(taken: UInt64), gap }

    mutating func look(_ number: UInt64, from member: MemberID, term current: Term) -> Verdict {
        if term != current {
            taken.removeAll()
            term = current
        }
        let last = taken[member] ?? 0
        if number <= last { return .repetition(taken: last) }
        return ForwardStream.mayFollow(number, last) ? .next : .gap
    }

    mutating func take(_ number: UInt64, from member: MemberID) { taken[member] = number }
}
