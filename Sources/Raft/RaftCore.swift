/// One member's view of the Raft protocol, as a state machine: inputs in, outputs out; no clock, disk, socket,
/// thread or random source. It works on positions and never holds a payload.
///
/// This version knows one voter, itself: elections, the no-op of a new term, commitment by durability and reads
/// follow the thesis for a cluster of one.
package struct RaftCore: Sendable {
    package enum Role: Sendable { case follower, candidate, leader }

    package let id: MemberID
    package private(set) var role = Role.follower
    /// Invariant: never falls; whatever left this member in a term was durable with it.
    package private(set) var term: Term
    package private(set) var vote: MemberID
    /// Invariant: committed <= durable <= last.
    package private(set) var committed: Index
    package private(set) var durable: Index
    package private(set) var last: LogPosition

    /// The first index of the current term: a leader commits only from here on (thesis §3.6.2).
    private var firstOfTerm: Index = 0
    /// The term that was handed out to be made durable, and the one that is.
    private var durableTerm: Term

    /// A member that starts from what its disk holds: everything up to `last` is durable.
    package init(id: MemberID, hardState: HardState, last: LogPosition, applied: Index) {
        self.id = id
        self.term = max(hardState.term, last.term)
        self.durableTerm = self.term
        self.vote = hardState.vote
        self.last = last
        self.durable = last.index
        self.committed = min(max(hardState.commit, applied), last.index)
    }

    package enum Input: Sendable {
        /// The only voter has nobody to wait for: it stands for election at once.
        case campaign
        /// `count` payloads want places in the log, in this order.
        case proposed(count: Int)
        /// The hard state of `term` and all entries up to `upTo` are on disk.
        case persisted(term: Term, upTo: Index)
    }

    /// What must happen because of the inputs so far. The caller empties and reuses it.
    package struct Output: Sendable {
        /// Term and vote to be made durable, before anything of that term.
        package var hardState: HardState?
        /// An empty entry that opens the term, if one was appended.
        package var emptyEntry: LogPosition?
        /// Places for the proposals, in order; nil when they were refused because this member does not lead.
        package var appended: ClosedRange<Index>?
        /// True: this member leads and is the only voter, so what it makes durable is committed by that alone, and whoever
        /// writes the log may pass the entries on to be applied without coming back here first.
        package var durableIsCommitted = false
        package var refused = 0
        /// The commit index, when it moved.
        package var committed: Index?
        package var becameLeader = false

        package init() {}
    }

    package mutating func step(_ input: Input, into output: inout Output) {
        switch input {
        case .campaign: campaign(into: &output)
        case .proposed(let count): append(count, into: &output)
        case .persisted(let term, let upTo): acknowledge(term, upTo, into: &output)
        }
        checkInvariants()
    }

    /// Thesis §3.4: a new term, a vote for oneself, and both on disk before they count.
    private mutating func campaign(into output: inout Output) {
        guard role != .leader else { return }
        term = term.next
        vote = id
        role = .candidate
        output.hardState = HardState(term: term, vote: vote, commit: committed)
    }

    private mutating func append(_ count: Int, into output: inout Output) {
        guard role == .leader, count > 0 else {
            output.refused += count
            return
        }
        let first = last.index.next
        last = LogPosition(index: Index(last.index.value + UInt64(count)), term: term)
        output.appended = first...last.index
        output.durableIsCommitted = true
    }

    private mutating func acknowledge(_ persistedTerm: Term, _ upTo: Index, into output: inout Output) {
        durableTerm = max(durableTerm, persistedTerm)
        durable = max(durable, min(upTo, last.index))
        if role == .candidate, durableTerm == term {
            // Its own vote is a majority of one.
            role = .leader
            last = LogPosition(index: last.index.next, term: term)
            firstOfTerm = last.index
            output.becameLeader = true
            output.emptyEntry = last
            output.durableIsCommitted = true
        }
        // Entries of older terms are committed only by way of one of the leader's own (thesis §3.6.2, figure 3.7).
        if role == .leader, durable >= firstOfTerm, durable > committed {
            committed = durable
            output.committed = committed
        }
    }

    private func checkInvariants() {
        precondition(committed <= durable && durable <= last.index, "raft: committed <= durable <= last")
        precondition(durableTerm <= term && last.term <= term, "raft: terms never fall")
    }
}
