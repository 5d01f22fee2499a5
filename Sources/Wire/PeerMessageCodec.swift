import Raft

/// Messages between members as bytes, version 1. One begins with a byte for the version and one for its kind, then sender and
/// receiver (words); what follows depends on the kind: terms, indexes and counts as variable-length integers, what looks random
/// as words. Messages follow each other without anything between.
package enum PeerMessageCodec {
    package static let version: UInt8 = 1
    /// Entries or payloads in one message. More are neither written nor read: small entries take several times their bytes in
    /// memory, and a peer must not decide how much of ours it takes.
    package static let entriesMax = 1 << 16
    /// Messages that are read from one string of bytes, for the same reason.
    package static let messagesMax = 1 << 16

    /// The raw values are sent; never renumber.
    enum Kind: UInt8 {
        case preVote = 1
        case preVoteReply = 2
        case vote = 3
        case voteReply = 4
        case append = 5
        case appendAccepted = 6
        case appendRefused = 7
        case heartbeat = 8
        case heartbeatReply = 9
        case readIndex = 10
        case readIndexReply = 11
        case timeoutNow = 12
        case snapshotInstalled = 13
        case forward = 32
        case forwarded = 33
        case tell = 34
        case outcome = 35
    }

    /// The raw values are sent; never renumber.
    enum Change: UInt8 {
        case none = 0
        case addVoter = 1
        case addLearner = 2
        case remove = 3
    }

    /// Not less than what a message takes besides its entries, and what it takes for one besides `EntryPayload.size`.
    package static let messageBytesMax = 128
    package static let entryBytesMax = 64

    /// Not less than the bytes that `message` takes.
    package static func sizeMax(of message: PeerMessage) -> Int {
        switch message {
        case .raft(_, let payloads): payloads.reduce(messageBytesMax) { $0 + $1.size + entryBytesMax }
        case .forward(_, _, _, _, let payloads): payloads.reduce(messageBytesMax) { $0 + $1.size + entryBytesMax }
        case .forwarded: messageBytesMax
        case .tell(_, _, _, let requests): messageBytesMax + 8 * requests.count
        case .outcome(_, _, _, _, let outcome): messageBytesMax + RequestOutcomeCodec.sizeMax(of: outcome)
        }
    }

    /// Whether `encode` takes it: not too many entries, and to each a payload.
    package static func canEncode(_ message: PeerMessage) -> Bool {
        switch message {
        case .raft(let message, let payloads):
            if case .append(_, let entries, _) = message.body {
                return entries.count == payloads.count && entries.count <= entriesMax
            }
            return payloads.isEmpty
        case .forward(_, _, _, _, let payloads): return payloads.count <= entriesMax
        case .tell(_, _, _, let requests): return requests.count <= entriesMax
        case .forwarded, .outcome: return true
        }
    }

    /// - Precondition: `canEncode(message)`; entries of an append follow `previous` without a gap.
    package static func encode(_ message: PeerMessage, into writer: inout ByteWriter) {
        precondition(canEncode(message), "a message that no member would take")
        switch message {
        case .raft(let message, let payloads): encode(message, payloads, into: &writer)
        case .forward(let from, let to, let term, let number, let payloads):
            begin(.forward, from: from, to: to, into: &writer)
            writer.writeVarint(term.value)
            writer.writeVarint(number)
            writer.writeVarint(UInt64(payloads.count))
            for payload in payloads { EntryPayloadCodec.encode(payload, into: &writer) }
        case .forwarded(let from, let to, let term, let number):
            begin(.forwarded, from: from, to: to, into: &writer)
            writer.writeVarint(term.value)
            writer.writeVarint(number)
        case .tell(let from, let to, let term, let requests):
            begin(.tell, from: from, to: to, into: &writer)
            writer.writeVarint(term.value)
            writer.writeVarint(UInt64(requests.count))
            for request in requests { writer.write(request) }
        case .outcome(let from, let to, let term, let request, let outcome):
            begin(.outcome, from: from, to: to, into: &writer)
            writer.writeVarint(term.value)
            writer.write(request)
            RequestOutcomeCodec.encode(outcome, into: &writer)
        }
    }

    private static func begin(_ kind: Kind, from: MemberID, to: MemberID, into writer: inout ByteWriter) {
        writer.write(version)
        writer.write(kind.rawValue)
        writer.write(from.value)
        writer.write(to.value)
    }

    private static func encode(_ message: Message, _ payloads: [EntryPayload], into writer: inout ByteWriter) {
        func begin(_ kind: Kind) {
            Self.begin(kind, from: message.from, to: message.to, into: &writer)
            writer.writeVarint(message.term.value)
        }
        switch message.body {
        case .preVote(let last):
            begin(.preVote)
            write(last, into: &writer)
        case .preVoteReply(let granted):
            begin(.preVoteReply)
            write(granted, into: &writer)
        case .vote(let last, let isTransfer):
            begin(.vote)
            write(last, into: &writer)
            write(isTransfer, into: &writer)
        case .voteReply(let granted):
            begin(.voteReply)
            write(granted, into: &writer)
        case .append(let previous, let entries, let commit):
            begin(.append)
            write(previous, into: &writer)
            writer.writeVarint(commit.value)
            write(entries, payloads, after: previous.index, into: &writer)
        case .appendAccepted(let matched):
            begin(.appendAccepted)
            writer.writeVarint(matched.value)
        case .appendRefused(let previous, let hint):
            begin(.appendRefused)
            writer.writeVarint(previous.value)
            write(hint, into: &writer)
        case .heartbeat(let round, let commit):
            begin(.heartbeat)
            writer.writeVarint(round)
            writer.writeVarint(commit.value)
        case .heartbeatReply(let round):
            begin(.heartbeatReply)
            writer.writeVarint(round)
        case .readIndex(let context):
            begin(.readIndex)
            writer.write(context)
        case .readIndexReply(let context, let index):
            begin(.readIndexReply)
            writer.write(context)
            write(index != nil, into: &writer)
            if let index { writer.writeVarint(index.value) }
        case .timeoutNow: begin(.timeoutNow)
        case .snapshotInstalled(let position):
            begin(.snapshotInstalled)
            write(position, into: &writer)
        }
    }

    private static func write(_ flag: Bool, into writer: inout ByteWriter) { writer.write(flag ? UInt8(1) : 0) }

    private static func write(_ position: LogPosition, into writer: inout ByteWriter) {
        writer.writeVarint(position.index.value)
        writer.writeVarint(position.term.value)
    }

    /// An entry's index is not sent: it follows from its place.
    private static func write(
        _ entries: [EntryHeader], _ payloads: [EntryPayload], after previous: Index, into writer: inout ByteWriter
    ) {
        writer.writeVarint(UInt64(entries.count))
        var index = previous
        for (entry, payload) in zip(entries, payloads) {
            index = index.next
            precondition(entry.position.index == index, "a gap between the entries of a message")
            writer.writeVarint(entry.position.term.value)
            switch entry.change {
            case .none: writer.write(Change.none.rawValue)
            case .addVoter(let member): write(.addVoter, member, into: &writer)
            case .addLearner(let member): write(.addLearner, member, into: &writer)
            case .remove(let member): write(.remove, member, into: &writer)
            }
            EntryPayloadCodec.encode(payload, into: &writer)
        }
    }

    private static func write(_ change: Change, _ member: MemberID, into writer: inout ByteWriter) {
        writer.write(change.rawValue)
        writer.write(member.value)
    }
}
