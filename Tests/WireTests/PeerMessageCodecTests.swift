import Raft
import TestSupport
import Testing
import Wire

@Suite("Messages between members as bytes")
struct PeerMessageCodecTests {
    private static let from = MemberID(0x0102_0304_0506_0708)
    private static let to = MemberID(0xa)
    private static let ends = "0807060504030201" + "0a00000000000000"
    private static let payload = EntryPayload(
        rawKind: 1, version: 1, operation: 2, path: [0x2f, 0x61], value: [0x76], options: [], time: -2, client: [0x63],
        request: 0x1122)
    private static let payloadText = "010102" + "022f61" + "0176" + "00" + "feffffffffffffff" + "0163" + "2211000000000000"

    private static func raft(_ body: Message.Body, _ payloads: [EntryPayload] = []) -> PeerMessage {
        .raft(Message(from: from, to: to, term: 300, body: body), payloads: payloads)
    }

    private static func position(_ index: UInt64, _ term: UInt64) -> LogPosition {
        LogPosition(index: Index(index), term: Term(term))
    }

    private static func bytes(of message: PeerMessage) -> [UInt8] {
        var writer = ByteWriter()
        PeerMessageCodec.encode(message, into: &writer)
        return writer.bytes
    }

    private static func hex(_ bytes: [UInt8]) -> String {
        bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }

    @Test(
        "Golden bytes of every kind",
        arguments: [
            (raft(.preVote(last: position(5, 3))), "0101" + ends + "ac02" + "0503"),
            (raft(.preVoteReply(granted: true)), "0102" + ends + "ac02" + "01"),
            (raft(.vote(last: position(200, 3), isTransfer: true)), "0103" + ends + "ac02" + "c80103" + "01"),
            (raft(.voteReply(granted: false)), "0104" + ends + "ac02" + "00"),
            (raft(.append(previous: position(4, 2), entries: [], commit: 3)), "0105" + ends + "ac02" + "0402" + "03" + "00"),
            (
                raft(
                    .append(
                        previous: position(4, 2),
                        entries: [
                            EntryHeader(position: position(5, 2)),
                            EntryHeader(position: position(6, 300), change: .addVoter(MemberID(7))),
                        ], commit: 3), [payload, payload]),
                "0105" + ends + "ac02" + "0402" + "03" + "02" + "0200" + payloadText + "ac02" + "010700000000000000"
                    + payloadText
            ),
            (raft(.appendAccepted(matched: 9)), "0106" + ends + "ac02" + "09"),
            (raft(.appendRefused(previous: 9, hint: position(8, 1))), "0107" + ends + "ac02" + "09" + "0801"),
            (raft(.heartbeat(round: 1, commit: 2)), "0108" + ends + "ac02" + "0102"),
            (raft(.heartbeatReply(round: 1)), "0109" + ends + "ac02" + "01"),
            (raft(.readIndex(context: 3)), "010a" + ends + "ac02" + "0300000000000000"),
            (raft(.readIndexReply(context: 3, index: nil)), "010b" + ends + "ac02" + "0300000000000000" + "00"),
            (raft(.readIndexReply(context: 3, index: 4)), "010b" + ends + "ac02" + "0300000000000000" + "0104"),
            (raft(.timeoutNow), "010c" + ends + "ac02"),
            (raft(.snapshotInstalled(position(8, 1))), "010d" + ends + "ac02" + "0801"),
            (
                .forward(from: from, to: to, term: 1, number: 2, payloads: [payload]),
                "0120" + ends + "01" + "02" + "01" + payloadText
            ),
            (.forwarded(from: from, to: to, term: 1, number: 2), "0121" + ends + "01" + "02"),
            (.tell(from: from, to: to, term: 1, requests: [2, 3]), "0122" + ends + "01" + "02" + "0200000000000000" + "0300000000000000"),
            (.outcome(from: from, to: to, term: 1, request: 2, .diskFull), "0123" + ends + "01" + "0200000000000000" + "04"),
        ])
    func golden(message: PeerMessage, text: String) {
        let bytes = Self.bytes(of: message)
        #expect(Self.hex(bytes) == text)
        #expect(PeerMessageCodec.decode(bytes) == [message])
        #expect(PeerMessageCodec.sizeMax(of: message) >= bytes.count)
        #expect(message.from == Self.from && message.to == Self.to)
        for count in 0..<bytes.count where count > 0 { #expect(PeerMessageCodec.decode(Array(bytes[..<count])) == nil) }
    }

    @Test("Any messages come back as they went, many in one string of bytes", arguments: 1...20)
    func roundTrip(seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        let messages = (0..<40).map { _ in RandomMessages.next(&generator) }
        var writer = ByteWriter()
        writer.write(UInt8(0xee))
        for message in messages {
            let before = writer.count
            PeerMessageCodec.encode(message, into: &writer)
            #expect(writer.count - before <= PeerMessageCodec.sizeMax(of: message), "seed \(seed)")
        }
        #expect(PeerMessageCodec.decode(writer.bytes, from: 1) == messages, "seed \(seed)")
    }

    @Test("Counts and indexes that cannot be are refused before anything is reserved")
    func hostileCounts() {
        let head = Array(Self.bytes(of: Self.raft(.append(previous: Self.position(4, 2), entries: [], commit: 3))).dropLast())
        for count: UInt64 in [1, 4, 1 << 16, 1 << 32, UInt64(Int.max), .max] {
            var writer = ByteWriter()
            writer.writeVarint(count)
            #expect(PeerMessageCodec.decode(head + writer.bytes) == nil, "\(count)")
            #expect(PeerMessageCodec.decode(head + writer.bytes + [UInt8](repeating: 0, count: 24)) == nil, "\(count)")
        }
        // More entries than may be, all of them there.
        let tooMany = PeerMessageCodec.entriesMax + 1
        var writer = ByteWriter()
        writer.writeVarint(UInt64(tooMany))
        #expect(PeerMessageCodec.decode(head + writer.bytes + [UInt8](repeating: 0, count: tooMany * 25)) == nil)

        // An index beyond the last one.
        let entry = EntryHeader(position: Self.position(.max - 1, 2))
        let last = Self.raft(.append(previous: Self.position(.max - 2, 2), entries: [entry], commit: 3), [Self.payload])
        #expect(PeerMessageCodec.decode(Self.bytes(of: last)) == [last])
        var bytes = Self.bytes(of: last)
        bytes[20] = 0xff
        #expect(PeerMessageCodec.decode(bytes) == nil)
    }

    @Test("Other versions, kinds, flags and changes are refused")
    func refused() {
        let good = Self.bytes(of: Self.raft(.preVoteReply(granted: true)))
        for (place, byte): (Int, UInt8) in [(0, 0), (0, 2), (1, 0), (1, 14), (1, 36), (good.count - 1, 2)] {
            var bytes = good
            bytes[place] = byte
            #expect(PeerMessageCodec.decode(bytes) == nil, "\(byte) at \(place)")
        }
        #expect(PeerMessageCodec.decode(good + [0]) == nil)
        #expect(PeerMessageCodec.decode([]) == [])
        #expect(PeerMessageCodec.decode(good, from: good.count + 5) == [])
        #expect(PeerMessageCodec.decode(good, from: -1) == PeerMessageCodec.decode(good))
    }

    @Test("What has payloads without entries, or too many, is not for the wire")
    func notForTheWire() {
        #expect(!PeerMessageCodec.canEncode(Self.raft(.timeoutNow, [Self.payload])))
        let many = [EntryPayload](repeating: .empty, count: PeerMessageCodec.entriesMax + 1)
        #expect(!PeerMessageCodec.canEncode(.forward(from: Self.from, to: Self.to, term: 1, number: 1, payloads: many)))
        #expect(!PeerMessageCodec.canEncode(Self.raft(.append(previous: .origin, entries: [], commit: 0), [Self.payload])))
    }

    @Test("Any bytes are messages or nothing, never a trap", arguments: 1...20)
    func hostile(seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        for _ in 0..<500 {
            var bytes = Self.bytes(of: RandomMessages.next(&generator))
            for _ in 0..<Int.random(in: 1...4, using: &generator) {
                let place = Int.random(in: 0..<bytes.count, using: &generator)
                switch Int.random(in: 0..<4, using: &generator) {
                case 0: bytes[place] = UInt8.random(in: 0...255, using: &generator)
                case 1: bytes[place] = 0xff
                case 2: bytes.insert(UInt8.random(in: 0...255, using: &generator), at: place)
                default: if bytes.count > 1 { bytes.remove(at: place) }
                }
            }
            guard let messages = PeerMessageCodec.decode(bytes) else { continue }
            // What passes for messages is some, and can be sent on.
            for message in messages { #expect(PeerMessageCodec.decode(Self.bytes(of: message)) == [message], "seed \(seed)") }
        }
        for _ in 0..<500 {
            let noise = (0..<Int.random(in: 0...80, using: &generator)).map { _ in UInt8.random(in: 0...255, using: &generator)
            }
            _ = PeerMessageCodec.decode([1, UInt8.random(in: 1...35, using: &generator)] + noise)
        }
    }
}

/// Messages of every kind with numbers of every size.
enum RandomMessages {
    static func next(_ generator: inout SeededGenerator) -> PeerMessage {
        let from = MemberID(number(&generator))
        let to = MemberID(number(&generator))
        let term = Term(number(&generator))
        switch Int.random(in: 0..<10, using: &generator) {
        case 0:
            let payloads = (0..<Int.random(in: 0...5, using: &generator)).map { _ in payload(&generator) }
            return .forward(from: from, to: to, term: term, number: number(&generator), payloads: payloads)
        case 8:
            let requests = (0..<Int.random(in: 0...5, using: &generator)).map { _ in number(&generator) }
            return .tell(from: from, to: to, term: term, requests: requests)
        case 9:
            let outcome = RequestOutcomeTests.all.randomElement(using: &generator) ?? .denied
            return .outcome(from: from, to: to, term: term, request: number(&generator), outcome)
        case 1: return .forwarded(from: from, to: to, term: term, number: number(&generator))
        case 2, 3:
            let previous = LogPosition(index: Index(number(&generator) >> 1), term: Term(number(&generator)))
            var index = previous.index
            let entries = (0..<Int.random(in: 0...5, using: &generator)).map { _ in
                index = index.next
                return EntryHeader(
                    position: LogPosition(index: index, term: Term(number(&generator))), change: change(&generator))
            }
            let payloads = entries.map { _ in payload(&generator) }
            let body = Message.Body.append(previous: previous, entries: entries, commit: Index(number(&generator)))
            return .raft(Message(from: from, to: to, term: term, body: body), payloads: payloads)
        default: return .raft(Message(from: from, to: to, term: term, body: body(&generator)), payloads: [])
        }
    }

    private static func number(_ generator: inout SeededGenerator) -> UInt64 {
        UInt64.random(in: 0...(.max >> UInt64.random(in: 0..<64, using: &generator)), using: &generator)
    }

    private static func position(_ generator: inout SeededGenerator) -> LogPosition {
        LogPosition(index: Index(number(&generator)), term: Term(number(&generator)))
    }

    private static func string(_ generator: inout SeededGenerator) -> [UInt8] {
        (0..<[0, 1, 20, 200].randomElement(using: &generator)!).map { _ in UInt8.random(in: 0...255, using: &generator) }
    }

    private static func payload(_ generator: inout SeededGenerator) -> EntryPayload {
        EntryPayload(
            rawKind: UInt8.random(in: 0...255, using: &generator), version: UInt8.random(in: 0...255, using: &generator),
            operation: UInt8.random(in: 0...255, using: &generator), path: string(&generator), value: string(&generator),
            options: string(&generator), time: Int64(bitPattern: number(&generator)), client: string(&generator),
            request: number(&generator))
    }

    private static func change(_ generator: inout SeededGenerator) -> ConfigurationChange? {
        let member = MemberID(number(&generator))
        return [nil, .addVoter(member), .addLearner(member), .remove(member)].randomElement(using: &generator)!
    }

    private static func body(_ generator: inout SeededGenerator) -> Message.Body {
        let flag = Bool.random(using: &generator)
        return [
            .preVote(last: position(&generator)), .preVoteReply(granted: flag),
            .vote(last: position(&generator), isTransfer: flag), .voteReply(granted: flag),
            .appendAccepted(matched: Index(number(&generator))),
            .appendRefused(previous: Index(number(&generator)), hint: position(&generator)),
            .heartbeat(round: number(&generator), commit: Index(number(&generator))),
            .heartbeatReply(round: number(&generator)), .readIndex(context: number(&generator)),
            .readIndexReply(context: number(&generator), index: flag ? Index(number(&generator)) : nil), .timeoutNow,
            .snapshotInstalled(position(&generator)),
        ].randomElement(using: &generator)!
    }
}
