/// What one member tells another (thesis figures 3.1, 3.8, 5.3; §3.10, §4.2.3, §6.4, §9.6). Any message may be lost, repeated,
/// delayed or overtaken.
package struct Message: Hashable, Sendable {
    package var from: MemberID
    package var to: MemberID
    /// The sender's term; of a pre-vote request, the term that it would stand for.
    package var term: Term
    package var body: Body

    package init(from: MemberID, to: MemberID, term: Term, body: Body) {
        self.from = from
        self.to = to
        self.term = term
        self.body = body
    }

    package enum Body: Hashable, Sendable {
        /// `isTransfer`: the leader asked for this election, so who still hears from it need not refuse.
        case preVote(last: LogPosition)
        case preVoteReply(granted: Bool)
        case vote(last: LogPosition, isTransfer: Bool)
        case voteReply(granted: Bool)
        /// Entries that follow `previous`, without a gap; none: a probe. `commit`: the leader's.
        case append(previous: LogPosition, entries: [EntryHeader], commit: Index)
        /// Durable and equal to the leader's log up to `matched`.
        case appendAccepted(matched: Index)
        /// The log does not hold `previous`. `hint`: the last place at which the logs may agree (fast back-off: the
        /// refusing member's last position at or below `previous` whose term is not above its term).
        case appendRefused(previous: Index, hint: LogPosition)
        /// `round`: numbers the leader's heartbeats; a reply to it proves that this member followed then (thesis §6.4).
        /// `commit` is never above what the receiver is known to hold.
        case heartbeat(round: UInt64, commit: Index)
        case heartbeatReply(round: UInt64)
        /// Asks the leader up to where a linearizable read must wait; `context` is the asking member's number for it.
        case readIndex(context: UInt64)
        /// Nil: ask again; there is no leader here that could prove itself.
        case readIndexReply(context: UInt64, index: Index?)
        /// Leadership transfer: stand for election now (thesis §3.10).
        case timeoutNow
        /// The receiver has the state up to `position` from a snapshot (sent by the caller's transport, not by the core).
        case snapshotInstalled(LogPosition)
    }
}
