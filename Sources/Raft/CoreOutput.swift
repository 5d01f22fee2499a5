/// What must happen because of the inputs so far. The caller carries it out in the order of the fields, empties and reuses it.
package struct CoreOutput: Sendable {
    /// At most one a step; everything in it becomes durable together, then `PersistTicket` comes back.
    package var persist: PersistOrder?
    /// These may leave at once.
    package var send: [Message] = []
    /// Everything up to here is committed and durable here: apply it. Set when it moved.
    package var committed: Index?
    /// Reads that may be answered as soon as everything up to the index is applied.
    package var readsReleased: [(context: UInt64, index: Index)] = []
    /// Reads for which no leader could be had in time, or whose leader was lost: the caller may ask again.
    package var readsFailed: [UInt64] = []
    /// Places for the proposals of the step, in order; nil when they were refused.
    package var appended: ClosedRange<Index>?
    package var refusal: ProposalRefusal?
    /// This member needs the state itself: its next entry is no longer in the log. Repeated only after `snapshotSent`.
    package var needSnapshot: [MemberID] = []
    /// Replace state and log by the snapshot that was reported received; the answer is `CoreInput.snapshotInstalled`.
    package var installSnapshot: LogPosition?
    /// The snapshot that was reported received is not wanted.
    package var dropSnapshot: LogPosition?
    package var notices: [CoreNotice] = []

    package init() {}
}

/// What goes to the log in one transaction: first the hard state, then the removal of a conflicting tail, then entries.
package struct PersistOrder: Sendable {
    package var ticket: PersistTicket
    package var hardState: HardState?
    /// Entries from here on are removed first; they are not committed.
    package var truncateFrom: Index?
    /// In order, without a gap. Their payloads are those of the step's proposals, or of the message that it received, or empty.
    package var entries: [EntryHeader] = []
    /// Once durable, these are committed by that alone, so whoever writes the log may hand them on to be applied without
    /// coming back first: this member leads and is the only voter.
    package var durableIsCommitted = false
    /// These may leave only when the order is durable: they promise it.
    package var sendAfter: [Message] = []

    package init(ticket: PersistTicket) { self.ticket = ticket }
}

package enum ProposalRefusal: Hashable, Sendable {
    /// Ask `leader`, if it is not `.none`.
    case notLeader(MemberID)
    /// A configuration change while another is on its way, or before an entry of this term is committed (thesis §4.1 and
    /// Ongaro's correction of 2015).
    case changePending
    /// Leadership is being handed over.
    case transferring
    /// This leader could not make them durable, and looks for another one.
    case noRoom
}

package enum CoreNotice: Hashable, Sendable {
    case preVoteStarted(Term)
    case electionStarted(Term)
    case becameLeader(Term)
    case becameFollower(Term, leader: MemberID)
    /// The leader of the term is known or lost (`.none`).
    case leaderChanged(Term, MemberID)
    /// Check-quorum: a leader that hears from no majority steps down (thesis §6.2).
    case lostQuorum(Term)
    case configurationChanged(Configuration, at: Index)
    case transferStarted(to: MemberID)
    case transferFailed(to: MemberID)
}
