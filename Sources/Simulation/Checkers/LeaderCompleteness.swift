import Raft

/// A leader has every entry that was committed in an earlier term (thesis figure 3.2).
package struct LeaderCompleteness {
    /// The furthest committed position seen in each term that committed something, in the order of terms. An observer's term is
    /// never below that in which the entry was committed, so taking it makes the check weaker in rare cases, never wrong.
    private var committed: [(seenIn: Term, position: LogPosition)] = []

    package init() {}

    package mutating func committed(_ position: LogPosition, seenIn term: Term) {
        if let place = committed.firstIndex(where: { $0.seenIn >= term }) {
            if committed[place].seenIn == term {
                if committed[place].position.index < position.index { committed[place].position = position }
            } else {
                committed.insert((term, position), at: place)
            }
        } else {
            committed.append((term, position))
        }
    }

    /// `termAt` is the leader's log: nil before its cut and behind its end.
    package func elected(
        _ member: MemberID, in term: Term, cut: Index, termAt: (Index) -> Term?
    ) throws(Violation) {
        for (_, position) in committed.prefix(while: { $0.seenIn < term }) where position.index > cut {
            guard termAt(position.index) == position.term else {
                throw Violation(
                    "leader completeness",
                    "\(member) leads in term \(term) without entry \(position.index) of term \(position.term), which was committed before")
            }
        }
    }
}
