import NIOCore
import Raft
import Testing
import Wire

@testable import PeerTransport

@Suite("Messages between members")
struct MessageTests {
    @Test("They arrive whole and in order, both ways, and are counted")
    func bothWays() throws {
        let one = try TestMember(1)
        let two = try TestMember(2)
        try one.know(one, two)
        try two.know(one, two)
        #expect(try one.isConnected(two) && two.isConnected(one))
        let there = (1...200).map { heartbeat($0, from: one, to: two) }
        let back = (1...200).map { heartbeat($0, from: two, to: one) }
        try one.onLoop { state in for message in there { state.links.send(message) } }
        for message in back { try two.send(message) }
        #expect(try two.eventually { $0.record.messages.count == 200 && $0.record.messages == there })
        #expect(try one.eventually { $0.record.messages.count == 200 && $0.record.messages == back })

        let sent = try one.onLoop { $0.links.statistics }
        #expect(sent.map(\.member) == [two.id])
        #expect(sent.first?.messagesSent == 200 && sent.first?.messagesReceived == 200 && sent.first?.messagesDropped == 0)
        #expect(sent.first?.hasIncoming == true && sent.first?.connectedFor != nil && sent.first?.connectsTotal == 1)
        // A turn's messages share frames: one by one they would have taken a head each.
        let other = try two.onLoop { $0.links.statistics }
        #expect((sent.first?.bytesSent ?? .max) + 199 * 9 == other.first?.bytesSent)
        #expect(try one.onLoop { $0.record.events } == [.linkUp(two.id)])
        let id = two.id
        #expect(try one.onLoop { $0.links.connectedFor(id) } != nil)
        #expect(try one.onLoop { $0.links.connectedFor(MemberID(9)) } == nil)
        #expect(try one.eventually { ($0.links.statistics.first?.roundTrips.count ?? 0) > 0 })
    }

    @Test("Who tells the time tells it to whoever connects, ahead of every message, and again and again")
    func time() throws {
        let one = try TestMember(1)
        let two = try TestMember(2)
        try one.onLoop { $0.record.time = -7 }
        try one.know(two)
        try two.know(one)
        #expect(try one.isConnected(two) && two.isConnected(one))
        try one.send(heartbeat(1, from: one, to: two))
        #expect(try two.eventually { !$0.record.messages.isEmpty })
        #expect(try two.onLoop { $0.record.told.first } == -7)
        #expect(try two.eventually { $0.record.told.count > 1 })
        try one.onLoop { state in
            state.record.time = 8
            state.links.tellTime()
        }
        #expect(try two.eventually { $0.record.told.contains(8) })
        #expect(try one.onLoop { $0.record.told.isEmpty }, "the other one does not tell it")
    }

    @Test("Large ones too: a client's largest request, and many of a megabyte")
    func large() throws {
        let one = try TestMember(1)
        let two = try TestMember(2)
        try one.know(two)
        try two.know(one)
        #expect(try one.isConnected(two))
        let messages =
            [append(1, bytes: 10 << 20, from: one.id, to: two.id)]
            + (2..<12).map { append($0, bytes: 1 << 20, from: one.id, to: two.id) } + [heartbeat(1, from: one, to: two)]
        try one.onLoop { state in for message in messages { state.links.send(message) } }
        #expect(try two.eventually { $0.record.messages.count == messages.count })
        // Entries keep their order; what is short overtakes them.
        #expect(try two.onLoop { $0.record.messages.filter(\.isAppend) == messages.filter(\.isAppend) })
        let statistics = try two.onLoop { $0.links.statistics }
        #expect(statistics.first?.appendsReceived == 11)
        #expect(try one.onLoop { $0.links.statistics.first?.appendsSent } == 11)
    }

    @Test("What is for nobody known, or for a peer without a connection, is dropped and counted")
    func dropped() throws {
        let one = try TestMember(1)
        try one.know([(MemberID(2), ["http://127.0.0.1:1"])])
        try one.send(heartbeat(1, from: one.id, to: MemberID(2)), heartbeat(1, from: one.id, to: MemberID(3)))
        #expect(try one.onLoop { $0.links.statistics.map(\.messagesDropped) } == [1])
    }

    @Test("Messages in another's name or for another are dropped, the rest is not")
    func misdirected() throws {
        let two = try TestMember(2)
        let client = try two.client()
        #expect(try client.greet(.messages, as: 1, to: two)?.refusal == nil)
        let good = heartbeat(1, from: MemberID(1), to: two.id)
        client.send(
            frame(of: [heartbeat(2, from: MemberID(3), to: two.id), good, heartbeat(3, from: MemberID(1), to: MemberID(3))]))
        #expect(try two.eventually { !$0.record.messages.isEmpty })
        #expect(try two.onLoop { $0.record.messages } == [good])
        #expect(try two.onLoop { $0.record.notices } == [.misdirected(MemberID(1))])
    }

    @Test("A message that no peer could take is dropped with a notice, and does no harm")
    func unsendable() throws {
        let one = try TestMember(1)
        let two = try TestMember(2)
        try one.know(two)
        try two.know(one)
        #expect(try one.isConnected(two))
        let payloads = [EntryPayload](repeating: .empty, count: PeerMessageCodec.entriesMax + 1)
        let good = heartbeat(1, from: one, to: two)
        try one.send(.forward(from: one.id, to: two.id, term: 1, number: 1, payloads: payloads), good)
        #expect(try two.eventually { $0.record.messages == [good] })
        #expect(try one.onLoop { $0.record.notices.contains(.unsendable($0.links.statistics[0].member)) })
    }

    @Test("A peer that reads nothing costs a bounded number of bytes, and loses messages")
    func queueBound() throws {
        var limits = PeerLimits()
        limits.queueBytesMax = 8 << 20
        let one = try TestMember(1, limits: limits)
        let server = try RawServer()
        try one.know([(MemberID(2), [server.url])])
        let peer = try server.accept()
        try peer.answerHello(as: MemberID(2))
        #expect(try one.eventually { $0.links.isConnected(MemberID(2)) })
        for number in 1...200 {
            try one.send(append(UInt64(number), bytes: 500_000, from: MemberID(1), to: MemberID(2)))
            #expect(try one.onLoop { $0.links.statistics[0].bytesUnsent } <= limits.queueBytesMax)
        }
        let statistics = try one.onLoop { $0.links.statistics[0] }
        #expect(statistics.messagesDropped > 50 && statistics.messagesSent >= 16)
        #expect(statistics.messagesDropped + statistics.messagesSent == 200)
        #expect(try one.onLoop { $0.record.notices.count { $0 == .queueFull(MemberID(2)) } } == 1)
        #expect(try one.onLoop { $0.links.isConnected(MemberID(2)) })
    }

    @Test("A peer that shows no sign of life loses its connection")
    func silent() throws {
        var limits = PeerLimits()
        limits.silentSecondsMax = 1
        let one = try TestMember(1, limits: limits)
        let server = try RawServer()
        try one.know([(MemberID(2), [server.url])])
        try server.accept().answerHello(as: MemberID(2))
        #expect(try one.eventually { $0.record.events.contains(.linkLost(MemberID(2), .outgoing)) })
        #expect(try one.onLoop { $0.record.events.first } == .linkUp(MemberID(2)))
        // It still listens: not down.
        _ = try server.accept()
        #expect(try one.onLoop { !$0.record.events.contains(.memberDown(MemberID(2))) })

        // The other way round: a peer that dials and then says nothing, though it should ping.
        let client = try one.client()
        #expect(try client.greet(.messages, as: 2, to: one)?.refusal == nil)
        #expect(try client.isClosed())
    }
}
