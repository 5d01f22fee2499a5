import Raft

/// What travels between members on a message stream. `PeerMessageCodec` gives it bytes.
package enum PeerMessage: Equatable, Sendable {
    /// Of the protocol. `payloads` belong, in order, to the entries of an `append`; empty otherwise.
    case raft(Message, payloads: [EntryPayload])
    /// Proposals of a follower's clients for the leader of `term`, which takes `number` only directly after `number - 1` of the same
    /// sender and term (the first is 1): so a repetition after a lost connection is harmless, and a term later they are void.
    case forward(from: MemberID, to: MemberID, term: Term, number: UInt64, payloads: [EntryPayload])
    /// The leader of `term` has put everything up to `number` into its log (or refused it for good).
    case forwarded(from: MemberID, to: MemberID, term: Term, number: UInt64)
    /// What comes of these requests, which are about to be forwarded, is to be told: the sender has no room to see it for itself. For those
    /// whose hello says that they know it, as the next.
    case tell(from: MemberID, to: MemberID, term: Term, requests: [UInt64])
    /// What has come of one.
    case outcome(from: MemberID, to: MemberID, term: Term, request: UInt64, RequestOutcome)

    package var to: MemberID {
        switch self {
        case .raft(let message, _): message.to
        case .forward(_, let to, _, _, _), .forwarded(_, let to, _, _), .tell(_, let to, _, _), .outcome(_, let to, _, _, _): to
        }
    }

    package var from: MemberID {
        switch self {
        case .raft(let message, _): message.from
        case .forward(let from, _, _, _, _), .forwarded(let from, _, _, _), .tell(let from, _, _, _), .outcome(let from, _, _, _, _): from
        }
    }
}
