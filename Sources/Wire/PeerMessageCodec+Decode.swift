import Raft

/// From bytes to messages. The bytes are a stranger's: any may come, and what is no message is nil.
extension PeerMessageCodec {
    /// All messages from `start` to the end; nil when one of them is none of this version, or there are too many.
    package static func decode(_ bytes: [UInt8], from start: Int = 0) -> [PeerMessage]? {
        var reader = ByteReader(bytes, from: start)
        var messages: [PeerMessage] = []
        while !reader.isAtEnd {
            guard messages.count < messagesMax, let message = decode(from: &reader) else { return nil }
            messages.append(message)
        }
        return messages
    }

    package static func decode(from reader: inout ByteReader) -> PeerMessage? {
        guard reader.readByte() == version, let kind = reader.readByte().flatMap({ Kind(rawValue: $0) }),
            let from = reader.readWord().map({ MemberID($0) }), let to = reader.readWord().map({ MemberID($0) }),
            let term = reader.readVarint().map({ Term($0) })
        else { return nil }
        switch kind {
        case .forward:
            guard let number = reader.readVarint(), let payloads = readPayloads(from: &reader) else { return nil }
            return .forward(from: from, to: to, term: term, number: number, payloads: payloads)
        case .forwarded:
            guard let number = reader.readVarint() else { return nil }
            return .forwarded(from: from, to: to, term: term, number: number)
        case .tell:
            guard let count = readCount(from: &reader, bytesMin: 8) else { return nil }
            var requests: [UInt64] = []
            for _ in 0..<count {
                guard let request = reader.readWord() else { return nil }
                requests.append(request)
            }
            return .tell(from: from, to: to, term: term, requests: requests)
        case .outcome:
            guard let request = reader.readWord(), let outcome = RequestOutcomeCodec.decode(from: &reader) else { return nil }
            return .outcome(from: from, to: to, term: term, request: request, outcome)
        case .append:
            guard let (body, payloads) = readAppend(from: &reader) else { return nil }
            return .raft(Message(from: from, to: to, term: term, body: body), payloads: payloads)
        case .preVote, .preVoteReply, .vote, .voteReply, .appendAccepted, .appendRefused, .heartbeat, .heartbeatReply,
            .readIndex, .readIndexReply, .timeoutNow, .snapshotInstalled:
            guard let body = readBody(of: kind, from: &reader) else { return nil }
            return .raft(Message(from: from, to: to, term: term, body: body), payloads: [])
        }
    }

    /// The bodies without payloads.
    private static func readBody(of kind: Kind, from reader: inout ByteReader) -> Message.Body? {
        switch kind {
        case .preVote: return readPosition(from: &reader).map { .preVote(last: $0) }
        case .preVoteReply: return readBool(from: &reader).map { .preVoteReply(granted: $0) }
        case .vote:
            guard let last = readPosition(from: &reader), let isTransfer = readBool(from: &reader) else { return nil }
            return .vote(last: last, isTransfer: isTransfer)
        case .voteReply: return readBool(from: &reader).map { .voteReply(granted: $0) }
        case .appendAccepted: return reader.readVarint().map { .appendAccepted(matched: Index($0)) }
        case .appendRefused:
            guard let previous = reader.readVarint(), let hint = readPosition(from: &reader) else { return nil }
            return .appendRefused(previous: Index(previous), hint: hint)
        case .heartbeat:
            guard let round = reader.readVarint(), let commit = reader.readVarint() else { return nil }
            return .heartbeat(round: round, commit: Index(commit))
        case .heartbeatReply: return reader.readVarint().map { .heartbeatReply(round: $0) }
        case .readIndex: return reader.readWord().map { .readIndex(context: $0) }
        case .readIndexReply:
            guard let context = reader.readWord(), let hasIndex = readBool(from: &reader) else { return nil }
            guard hasIndex else { return .readIndexReply(context: context, index: nil) }
            return reader.readVarint().map { .readIndexReply(context: context, index: Index($0)) }
        case .timeoutNow: return .timeoutNow
        case .snapshotInstalled: return readPosition(from: &reader).map { .snapshotInstalled($0) }
        case .append, .forward, .forwarded, .tell, .outcome: return nil
        }
    }

    private static func readAppend(from reader: inout ByteReader) -> (Message.Body, [EntryPayload])? {
        // One entry: a term, a change, a payload.
        let entryBytesMin = 2 + EntryPayloadCodec.bytesMin
        guard let previous = readPosition(from: &reader), let commit = reader.readVarint(),
            let count = readCount(from: &reader, bytesMin: entryBytesMin),
            // The last index must be a number, and have one behind it.
            previous.index.value < .max - UInt64(count)
        else { return nil }
        var entries: [EntryHeader] = []
        var payloads: [EntryPayload] = []
        entries.reserveCapacity(count)
        payloads.reserveCapacity(count)
        var index = previous.index
        for _ in 0..<count {
            index = index.next
            guard let term = reader.readVarint(), let change = readChange(from: &reader),
                let payload = EntryPayloadCodec.decode(from: &reader)
            else { return nil }
            entries.append(EntryHeader(position: LogPosition(index: index, term: Term(term)), change: change.value))
            payloads.append(payload)
        }
        return (.append(previous: previous, entries: entries, commit: Index(commit)), payloads)
    }

    private static func readPayloads(from reader: inout ByteReader) -> [EntryPayload]? {
        guard let count = readCount(from: &reader, bytesMin: EntryPayloadCodec.bytesMin) else { return nil }
        var payloads: [EntryPayload] = []
        payloads.reserveCapacity(count)
        for _ in 0..<count {
            guard let payload = EntryPayloadCodec.decode(from: &reader) else { return nil }
            payloads.append(payload)
        }
        return payloads
    }

    /// A count of things of at least `bytesMin` bytes; nil when they cannot all be there. Nothing is reserved before.
    private static func readCount(from reader: inout ByteReader, bytesMin: Int) -> Int? {
        guard let count = reader.readVarint(), count <= UInt64(entriesMax), Int(count) <= reader.remaining / bytesMin
        else { return nil }
        return Int(count)
    }

    private static func readPosition(from reader: inout ByteReader) -> LogPosition? {
        guard let index = reader.readVarint(), let term = reader.readVarint() else { return nil }
        return LogPosition(index: Index(index), term: Term(term))
    }

    private static func readBool(from reader: inout ByteReader) -> Bool? {
        switch reader.readByte() {
        case 0: false
        case 1: true
        default: nil
        }
    }

    /// Boxed, because "no change" and "no bytes" differ.
    private static func readChange(from reader: inout ByteReader) -> (value: ConfigurationChange?, Void)? {
        guard let change = reader.readByte().flatMap({ Change(rawValue: $0) }) else { return nil }
        if change == .none { return (nil, ()) }
        guard let member = reader.readWord().map({ MemberID($0) }) else { return nil }
        switch change {
        case .none: return (nil, ())
        case .addVoter: return (.addVoter(member), ())
        case .addLearner: return (.addLearner(member), ())
        case .remove: return (.remove(member), ())
        }
    }
}
