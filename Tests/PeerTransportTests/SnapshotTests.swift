import NIOCore
import Raft
import TestSupport
import Testing
import Wire

@testable import PeerTransport

@Suite("Snapshots between members")
struct SnapshotTests {
    private let folder = TransferFolder()
    private let source = TransferFolder()
    private let header = SnapshotHeader(
        position: LogPosition(index: 300, term: 2), term: 5,
        configuration: Configuration(voters: [MemberID(1), MemberID(2)], learners: [MemberID(3)]), stateHash: "ab12")

    private func pair(_ limits: PeerLimits = PeerLimits()) throws -> (TestMember, TestMember) {
        let one = try TestMember(1, limits: limits)
        let two = try TestMember(2, limits: limits, directory: folder.path)
        try one.know(two)
        return (one, two)
    }

    private func send(_ path: String, from one: TestMember, to member: MemberID, rate: Int? = nil) throws {
        let header = header
        try one.onLoop { state in
            let record = state.record
            state.links.sendSnapshot(to: member, header, path: path, bytesPerSecond: rate) { record.outcomes.append($0) }
        }
    }

    private func outcome(_ one: TestMember, _ count: Int = 1) throws -> SnapshotOutcome? {
        #expect(try one.eventually { $0.record.outcomes.count >= count })
        return try one.onLoop { $0.record.outcomes.last }
    }

    @Test("One of several megabytes arrives as it was, and then another", arguments: [5_000_003, 1, 0, 256 << 10, 512 << 10])
    func whole(size: Int) throws {
        var random = SeededGenerator(seed: UInt64(size))
        let bytes = random.bytes(size)
        let path = source.write("tree", bytes)
        folder.write("mine", [1])
        let (one, two) = try pair()
        try send(path, from: one, to: two.id)
        #expect(try outcome(one) == .delivered)
        let snapshot = try #require(try two.onLoop { $0.record.snapshots.first })
        var expected = header
        expected.bytes = UInt64(size)
        #expect(snapshot.header == expected && snapshot.from == one.id)
        #expect(TransferFolder.read(snapshot.path) == bytes)
        #expect(folder.names == ["mine", "snapshot-2-300-1.complete"])

        try send(path, from: one, to: two.id, rate: 20 << 20)
        #expect(try outcome(one, 2) == .delivered)
        #expect(folder.names == ["mine", "snapshot-2-300-1.complete", "snapshot-2-300-2.complete"])
        let texts = try one.onLoop { $0.record.texts }
        #expect(texts.contains("database snapshot [index: 300, to: 2] sent out successfully"))
    }

    @Test("The owner's word on the whole reaches the sender; until then no other is let in")
    func ownersWord() throws {
        let path = source.write("tree", [1, 2, 3])
        let (one, two) = try pair()
        try two.onLoop { $0.record.holdsReplies = true }
        try send(path, from: one, to: two.id)
        #expect(try two.eventually { $0.record.heldReplies.count == 1 })
        try send(path, from: one, to: two.id)
        #expect(try outcome(one) == .refused("another snapshot is being received"))
        try two.onLoop { state in
            state.record.holdsReplies = false
            state.record.heldReplies[0]("state hash does not match")
            // Said twice counts once.
            state.record.heldReplies[0](nil)
        }
        #expect(try outcome(one, 2) == .refused("state hash does not match"))
        try send(path, from: one, to: two.id)
        #expect(try outcome(one, 3) == .delivered)
    }

    @Test("What is not wanted is not sent; what cannot be sent fails")
    func notSent() throws {
        let path = source.write("tree", [1, 2, 3])
        let (one, two) = try pair()
        try two.onLoop { $0.record.offerRefusal = "too old" }
        try send(path, from: one, to: two.id)
        #expect(try outcome(one) == .refused("too old"))
        try send("\(source.path)/none", from: one, to: two.id)
        #expect(try outcome(one, 2) == .failed("open \(source.path)/none: No such file or directory"))
        try send(path, from: one, to: MemberID(9))
        #expect(try outcome(one, 3) == .failed("no URL of member 9 to send to"))
        try two.onLoop { $0.record.refused[MemberID(1)] = HelloRefusal(.senderNotFound, "error sender not found") }
        try send(path, from: one, to: two.id)
        #expect(try outcome(one, 4) == .failed("error sender not found"))
        try two.stop()
        try send(path, from: one, to: two.id)
        #expect(try outcome(one, 5) == .failed("Connection refused"))
        #expect(folder.names == [])
        // A member without a place for them.
        try one.onLoop { $0.record.outcomes = [] }
        let three = try TestMember(3)
        try one.know(three)
        try send(path, from: one, to: three.id)
        #expect(try outcome(one) == .refused("snapshots are not taken here"))
    }

    /// A sender made by hand, behind the yes to its header.
    private func offer(_ bytes: UInt64, to two: TestMember) throws -> RawClient {
        let client = try two.client()
        #expect(try client.greet(.snapshot, as: 1, to: two)?.refusal == nil)
        var header = header
        header.bytes = bytes
        client.send(Frame.wrap(.snapshotHeader) { header.encode(into: &$0) })
        #expect(try client.frame() == SnapshotReply.frame(nil))
        return client
    }

    private func chunk(_ bytes: [UInt8]) -> ByteBuffer { Frame.wrap([FrameKind.snapshotChunk.rawValue] + bytes) }

    private func end(_ bytes: UInt64, _ checksum: UInt32) -> ByteBuffer {
        Frame.wrap(.snapshotEnd) { SnapshotEnd(bytes: bytes, checksum: checksum).encode(into: &$0) }
    }

    @Test("A transfer that breaks off leaves nothing, touches nothing else, and another can come")
    func brokenOff() throws {
        let (one, two) = try pair()
        folder.write("mine", [1])
        let client = try offer(10 << 20, to: two)
        for number in 0..<20 { client.send(chunk([UInt8](repeating: UInt8(number), count: 100_000))) }
        #expect(folder.names == ["mine", "snapshot-2-300-1.partial"])
        client.hangUp()
        #expect(try two.eventually { $0.links.receiver == nil })
        #expect(folder.names == ["mine"])
        #expect(try two.onLoop { $0.record.snapshots.isEmpty })
        try send(source.write("tree", [1, 2, 3]), from: one, to: two.id)
        #expect(try outcome(one) == .delivered)
    }

    @Test("Wrong checksums, too much, too little and things out of place are refused, and leave nothing")
    func wrong() throws {
        let (_, two) = try pair()
        let bytes = [UInt8](repeating: 9, count: 1000)
        var checksum = CRC32C()
        checksum.update(bytes)
        checksum.update(bytes)
        let good = checksum.value
        for (frames, reason): ([ByteBuffer], String) in [
            ([chunk(bytes), chunk(bytes), end(2000, good ^ 1)], "checksum of the whole snapshot does not match"),
            ([chunk(bytes), end(1000, good)], "less came than was announced"),
            ([chunk(bytes), end(2000, good)], "less came than was announced"),
            ([chunk(bytes), chunk(bytes), chunk([1])], "more came than was announced"),
            ([chunk([])], "more came than was announced"),
            ([chunk(bytes), chunk(bytes), end(2000, good), chunk([1])], "a frame of kind 8 in the wrong place"),
            ([Frame.wrap([FrameKind.messages.rawValue])], "a frame of kind 3 in the wrong place"),
        ] {
            let client = try offer(2000, to: two)
            // One write: the last frame is there before the thread has done anything.
            client.send(frames.reduce(into: ByteBuffer()) { $0.writeImmutableBuffer($1) })
            #expect(try SnapshotReply.parse(client.frame())?.refusal == reason, "\(reason)")
            #expect(try client.isClosed())
            client.hangUp()
            #expect(try two.eventually { $0.links.receiver == nil })
            #expect(folder.names == [], "\(reason)")
        }
        // A chunk whose own checksum is wrong.
        let client = try offer(2000, to: two)
        var frame = Array(chunk(bytes).readableBytesView)
        frame[500] ^= 1
        client.send(frame)
        #expect(try client.isClosed())
        #expect(try two.eventually { $0.links.receiver == nil })
        #expect(folder.names == [])
        #expect(try two.onLoop { $0.record.snapshots.isEmpty })
        #expect(try two.answersHTTP())
    }

    @Test("A receiver that goes away, refuses on the way or talks nonsense ends the sending", arguments: 0..<5)
    func badReceiver(kind: Int) throws {
        let one = try TestMember(1)
        let server = try RawServer()
        // The first connection of each pair may be the one for messages.
        try one.know([(MemberID(2), [server.url])])
        try server.accept().answerHello(as: MemberID(2))
        try send(source.write("tree", [UInt8](repeating: 1, count: 30 << 20)), from: one, to: MemberID(2))
        let peer = try server.accept()
        try peer.answerHello(as: MemberID(2))
        _ = try peer.frame()
        let yes = Frame.wrap(SnapshotReply.frame(nil))
        switch kind {
        case 0:
            peer.hangUp()
            #expect(try outcome(one) == .failed("connection closed"))
        case 1:
            peer.send(yes)
            _ = try peer.frame()
            // The system may tell it as a reset.
            peer.hangUp()
            if case .failed = try outcome(one) {} else { Issue.record("no failure") }
        case 2:
            peer.send(yes)
            _ = try peer.frame()
            peer.send(Frame.wrap(SnapshotReply.frame("disk full")))
            #expect(try outcome(one) == .refused("disk full"))
        case 3:
            peer.send(yes)
            peer.send(yes)
            #expect(try outcome(one) == .failed("the peer agreed before it had everything"))
        default:
            peer.send(Frame.wrap([FrameKind.pong.rawValue, 1]))
            #expect(try outcome(one) == .failed("the peer's answer makes no sense"))
        }
    }

    @Test("A receiver that takes nothing more is given up, and so is a sender that sends nothing more")
    func stalled() throws {
        var limits = PeerLimits()
        limits.transferSilentSecondsMax = 1
        let (one, two) = try pair(limits)
        let client = try offer(10 << 20, to: two)
        client.send(chunk([1]))
        #expect(try client.isClosed())
        #expect(try two.eventually { $0.links.receiver == nil })
        #expect(folder.names == [])

        let server = try RawServer()
        try one.know([(MemberID(4), [server.url])])
        try server.accept().answerHello(as: MemberID(4))
        try send(source.write("tree", [UInt8](repeating: 1, count: 30 << 20)), from: one, to: MemberID(4))
        let peer = try server.accept()
        try peer.answerHello(as: MemberID(4))
        _ = try peer.frame()
        peer.send(Frame.wrap(SnapshotReply.frame(nil)))
        #expect(try outcome(one) == .failed("the peer has stopped to take it"))
    }

    @Test("Messages flow while a snapshot does, and a stop ends it")
    func meanwhile() throws {
        let (one, two) = try pair()
        try two.know(one)
        #expect(try one.isConnected(two))
        try send(source.write("tree", [UInt8](repeating: 1, count: 8 << 20)), from: one, to: two.id, rate: 1 << 20)
        #expect(try two.eventually { $0.links.receiver != nil })
        let message = heartbeat(1, from: one, to: two)
        try one.send(message)
        #expect(try two.eventually { $0.record.messages == [message] })
        #expect(try one.onLoop { $0.record.outcomes.isEmpty })
        try one.stop()
        #expect(try one.onLoop { $0.record.outcomes } == [.failed("stopped")])
        #expect(try two.eventually { $0.links.receiver == nil })
        #expect(folder.names == [])
    }
}
