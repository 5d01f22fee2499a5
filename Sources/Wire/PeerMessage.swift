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

    package var to: MemberID {
        switch self {
        case .raft(let message, _): message.to
        case .forward(_, let to, _, _, _), .forwarded(_, let to, _, _): to
        }
    }

    package var from: MemberID {
        switch self {
        case .raft(let message, _): message.from
        case .forward(let from, _, _, _, _), .forwarded(let from, _, _, _): from
        }
    }
}
