import NIOCore
import Raft
import Testing
import Wire

@testable import PeerTransport

@Suite("Connections that come and go")
struct ConnectionTests {
    @Test("A peer that dies is seen at once, said to be down once, and found again when it is back")
    func reconnect() throws {
        let one = try TestMember(1)
        let two = try TestMember(2)
        try one.know(two)
        try two.know(one)
        #expect(try one.isConnected(two) && two.isConnected(one))
        #expect(try one.eventually { $0.links.statistics[0].hasIncoming })
        let id = two.id
        try two.stop()
        #expect(try one.eventually { $0.record.events.contains(.memberDown(id)) })
        try one.send(heartbeat(1, from: one, to: two))
        #expect(try one.onLoop { $0.links.statistics[0].messagesDropped } == 1)
        let events = try one.onLoop { $0.record.events }
        #expect(events.first == .linkUp(id) && events.last == .memberDown(id))
        #expect(Set(events.map { "\($0)" }).count == 4, "\(events)")

        let again = try TestMember(2, port: two.port)
        try again.know(one)
        #expect(try one.isConnected(again) && again.isConnected(one))
        #expect(try one.onLoop { $0.record.events.count { $0 == .memberDown(id) } } == 1)
        #expect(try one.onLoop { $0.record.events.last } == .linkUp(id))
        let message = heartbeat(2, from: one, to: again)
        try one.send(message)
        #expect(try again.eventually { $0.record.messages == [message] })
        #expect(try one.onLoop { $0.links.statistics[0].connectsTotal } == 2)
    }

    @Test("A peer that has moved tells where it is: when it connects, and when it learns that itself")
    func moved() throws {
        let nowhere = try TestMember(9)
        try nowhere.stop()
        for tellsAtOnce in [true, false] {
            let (one, two) = (try TestMember(1), try TestMember(2))
            try one.know([(two.id, [nowhere.url])])
            if tellsAtOnce {
                try two.know([(one.id, [one.url]), (two.id, [two.url])])
            } else {
                try two.know(one)
                #expect(try two.isConnected(one))
                pause(milliseconds: 100)
                let id = two.id
                let isThere = try one.onLoop { $0.links.isConnected(id) }
                #expect(!isThere)
                try two.know([(one.id, [one.url]), (two.id, [two.url])])
            }
            #expect(try one.isConnected(two), "at once: \(tellsAtOnce)")
            let message = heartbeat(1, from: one, to: two)
            try one.send(message)
            #expect(try two.eventually { $0.record.messages == [message] })
            // The word of the membership counts for no less.
            try one.know([(two.id, [two.url])])
            #expect(try one.isConnected(two))
        }
    }

    @Test("Who is not known here is answered as long as it speaks; once it is known, like all others")
    func stranger() throws {
        let (one, two) = (try TestMember(1), try TestMember(2))
        try two.know([(one.id, [one.url]), (two.id, [two.url])])
        #expect(try two.isConnected(one) && one.isConnected(two))
        let message = heartbeat(1, from: one, to: two)
        try one.send(message)
        #expect(try two.eventually { $0.record.messages == [message] })
        // News of others do not touch it.
        try one.know([(MemberID(7), [])])
        try one.send(message)
        #expect(try two.eventually { $0.record.messages.count == 2 })
        try two.stop()
        #expect(try one.eventually { $0.links.statistics.map(\.member) == [MemberID(7)] })

        let again = try TestMember(2)
        try again.know([(one.id, [one.url]), (again.id, [again.url])])
        #expect(try one.isConnected(again))
        try one.know(again)
        try one.know([])
        // It is let go of. (Soon it will have dialled again, as a stranger.)
        let gone = PeerEvent.linkLost(one.id, .outgoing)
        #expect(try again.eventually { $0.record.events.contains(gone) })
    }

    @Test("A stranger that turns out to be removed is heard no more")
    func removedStranger() throws {
        let (one, two) = (try TestMember(1), try TestMember(2))
        try two.know([(one.id, [one.url]), (two.id, [two.url])])
        #expect(try one.isConnected(two))
        let id = two.id
        try one.onLoop { state in
            state.record.refused[id] = HelloRefusal(.senderRemoved, "removed member")
            state.links.setPeers([], removed: [id])
        }
        #expect(try two.eventually { $0.record.events.contains(.removedFromCluster(by: MemberID(1))) })
        #expect(try one.onLoop { $0.links.statistics.isEmpty })
    }

    @Test("An address that is too long to be told costs no connection")
    func longAddress() throws {
        let (one, two) = (try TestMember(1), try TestMember(2))
        let long = "http://" + String(repeating: "x", count: 2000) + ":1"
        try two.know([(one.id, [one.url]), (two.id, [long, two.url])])
        #expect(try one.isConnected(two))
        let message = heartbeat(1, from: two, to: one)
        try two.send(message)
        #expect(try one.eventually { $0.record.messages == [message] })
        #expect(try two.onLoop { $0.links.statistics[0].connectsTotal } == 1)
    }

    @Test("A peer that was never there is not down, only not there yet")
    func neverThere() throws {
        let one = try TestMember(1)
        let two = try TestMember(2)
        let id = two.id
        try two.stop()
        try one.know(two)
        #expect(try one.eventually { !$0.record.notices.isEmpty })
        pause(milliseconds: 100)
        #expect(try one.onLoop { $0.record.events } == [])
        // Each round fails, one line says so.
        #expect(
            try one.onLoop { $0.record.texts } == ["failed to reach peer 2 at \(two.url): Connection refused"])
        #expect(try one.onLoop { !$0.links.isConnected(id) })
    }

    @Test("A connection that is cut while the peer listens is a loss, and the peer is not down")
    func cut() throws {
        let one = try TestMember(1)
        let server = try RawServer()
        try one.know([(MemberID(2), [server.url])])
        for _ in 0..<3 {
            let peer = try server.accept()
            try peer.answerHello(as: MemberID(2))
            #expect(try one.eventually { $0.links.isConnected(MemberID(2)) })
            peer.hangUp()
            #expect(try one.eventually { !$0.links.isConnected(MemberID(2)) })
        }
        _ = try server.accept()
        let events = try one.onLoop { $0.record.events }
        #expect(events == [0, 1, 2].flatMap { _ in [.linkUp(MemberID(2)), .linkLost(MemberID(2), .outgoing)] })
    }

    @Test("The peer's connection to us alone is enough to know that it is there, and that it has gone")
    func incomingOnly() throws {
        let one = try TestMember(1)
        try one.know([(MemberID(2), ["http://127.0.0.1:1"])])
        let client = try one.client()
        #expect(try client.greet(.messages, as: 2, to: one)?.refusal == nil)
        #expect(try one.eventually { $0.links.statistics[0].hasIncoming })
        pause(milliseconds: 50)
        #expect(try one.onLoop { $0.record.events } == [])
        client.hangUp()
        #expect(try one.eventually { $0.record.events.count == 2 })
        #expect(try one.onLoop { $0.record.events } == [.linkLost(MemberID(2), .incoming), .memberDown(MemberID(2))])
    }

    @Test("The newest connection of a peer replaces the one before, which is no loss")
    func replaced() throws {
        let one = try TestMember(1)
        try one.know([(MemberID(2), ["http://127.0.0.1:1"])])
        let first = try one.client()
        _ = try first.greet(.messages, as: 2, to: one)
        let second = try one.client()
        _ = try second.greet(.messages, as: 2, to: one)
        #expect(try first.isClosed())
        let message = heartbeat(1, from: MemberID(2), to: one.id)
        second.send(frame(of: [message]))
        #expect(try one.eventually { $0.record.messages == [message] })
        #expect(try one.onLoop { $0.record.events } == [])
    }

    @Test("Several URLs are tried in turn, those that cannot be used are said, names are resolved")
    func severalURLs() throws {
        let one = try TestMember(1)
        let two = try TestMember(2)
        try one.know([
            (two.id, ["https://127.0.0.1:\(two.port)", "nonsense", "http://127.0.0.1:1", "http://localhost:\(two.port)"])
        ])
        #expect(try one.isConnected(two))
        let unusable = try one.onLoop { $0.record.notices.count { if case .unusableURL = $0 { true } else { false } } }
        // One line a minute and peer.
        #expect(unusable == 1)
    }

    @Test("The connection stays when the URLs change, the next one goes to the new ones; a peer that is missing is let go")
    func changedPeers() throws {
        let one = try TestMember(1)
        let two = try TestMember(2)
        let other = try TestMember(2)
        let id = two.id
        try one.know(two)
        try two.know(one)
        #expect(try one.isConnected(two) && two.isConnected(one))
        try one.know([(id, ["http://127.0.0.1:1", two.url])])
        #expect(try one.onLoop { $0.links.isConnected(id) && $0.record.events == [.linkUp(id)] })
        try one.know(other)
        #expect(try one.onLoop { $0.links.isConnected(id) && $0.record.events == [.linkUp(id)] })
        try two.know([])
        #expect(
            try one.eventually { $0.record.events.filter { $0 == .linkUp(id) }.count == 2 && $0.links.isConnected(id) })
        try two.know(one)
        #expect(try two.isConnected(one))
        let events = try one.onLoop { $0.record.events.count }
        try one.know([])
        #expect(try one.onLoop { $0.links.statistics.isEmpty && !$0.links.isConnected(id) })
        // Its own connection to us is closed as well; it dials again and is let in, for nobody says not to.
        #expect(try two.eventually { $0.record.events.contains(.linkLost(MemberID(1), .outgoing)) })
        #expect(try one.onLoop { $0.record.events.count } == events)
    }

    @Test("Waits between dials: none, then doubled up to the maximum, never far off")
    func redial() {
        var redial = Redial(PeerLimits())
        let waits = (0..<10).map { _ in redial.next { _ in 0 }.nanoseconds / 1_000_000 }
        #expect(waits == [0, 10, 20, 40, 80, 160, 320, 500, 500, 500])
        redial.reset()
        let first = redial.next()
        #expect(first == .zero)
        for _ in 0..<100 {
            redial.slowDown()
            let wait = redial.next().nanoseconds / 1_000_000
            #expect((375...625).contains(wait))
        }
    }

    @Test("A notice about a peer comes once in a while, and made-up ids do not fill memory")
    func notices() {
        var gate = NoticeGate()
        let active = PeerNotice.active(MemberID(1))
        let other = PeerNotice.active(MemberID(2))
        let asked = [(active, 0), (active, 59), (other, 1), (.misdirected(MemberID(1)), 1), (active, 60), (active, 61)]
        #expect(asked.map { gate.lets($0.0, at: $0.1, seconds: 60) } == [true, false, true, true, true, false])
        gate.forget(MemberID(1))
        #expect([active, other].map { gate.lets($0, at: 61, seconds: 60) } == [true, true])
        let passed = (10...2000).count { gate.lets(.active(MemberID($0)), at: 62, seconds: 60) }
        #expect(passed < PeerLimits.noticePeersMax)
        let later = gate.lets(.active(MemberID(5000)), at: 200, seconds: 60)
        #expect(later)
    }
}
