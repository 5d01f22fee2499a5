import Raft
import Testing
import Wire

@testable import Replica

@Suite("Entries on their way to a peer are bounded in bytes")
struct UnderWayTests {
    private static let settings: ReplicaSettings = {
        var settings = ReplicaSettings()
        settings.appendBytesUnderWayMax = 10_000
        settings.messageBytesMax = 3000
        settings.cacheBytesMax = 20_000
        settings.uncommittedBytesMax = 10_000
        return settings
    }()

    private static let id = MemberID(1)
    private static let peer = MemberID(2)

    /// A leader of two, and a peer that is the test itself.
    private struct Leader {
        var machine: ReplicaMachine
        var now: UInt64 = 1000
        var sent: [(end: UInt64, count: Int, bytes: Int)] = []
        var fetches: [Message] = []
        var requests: UInt64 = 0

        init() {
            let core = RaftCore(
                id: id, hardState: HardState(), log: LogShape(), configuration: Configuration(voters: [id, peer]), changes: [], applied: 0,
                now: 1000, seed: 1)
            machine = ReplicaMachine(
                core: core, policy: LogPolicy(entriesBetweenCuts: 1000, cutAt: 0, durable: 0), members: [], applied: .origin, life: 1,
                settings: settings)
            now = core.wakeUp ?? 0
            handle(.time)
            hear(.preVoteReply(granted: true), term: 0)
            hear(.voteReply(granted: true))
            #expect(machine.core.role == .leader)
            acknowledge(1)
            sent = []
        }

        mutating func handle(_ event: ReplicaEvent) {
            var effects = ReplicaEffects()
            machine.handle(event, at: now, into: &effects)
            fetches += effects.fetch
            for case .raft(let message, let payloads) in effects.send {
                guard case .append(let previous, let entries, _) = message.body, !entries.isEmpty else { continue }
                sent.append((previous.index.value + UInt64(entries.count), entries.count, payloads.reduce(0) { $0 + $1.size }))
            }
            for request in effects.persist { handle(.persisted(request.ticket)) }
        }

        mutating func hear(_ body: Message.Body, term: UInt64? = nil) {
            let message = Message(from: peer, to: id, term: Term(term ?? machine.core.term.value), body: body)
            handle(.received(.raft(message, payloads: [])))
        }

        mutating func acknowledge(_ index: UInt64) { hear(.appendAccepted(matched: Index(index))) }

        mutating func propose(_ count: Int, bytes: Int) {
            for _ in 0..<count {
                requests += 1
                handle(.proposed([EntryPayload(kind: .keys, value: [UInt8](repeating: 1, count: bytes - 64), request: requests)]))
            }
            now += 5
            handle(.time)
        }

        /// More than a heartbeat.
        mutating func passTime() {
            now += 200
            handle(.time)
        }

        var last: UInt64 { sent.last?.end ?? 1 }
        var bytesSent: Int { sent.reduce(0) { $0 + $1.bytes } }
    }

    @Test("No more is sent than may be on its way; each acknowledgement lets more go, in order and without a gap")
    func window() {
        var leader = Leader()
        leader.propose(25, bytes: 1000)
        #expect(leader.bytesSent == 10_000 && leader.last == 11)
        leader.propose(1, bytes: 1000)
        #expect(leader.last == 11, "time and further proposals change nothing")
        leader.acknowledge(5)
        #expect(leader.last == 15)
        while leader.last < 27 { leader.acknowledge(leader.last) }
        #expect(leader.bytesSent == 26_000)
        var next: UInt64 = 2
        for message in leader.sent {
            #expect(message.end + 1 - UInt64(message.count) == next && message.bytes <= 3000)
            next = message.end + 1
        }
    }

    @Test("An entry that is larger than all that may be on its way goes alone")
    func large() {
        var leader = Leader()
        leader.propose(3, bytes: 20_000)
        #expect(leader.sent.map(\.end) == [2])
        leader.acknowledge(2)
        #expect(leader.sent.map(\.end) == [2, 3])
    }

    @Test("What was lost with the connection, or refused, is on its way no more")
    func lost() {
        for isRefused in [true, false] {
            var leader = Leader()
            leader.propose(20, bytes: 1000)
            #expect(leader.last == 11)
            if isRefused {
                leader.hear(.appendRefused(previous: 11, hint: LogPosition(index: 1, term: 1)))
            } else {
                leader.handle(.linkLost(Self.peer))
                leader.passTime()
                leader.hear(.heartbeatReply(round: 1))
            }
            for _ in 0..<10 { leader.acknowledge(leader.last) }
            #expect(leader.last == 21)
        }
    }

    @Test("What is read from the log is asked for once, waits for its answer, and counts; what is not found is searched again")
    func fetched() throws {
        var leader = Leader()
        leader.propose(20, bytes: 1000)
        // The peer comes back without any of it, and what is committed elsewhere is no longer in memory.
        leader.machine.cache.reset(next: leader.machine.core.last.index.next)
        leader.sent = []
        leader.hear(.appendRefused(previous: 11, hint: LogPosition(index: 1, term: 1)))
        leader.passTime()
        leader.hear(.heartbeatReply(round: 1))
        #expect(leader.fetches.count == 1 && leader.sent.isEmpty)
        let payload = EntryPayload(kind: .keys, value: [UInt8](repeating: 1, count: 936), request: 1)
        leader.handle(.fetched(try #require(leader.fetches.last), [payload, payload]))
        #expect(leader.sent.map(\.end) == [3])
        leader.acknowledge(3)
        #expect(leader.fetches.count == 2)
        leader.handle(.fetched(try #require(leader.fetches.last), [payload, payload]))
        leader.passTime()
        #expect(leader.sent.map(\.end) == [3, 5] && leader.fetches.count == 3, "it goes on without waiting for the peer")
        leader.handle(.fetched(try #require(leader.fetches.last), nil))
        #expect(leader.fetches.count == 3, "not in a circle")
        leader.passTime()
        leader.hear(.heartbeatReply(round: 1))
        #expect(leader.fetches.count == 4)
    }

    @Test("While the others do not keep up, proposals wait rather than fill the memory, and go on with them")
    func uncommitted() {
        var leader = Leader()
        leader.propose(60, bytes: 1000)
        #expect(leader.machine.core.last.index == 31)
        for _ in 0..<40 { leader.acknowledge(leader.last) }
        #expect(leader.machine.core.last.index == 61 && leader.last == 61)
    }
}
