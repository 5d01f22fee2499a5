import Keyspace
import Raft
import Wire

/// All checkers of a run, and the first thing that they found.
package final class SafetyChecks {
    private var elections = ElectionSafety()
    private var logs = LogMatching()
    private var states = StateMachineSafety()
    private var completeness = LeaderCompleteness()
    private var acknowledgements = Acknowledgements()
    package private(set) var violation: Violation? { didSet { isWell = violation == nil } }
    package private(set) var isWell = true
    package private(set) var digest = Digest()

    package init() {}

    package func report(_ property: String, _ text: String) {
        if isWell { violation = Violation(property, text) }
    }

    private func check(_ body: () throws(Violation) -> Void) {
        guard isWell else { return }
        do { try body() } catch { violation = error }
    }

    /// Not with a list of any length: that would be an array for each message.
    package func note(_ one: UInt64, _ two: UInt64 = 0, _ three: UInt64 = 0, _ four: UInt64 = 0) {
        digest.add(one)
        digest.add(two)
        digest.add(three)
        digest.add(four)
    }
    package func note(_ text: String) { digest.add(text) }

    package var applied: Index { states.last }
    package var acknowledged: Int { acknowledgements.count }
    package func term(at index: Index) -> Term? { states.term(at: index) }

    package func led(_ member: MemberID, in term: Term, cut: Index, termAt: (Index) -> Term?) {
        check { () throws(Violation) in
            try elections.led(member, in: term)
            try completeness.elected(member, in: term, cut: cut, termAt: termAt)
        }
        note(1, member.value, term.value)
    }

    package func voted(_ member: MemberID, for candidate: MemberID, in term: Term) {
        check { () throws(Violation) in try elections.voted(member, for: candidate, in: term) }
    }

    /// Its disk is an older one: what it promised since counts no more.
    package func forgot(_ member: MemberID) {
        elections.forgot(member)
        note(11, member.value)
    }

    package func wrote(_ entry: LogEntry, behind previous: Term, by member: MemberID) {
        check { () throws(Violation) in try logs.wrote(entry, behind: previous, by: member) }
    }

    package func committed(_ position: LogPosition, seenIn term: Term) { completeness.committed(position, seenIn: term) }

    package func applied(_ entry: LogEntry, hash: StateHash, by member: MemberID) {
        check { () throws(Violation) in
            try states.applied(entry, hash: hash, by: member)
            try acknowledgements.applied(entry, by: member)
        }
        note(2, member.value, entry.index.value, hash.low)
    }

    package func installed(_ position: LogPosition, hash: StateHash, by member: MemberID) {
        check { () throws(Violation) in try states.installed(position, hash: hash, by: member) }
        note(3, member.value, position.index.value, hash.low)
    }

    package func acknowledged(_ request: UInt64, at index: Index) {
        check { () throws(Violation) in try acknowledgements.acknowledged(request, at: index) }
        note(4, request, index.value)
    }

    /// A member has said that it will never propose it.
    package func refused(_ request: UInt64) {
        check { () throws(Violation) in try acknowledgements.refused(request) }
        note(9, request)
    }

    package func atTheEnd() { check { () throws(Violation) in try acknowledgements.atTheEnd(applied: states.last) } }
}
