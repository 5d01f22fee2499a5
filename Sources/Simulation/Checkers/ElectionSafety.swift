import Raft

/// At most one member leads in a term, and nobody votes for two in one (thesis figure 3.2, §3.4).
package struct ElectionSafety {
    private var leaders: [Term: MemberID] = [:]
    private var votes: [MemberID: [Term: MemberID]] = [:]

    package init() {}

    package mutating func led(_ member: MemberID, in term: Term) throws(Violation) {
        if let other = leaders[term], other != member {
            throw Violation("election safety", "\(other) and \(member) both lead in term \(term)")
        }
        leaders[term] = member
    }

    /// A granted vote has left a member.
    package mutating func voted(_ member: MemberID, for candidate: MemberID, in term: Term) throws(Violation) {
        if let other = votes[member]?[term], other != candidate {
            throw Violation("election safety", "\(member) voted for \(other) and for \(candidate) in term \(term)")
        }
        votes[member, default: [:]][term] = candidate
    }

    /// The member does not know how it has voted. That nobody leads because of a second vote is still checked.
    package mutating func forgot(_ member: MemberID) { votes[member] = nil }
}
