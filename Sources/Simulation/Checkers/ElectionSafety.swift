import Raft

/// At most one member leads in a term, and nobody votes for two in one (thesis figure 3.2, §3.4).
package struct ElectionSafety {
    private var leaders: [Term: MemberID] = [:]
    private var votes: [Vote: MemberID] = [:]

    private struct Vote: Hashable {
        var member: MemberID
        var term: Term
    }

    package init() {}

    package mutating func led(_ member: MemberID, in term: Term) throws(Violation) {
        if let other = leaders[term], other != member {
            throw Violation("election safety", "\(other) and \(member) both lead in term \(term)")
        }
        leaders[term] = member
    }

    /// A granted vote has left a member.
    package mutating func voted(_ member: MemberID, for candidate: MemberID, in term: Term) throws(Violation) {
        let vote = Vote(member: member, term: term)
        if let other = votes[vote], other != candidate {
            throw Violation("election safety", "\(member) voted for \(other) and for \(candidate) in term \(term)")
        }
        votes[vote] = candidate
    }
}
