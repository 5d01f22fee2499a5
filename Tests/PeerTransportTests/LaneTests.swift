import NIOCore
import Raft
import TestSupport
import Testing
import Wire

@testable import PeerTransport

@Suite("Long messages between members: in parts, and overtaken by short ones")
struct LaneTests {
    private let one = MemberID(1)
    private let two = MemberID(2)

    /// The frames of a peer that knows parts, put together again.
    private func frames(_ lanes: inout Lanes, inParts: Bool) -> [(kind: FrameKind, bytes: [UInt8])] {
        var frames: [(FrameKind, [UInt8])] = []
        while let frame = lanes.takeBatch() ?? lanes.takeBulk(inParts: inParts) {
            var input = FrameInput()
            input.append(frame)
            guard case .frame(let kind, let body) = input.next(bytesMax: 64 << 20) else { return [] }
            frames.append((kind, body))
        }
        return frames
    }

    @Test("What is short shares a frame in its order; what is long goes in parts behind it, and comes out whole", arguments: [true, false])
    func order(inParts: Bool) {
        var lanes = Lanes()
        let small = [append(1, bytes: 100, from: one, to: two), heartbeat(7, from: one, to: two)]
        let large = [append(2, bytes: 100_000, from: one, to: two), append(3, bytes: 10, from: one, to: two), append(4, bytes: 40_000, from: one, to: two)]
        for message in small + large { lanes.add(message, size: PeerMessageCodec.sizeMax(of: message)) }
        lanes.add(heartbeat(8, from: one, to: two), size: 128)
        #expect(lanes.messages == 6 && lanes.hasBulk)
        let frames = frames(&lanes, inParts: inParts)
        #expect(lanes.bytes == 0 && lanes.messages == 0)
        #expect(frames.first.map { PeerMessageCodec.decode($0.bytes, from: 1) } == small + [heartbeat(8, from: one, to: two)])
        var parts = PartsInput()
        var received: [PeerMessage] = []
        for frame in frames.dropFirst() {
            switch frame.kind {
            case .messages: received += PeerMessageCodec.decode(frame.bytes, from: 1) ?? []
            case .part:
                #expect(inParts && frame.bytes.count <= PeerLimits.partBytes + 2)
                if case .whole(let bytes) = parts.append(frame.bytes, bytesMax: 1 << 20) { received += PeerMessageCodec.decode(bytes) ?? [] }
            default: Issue.record("\(frame.kind)")
            }
        }
        #expect(received == large)
        #expect(frames.count == (inParts ? 1 + 4 + 1 + 2 : 4))
    }

    @Test("Parts that are empty, malformed or too many are none")
    func broken() {
        var input = PartsInput()
        let kind = FrameKind.part.rawValue
        for body in [[kind], [kind, 0], [kind, 1], [kind, 2, 3]] {
            guard case .broken = input.append(body, bytesMax: 1000) else {
                Issue.record("\(body)")
                continue
            }
        }
        for _ in 0..<9 { if case .incomplete = input.append([kind, 0] + [UInt8](repeating: 1, count: 100), bytesMax: 1000) { continue } }
        guard case .broken = input.append([kind, 0] + [UInt8](repeating: 1, count: 100), bytesMax: 1000) else {
            Issue.record("no bound")
            return
        }
    }

    /// A peer made by hand, connected, that has been sent an append of ten megabytes and has read nothing of it yet.
    private func slowPeer(_ features: Hello.Features) throws -> (TestMember, RawServer, RawClient) {
        let member = try TestMember(1)
        let server = try RawServer()
        try member.know([(two, [server.url])])
        let peer = try server.accept()
        try peer.answerHello(as: two) { $0.features = features }
        #expect(try member.eventually { $0.links.isConnected(MemberID(2)) })
        try member.send(append(1, bytes: 10 << 20, from: one, to: two))
        return (member, server, peer)
    }

    @Test("Ten megabytes that a peer takes slowly: a heartbeat is there before them")
    func overtaking() throws {
        let (member, server, peer) = try slowPeer(.parts)
        pause(milliseconds: 50)
        try member.send(heartbeat(5, from: one, to: two))
        var bytesBefore = 0
        var kinds: Set<FrameKind> = []
        while true {
            let frame = try peer.frame()
            let kind = try #require(FrameKind(rawValue: frame[0]))
            kinds.insert(kind)
            if kind == .messages { break }
            bytesBefore += frame.count
        }
        #expect(kinds.contains(.part) && bytesBefore < 10 << 20)
        withExtendedLifetime(server) {}
    }

    @Test("A peer of an earlier version is sent no parts")
    func earlierVersion() throws {
        let (member, server, peer) = try slowPeer([])
        while true {
            let frame = try peer.frame()
            #expect(frame[0] != FrameKind.part.rawValue)
            if frame[0] == FrameKind.messages.rawValue {
                #expect(PeerMessageCodec.decode(frame, from: 1) == [append(1, bytes: 10 << 20, from: one, to: two)])
                break
            }
        }
        withExtendedLifetime((member, server)) {}
        var reader = ByteReader(HelloReply(hello: Hello(.messages, from: PeerIdentity(
            cluster: one, member: one, serverVersion: "3.4.23", minimumVersion: "3.0.0"), to: two), refusal: nil).frame.dropLast(), from: 3)
        #expect(Hello(from: &reader)?.features == [], "its hello does not speak of them")
    }

    @Test("Parts that make no sense end the connection")
    func hostile() throws {
        let member = try TestMember(2)
        for body in [[FrameKind.part.rawValue, 7, 1], [FrameKind.part.rawValue, 1, 99, 99, 99]] as [[UInt8]] {
            let client = try member.client()
            #expect(try client.greet(.messages, as: 1, to: member)?.refusal == nil)
            client.send(Frame.wrap(body))
            #expect(try client.isClosed())
        }
    }

    @Test("A peer that takes nothing shows no sign of life by being sent more and more")
    func moreIsNoSign() throws {
        var limits = PeerLimits()
        limits.silentSecondsMax = 2
        let member = try TestMember(1, limits: limits)
        let server = try RawServer()
        try member.know([(two, [server.url])])
        let peer = try server.accept()
        try peer.answerHello(as: two)
        #expect(try member.eventually { $0.links.isConnected(MemberID(2)) })
        for number in 1...400 as ClosedRange<UInt64> where try !member.onLoop({ $0.record.events.contains(.linkLost(MemberID(2), .outgoing)) }) {
            try member.send(append(number, bytes: 200_000, from: one, to: two))
            pause(milliseconds: 50)
        }
        #expect(try member.onLoop { $0.record.events.contains(.linkLost(MemberID(2), .outgoing)) })
        withExtendedLifetime(peer) {}
    }
}

@Suite("Whoever is told something may do anything from where it is told")
struct ReentranceTests {
    @Test("Peers are forgotten and known again while their frames are read, and all is closed when one is lost")
    func reentrance() throws {
        let one = try TestMember(1)
        let two = try TestMember(2)
        try one.know(two)
        try two.know(one)
        #expect(try one.isConnected(two) && two.isConnected(one))
        let url = one.url
        let (first, second) = (one.id, two.id)
        try two.onLoop { state in
            state.record.onReceived = { [links = state.links] in
                links.send(heartbeat(1, from: second, to: first))
                links.setPeers([])
                links.setPeers([(first, urls: [url])])
                links.send(heartbeat(2, from: second, to: first))
            }
        }
        try one.onLoop { state in
            state.record.onEvent = { [links = state.links] event in
                if case .linkLost = event { links.close() }
            }
            // Many frames in one piece.
            for number in 1...50 as ClosedRange<UInt64> { state.links.send(append(number, bytes: 60_000, from: first, to: second)) }
            state.links.flush()
        }
        #expect(try one.eventually { state in state.record.events.contains { if case .linkLost = $0 { true } else { false } } })
        #expect(try two.onLoop { $0.record.messageCount } >= 1)
        #expect(try two.eventually { !$0.links.isConnected(first) })
    }
}

@Suite("Whether a peer's process is gone")
struct PeerPresenceTests {
    @Test("Said when it was there, is not any more, and every address refuses; once for each time")
    func down() {
        var presence = PeerPresence()
        var said = [presence.dialledAll(allRefused: true)]
        for _ in 0..<2 {
            presence.connected()
            said.append(presence.dialledAll(allRefused: true))
            presence.disconnected(isAnotherOpen: true)
            said.append(presence.dialledAll(allRefused: true))
            presence.disconnected(isAnotherOpen: false)
            // A silent address proves nothing.
            said.append(presence.dialledAll(allRefused: false))
            said.append(presence.dialledAll(allRefused: true))
            said.append(presence.dialledAll(allRefused: true))
        }
        let time = [false, false, false, true, false]
        #expect(said == [false] + time + time)
    }
}
