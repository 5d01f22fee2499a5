import HTTPTransport
import NIOCore
import Raft
import TestSupport
import Testing
import Wire

@testable import PeerTransport

@Suite("Anything may come to the peer port")
struct HostileTests {
    private static func samples(_ server: TestMember) -> [[UInt8]] {
        let identity = PeerIdentity(
            cluster: MemberID(0xc1), member: MemberID(1), serverVersion: "3.4.23", minimumVersion: "3.0.0")
        func stream(_ purpose: Hello.Purpose, _ frames: [ByteBuffer]) -> [UInt8] {
            let hello = Hello(purpose, from: identity, to: server.id)
            return Hello.preface + Array(Frame.wrap(.hello) { hello.encode(into: &$0) }.readableBytesView)
                + frames.flatMap { Array($0.readableBytesView) }
        }
        let header = SnapshotHeader(
            position: LogPosition(index: 300, term: 2), term: 5, configuration: Configuration(voters: [MemberID(1)]),
            stateHash: "ab", bytes: 40)
        let chunk = [UInt8](repeating: 7, count: 40)
        var checksum = CRC32C()
        checksum.update(chunk)
        let end = SnapshotEnd(bytes: 40, checksum: checksum.value)
        return [
            stream(
                .messages,
                [
                    frame(of: [
                        heartbeat(1, from: MemberID(1), to: server.id), append(1, bytes: 60, from: MemberID(1), to: server.id),
                    ]),
                    Frame.wrap(.ping) { $0.write(UInt64(5)) },
                ]),
            stream(
                .snapshot,
                [
                    Frame.wrap(.snapshotHeader) { header.encode(into: &$0) },
                    Frame.wrap([FrameKind.snapshotChunk.rawValue] + chunk), Frame.wrap(.snapshotEnd) { end.encode(into: &$0) },
                ]),
            Array("GET /members HTTP/1.1\r\nHost: x\r\n\r\n".utf8),
            Array("POST /raft HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nabcde".utf8),
        ]
    }

    /// The seed is part of the test's name: a failure says how to repeat it.
    @Test("Mangled bytes do no harm, and HTTP is still answered", arguments: [1, 2, 3, UInt64.random(in: 4...UInt64.max)])
    func mangled(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let folder = TransferFolder()
        folder.write("mine", [1])
        let server = try TestMember(2, directory: folder.path)
        try server.know([(MemberID(1), ["http://127.0.0.1:1"])])
        for round in 0..<600 {
            let samples = Self.samples(server)
            var bytes = samples[random.below(samples.count)]
            for _ in 0..<random.below(4) { mangle(&bytes, &random) }
            let client = try server.client()
            let cut = random.below(bytes.count + 1)
            client.send(Array(bytes[..<cut]))
            if random.below(4) == 0 { pause(milliseconds: 1) }
            client.send(Array(bytes[cut...]))
            client.endOutput()
            // Whatever it was: an end comes.
            while try client.fill() {}
            if round % 50 == 49 { #expect(try server.answersHTTP()) }
        }
        #expect(try server.eventually { $0.listener.connectionCount <= 12 })
        #expect(try server.onLoop { $0.links.receiver == nil })
        // Snapshots that came through whole belong to the owner; nothing else is left, and nothing else was touched.
        let whole = try server.onLoop { $0.record.snapshots.map(\.path) }
        #expect(folder.names.filter { $0 != "mine" }.allSatisfy { whole.contains("\(folder.path)/\($0)") })
        #expect(folder.names.contains("mine"))
    }

    private func mangle(_ bytes: inout [UInt8], _ random: inout SeededGenerator) {
        let place = random.below(bytes.count + 1)
        switch random.below(7) {
        case 0: bytes.insert(UInt8(truncatingIfNeeded: random.next()), at: place)
        case 1: if place < bytes.count { bytes[place] = UInt8(truncatingIfNeeded: random.next()) }
        case 2: if place < bytes.count { bytes.remove(at: place) }
        case 3: bytes.removeSubrange(place...)
        case 4: bytes.insert(contentsOf: [0xff, 0xff, 0xff, 0xff], at: place)
        // A frame with a good checksum and anything in it, behind the hello if there is one.
        case 5: bytes += Frame.wrap([UInt8(1 + random.below(10))] + random.bytes(random.below(60))).readableBytesView
        default: bytes.insert(contentsOf: bytes[place...].prefix(40), at: place)
        }
    }

    @Test(
        "A frame that is too long, empty, damaged or out of place closes its connection and no other",
        arguments: [
            ([0x01, 0x00, 0x10, 0x00, 0, 0, 0, 0], "frame of 1048577 bytes is too long"),
            ([0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0], "frame of 4294967295 bytes is too long"),
            ([0, 0, 0, 0, 0, 0, 0, 0], "frame without content"),
            ([1, 0, 0, 0, 0, 0, 0, 0, 3], "checksum of a frame does not match"),
            (Array(Frame.wrap([3, 9, 9]).readableBytesView), "a frame of what is no message of version 1"),
            (Array(Frame.wrap([1]).readableBytesView), "a frame of kind 1 among messages"),
            (Array(Frame.wrap([8, 1]).readableBytesView), "a frame of kind 8 among messages"),
            (Array(Frame.wrap([4, 1]).readableBytesView), "a malformed ping"),
            (Array(Frame.wrap([10, 1]).readableBytesView), "a malformed time"),
            (Array(Frame.wrap([11]).readableBytesView), "malformed addresses"),
            (Array(Frame.wrap([11, 17] + [UInt8](repeating: 0, count: 17)).readableBytesView), "malformed addresses"),
            (Array(Frame.wrap([11, 1, 5, 65]).readableBytesView), "malformed addresses"),
            (Array(Frame.wrap([11, 1, 1, 65, 0]).readableBytesView), "malformed addresses"),
        ] as [([UInt8], String)])
    func brokenFrames(bytes: [UInt8], reason: String) throws {
        var limits = PeerLimits()
        limits.frameBytesMax = 1 << 20
        let server = try TestMember(2, limits: limits)
        let other = try server.client()
        #expect(try other.greet(.messages, as: 3, to: server)?.refusal == nil)
        let client = try server.client()
        #expect(try client.greet(.messages, as: 1, to: server)?.refusal == nil)
        let good = heartbeat(1, from: MemberID(1), to: server.id)
        client.send(frame(of: [good]))
        client.send(bytes)
        client.send(frame(of: [heartbeat(2, from: MemberID(1), to: server.id)]))
        #expect(try client.isClosed())
        #expect(try server.onLoop { $0.record.notices } == [.broken(MemberID(1), because: reason)])
        #expect(try server.onLoop { $0.record.messages } == [good])
        let last = heartbeat(3, from: MemberID(3), to: server.id)
        other.send(frame(of: [last]))
        #expect(try server.eventually { $0.record.messages == [good, last] })
    }

    @Test("A frame of a kind that only a later version knows is left out among messages; elsewhere it ends the connection")
    func unknownFrames() throws {
        let server = try TestMember(2)
        let strange = Array(Frame.wrap([77, 1, 2, 3]).readableBytesView)
        let client = try server.client()
        #expect(try client.greet(.messages, as: 1, to: server)?.refusal == nil)
        let messages = (1...2).map { heartbeat($0, from: MemberID(1), to: server.id) }
        client.send(frame(of: [messages[0]]))
        client.send(strange + strange)
        client.send(frame(of: [messages[1]]))
        #expect(try server.eventually { $0.record.messages == messages })
        #expect(try server.onLoop { $0.record.notices }.isEmpty)

        let sender = try server.client()
        #expect(try sender.greet(.snapshot, as: 3, to: server)?.refusal == nil)
        sender.send(strange)
        #expect(try sender.isClosed())
        let stranger = try server.client()
        stranger.send(Hello.preface + strange)
        #expect(try stranger.isClosed())
    }

    @Test("A frame of exactly the limit is taken")
    func frameLimit() throws {
        var limits = PeerLimits()
        limits.frameBytesMax = 1 << 20
        let server = try TestMember(2, limits: limits)
        let client = try server.client()
        _ = try client.greet(.messages, as: 1, to: server)
        var size = 1 << 20
        var message = append(1, bytes: size, from: MemberID(1), to: server.id)
        size -= frame(of: [message]).readableBytes - Frame.headBytes - (1 << 20)
        message = append(1, bytes: size, from: MemberID(1), to: server.id)
        #expect(frame(of: [message]).readableBytes == Frame.headBytes + 1 << 20)
        let sent = message
        client.send(frame(of: [sent]))
        #expect(try server.eventually { $0.record.messages == [sent] })
    }

    @Test("Whoever says nothing, half a preface or half a hello, has limited time")
    func slowHello() throws {
        var limits = PeerLimits()
        limits.helloSecondsMax = 1
        var http = HTTPServerLimits()
        http.headSecondsMax = 1
        let server = try TestMember(2, limits: limits, http: http)
        let silent = try server.client()
        let half = try server.client()
        half.send("ETCLITE/")
        let prefaceOnly = try server.client()
        prefaceOnly.send(Hello.preface + [40, 0, 0, 0, 1])
        #expect(try silent.isClosed() && half.isClosed() && prefaceOnly.isClosed())
    }

    @Test("A ping comes back as it was")
    func ping() throws {
        let server = try TestMember(2)
        let client = try server.client()
        _ = try client.greet(.messages, as: 1, to: server)
        client.send(Frame.wrap(.ping) { $0.write(UInt64(0x0102)) })
        #expect(try client.frame() == [FrameKind.pong.rawValue, 2, 1, 0, 0, 0, 0, 0, 0])
    }
}
