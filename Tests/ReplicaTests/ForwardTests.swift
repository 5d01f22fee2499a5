import Raft
import Replica
import Testing
import Wire

@Suite("Proposals of a follower's clients")
struct ForwardTests {
    @Test("They reach the log by way of the leader, once and in order; the leader's own go straight in")
    func forwarded() {
        var cluster = Cluster(3)
        let leader = cluster.elect()
        let follower = (leader + 1) % 3
        cluster.handle(follower, .proposed((1...5).map { Cluster.set($0) }))
        #expect(cluster.members[follower].machine.wantsAppliedRequests)
        cluster.handle(follower, .proposed([Cluster.set(6)]))
        cluster.handle(leader, .proposed([Cluster.set(100)]))
        #expect(cluster.run { $0.isApplied([1, 2, 3, 4, 5, 6, 100]) })
        #expect(cluster.members[0].history.filter { $0 < 100 } == [1, 2, 3, 4, 5, 6])
        #expect(!cluster.members[follower].machine.wantsAppliedRequests)
        #expect(cluster.complaints.isEmpty)
    }

    @Test("A large one that takes its time on a slow link is not sent again and again meanwhile; a small one is, and both when the link is lost")
    func patience() {
        var settings = ReplicaSettings()
        settings.forwardBytesPerMillisecondMin = 1000
        for (bytes, wait) in [(100, 200), (10_000_000, 10_000)] as [(Int, UInt64)] {
            var core = RaftCore(
                id: MemberID(1), hardState: HardState(), log: LogShape(), configuration: Configuration(voters: [MemberID(1), MemberID(2)]),
                changes: [], applied: 0, now: 0, seed: 1)
            var output = CoreOutput()
            core.step(
                .received(Message(from: MemberID(2), to: MemberID(1), term: 1, body: .heartbeat(round: 1, commit: 0))), at: 0, into: &output)
            var machine = ReplicaMachine(
                core: core, policy: LogPolicy(entriesBetweenCuts: 1000, cutAt: 0, durable: 0), members: [], applied: .origin, life: 1,
                settings: settings)
            var times: [UInt64] = []
            func play(_ event: ReplicaEvent, at time: UInt64) {
                var effects = ReplicaEffects()
                machine.handle(event, at: time, into: &effects)
                for case .forward in effects.send { times.append(time) }
            }
            play(.proposed([EntryPayload(kind: .keys, value: [UInt8](repeating: 1, count: bytes), request: 7)]), at: 10)
            for time in stride(from: UInt64(20), to: wait, by: 10) {
                let heartbeat = Message(from: MemberID(2), to: MemberID(1), term: 1, body: .heartbeat(round: time, commit: 0))
                play(.received(.raft(heartbeat, payloads: [])), at: time)
                play(.time, at: time)
            }
            #expect(times == [10], "\(bytes) bytes")
            play(.linkLost(MemberID(2)), at: wait)
            play(.received(.raft(Message(from: MemberID(2), to: MemberID(1), term: 1, body: .heartbeat(round: 1, commit: 0)), payloads: [])), at: wait + 60)
            play(.time, at: wait + 60)
            #expect(times == [10, wait + 60], "\(bytes) bytes")
        }
    }

    @Test("Without a leader they wait, and go to the next one")
    func noLeader() {
        var cluster = Cluster(3)
        cluster.handle(0, .proposed([Cluster.set(1)]))
        #expect(cluster.network.isEmpty || cluster.leader == nil)
        #expect(cluster.run { $0.isApplied([1]) })
        let leader = cluster.elect()
        cluster.crash(leader)
        let other = (leader + 1) % 3
        cluster.handle(other, .proposed([Cluster.set(2)]))
        #expect(cluster.run { $0.isApplied([2]) })
        #expect(cluster.complaints.isEmpty)
    }

    @Test("Sent to a leader that dies, they are proposed again to the next one, though not before its first entry is applied")
    func leaderDies() throws {
        var cluster = Cluster(3)
        let leader = cluster.elect()
        let follower = (leader + 1) % 3
        cluster.network = []
        cluster.handle(follower, .proposed([Cluster.set(1), Cluster.set(2)]))
        #expect(cluster.network.contains { if case .message(.forward) = $0 { true } else { false } })
        cluster.network = []
        cluster.crash(leader)
        let again = try #require(
            {
                for _ in 0..<50_000 {
                    cluster.step()
                    if cluster.members[follower].orders.contains(where: { $0.entries.contains { $0.payload.request == 1 } }) { return 1 }
                    if cluster.network.contains(where: { if case .message(.forward) = $0 { true } else { false } }) { return 2 }
                }
                return nil as Int?
            }())
        #expect(again > 0)
        let applied = cluster.members[follower].applied
        #expect(applied.term > 1 && applied.term == cluster.members[follower].machine.core.term)
        #expect(cluster.run { $0.isApplied([1, 2]) })
        #expect(cluster.complaints.isEmpty)
    }

    @Test("A leader that is cut off keeps what its clients proposed, and gives it to its successor")
    func deposed() {
        var cluster = Cluster(5)
        let leader = cluster.elect()
        cluster.cutOff = [cluster.members[leader].id]
        cluster.handle(leader, .proposed((1...3).map { Cluster.set($0) }))
        #expect(cluster.run { $0.leader.map { $0 != leader } ?? false })
        #expect(cluster.run { $0.members[leader].machine.core.role != .leader })
        cluster.handle(leader, .proposed([Cluster.set(4)]))
        cluster.handle((leader + 1) % 5, .proposed([Cluster.set(10)]))
        cluster.run(steps: 3000) { _ in false }
        #expect(!cluster.members[leader].history.contains(1))
        cluster.cutOff = []
        #expect(cluster.run { $0.isApplied([1, 2, 3, 4, 10]) })
        #expect(cluster.complaints.isEmpty)
    }

    @Test("An entry that its leader could not commit, and a later leader does, is not proposed again")
    func committedLater() {
        var cluster = Cluster(3)
        let leader = cluster.elect()
        let witness = (leader + 1) % 3
        let third = (leader + 2) % 3
        // One follower gets the entry, and nobody hears of it.
        cluster.network = []
        cluster.handle(leader, .proposed([Cluster.set(1)]))
        while !cluster.members[leader].orders.isEmpty { cluster.persist(leader) }
        for message in cluster.network {
            if case .message(let parcel) = message, parcel.to == cluster.members[witness].id { cluster.handle(witness, .received(parcel)) }
        }
        while !cluster.members[witness].orders.isEmpty { cluster.persist(witness) }
        cluster.network = []
        cluster.cutOff = [cluster.members[leader].id]
        #expect(cluster.run { $0.isApplied([1], on: [witness, third]) }, "the witness has the longer log")
        cluster.cutOff = []
        #expect(cluster.run { $0.isApplied([1]) })
        cluster.run(steps: 5000) { _ in false }
        #expect(cluster.complaints.isEmpty)
        #expect(cluster.members[leader].history.filter { $0 == 1 }.count == 1)
    }

    @Test("A leader that is told that its disk has no room hands over, and what was proposed to it goes to the next one")
    func withoutRoom() {
        var cluster = Cluster(3)
        let full = cluster.elect()
        let others = [(full + 1) % 3, (full + 2) % 3]
        cluster.handle(full, .disk(.full))
        cluster.handle(full, .proposed([Cluster.set(1)]))
        #expect(cluster.run { $0.leader.map { $0 != full } ?? false })
        cluster.handle(others[0], .proposed([Cluster.set(2)]))
        #expect(cluster.run { $0.isApplied([1, 2], on: others) })
        cluster.handle(full, .disk(.free))
        #expect(cluster.run { $0.isApplied([1, 2]) })
        #expect(cluster.complaints.isEmpty)
    }

    @Test("A leader whose entries are not committed puts only so much into its log; the rest waits, and comes through in order")
    func uncommitted() {
        var settings = ReplicaSettings()
        settings.cacheBytesMax = 10_000
        settings.uncommittedBytesMax = 20_000
        var cluster = Cluster(3, settings: settings)
        let leader = cluster.elect()
        let before = cluster.members[leader].machine.core.last.index.value
        let value = [UInt8](repeating: 1, count: 1000)
        for request in 1...100 { cluster.handle(leader, .proposed([Cluster.set(UInt64(request), value: value)])) }
        let taken = cluster.members[leader].machine.core.last.index.value - before
        #expect(taken < 40, "\(taken) entries of a thousand bytes")
        #expect(cluster.run { $0.isApplied(1...100) })
        #expect(cluster.members[leader].history.filter { $0 <= 100 } == Array(1...100))
        #expect(cluster.complaints.isEmpty)
    }

    @Test("A lost message is repeated; a repeated one is taken once")
    func lost() {
        var cluster = Cluster(3)
        let leader = cluster.elect()
        let follower = (leader + 1) % 3
        cluster.network = []
        cluster.handle(follower, .proposed([Cluster.set(1)]))
        let copies = cluster.network
        cluster.network = []
        cluster.handle(follower, .proposed([Cluster.set(2)]))
        #expect(cluster.run { $0.isApplied([1, 2]) })
        #expect(cluster.members[follower].history == [1, 2], "2 has waited for 1")
        cluster.network += copies + copies
        cluster.handle(follower, .proposed([Cluster.set(3)]))
        cluster.network += copies
        #expect(cluster.run { $0.isApplied([3]) })
        cluster.run(steps: 2000) { _ in false }
        #expect(cluster.members[leader].history == [1, 2, 3])
        #expect(cluster.complaints.isEmpty)
    }

    @Test("A member that starts anew within a term is heard, and what its last life has sent is not taken any more")
    func newLife() {
        var cluster = Cluster(3)
        let leader = cluster.elect()
        let follower = (leader + 1) % 3
        for request: UInt64 in 1...4 { cluster.handle(follower, .proposed([Cluster.set(request)])) }
        #expect(cluster.run { $0.isApplied([1, 2, 3, 4]) })
        cluster.network = []
        cluster.handle(follower, .proposed([Cluster.set(5)]))
        let old = cluster.network
        cluster.network = []
        let term = cluster.members[leader].machine.core.term
        cluster.crash(follower)
        cluster.boot(follower)
        _ = cluster.elect()
        cluster.handle(follower, .proposed([Cluster.set(6)]))
        #expect(cluster.run { $0.isApplied([6]) })
        cluster.network += old
        cluster.run(steps: 2000) { _ in false }
        #expect(cluster.members[leader].machine.core.term == term, "the test wants one term")
        #expect(cluster.members[leader].history == [1, 2, 3, 4, 6])

        // Its clock was set back: it takes itself for an earlier life, and learns better.
        cluster.crash(follower)
        cluster.members[follower].life = 1
        cluster.boot(follower)
        _ = cluster.elect()
        cluster.handle(follower, .proposed([Cluster.set(7), Cluster.set(8)]))
        cluster.handle(follower, .proposed([Cluster.set(9)]))
        #expect(cluster.run { $0.isApplied([7, 8, 9]) })
        #expect(cluster.members[leader].history == [1, 2, 3, 4, 6, 7, 8, 9])
        #expect(cluster.complaints.isEmpty)
    }

    @Test("What nobody waits for any more is not proposed; others are, and nothing stalls behind it")
    func abandoned() {
        var cluster = Cluster(3)
        cluster.handle(0, .proposed([Cluster.set(1), Cluster.set(2)]))
        cluster.handle(0, .abandoned([1]))
        #expect(cluster.run { $0.isApplied([2]) })
        let leader = cluster.elect()
        let follower = (leader + 1) % 3
        cluster.network = []
        cluster.handle(follower, .proposed([Cluster.set(3)]))
        cluster.handle(follower, .abandoned([3]))
        cluster.network = []
        cluster.handle(follower, .proposed([Cluster.set(4)]))
        #expect(cluster.run { $0.isApplied([4]) }, "the leader waits for the number that was lost")
        #expect(!cluster.members[0].history.contains(1))
        #expect(cluster.complaints.isEmpty)
    }

    @Test("There is a bound; what does not fit is refused at once and never happens")
    func bounded() {
        var settings = ReplicaSettings()
        settings.forwardEntriesMax = 10
        var cluster = Cluster(3, settings: settings)
        for request: UInt64 in 1...30 { cluster.handle(0, .proposed([Cluster.set(request)])) }
        #expect(cluster.members[0].refused == Array(11...30))
        #expect(cluster.run { $0.isApplied(1...10) })
        cluster.run(steps: 2000) { _ in false }
        #expect(cluster.members[0].history.count == 10)
    }

    @Test("A window bounds what is under way; the rest follows", arguments: 1...5)
    func window(seed: UInt64) {
        var settings = ReplicaSettings()
        settings.forwardWindowMessages = 2
        settings.messageEntriesMax = 3
        var cluster = Cluster(3, seed: seed, settings: settings)
        let follower = (cluster.elect() + 1) % 3
        cluster.network = []
        for request: UInt64 in 1...100 { cluster.handle(follower, .proposed([Cluster.set(request)])) }
        #expect(cluster.network.count { if case .message(.forward) = $0 { true } else { false } } == 2)
        #expect(cluster.run { $0.isApplied(1...100) })
        #expect(cluster.members[0].history == Array(1...100))
    }

    @Test("Strangers' forwards, old terms, gaps and senseless appends do nothing")
    func strange() {
        var cluster = Cluster(3)
        let leader = cluster.elect()
        let core = cluster.members[leader].machine.core
        cluster.run(steps: 500) { $0.network.isEmpty }
        let first: UInt64 = 7 << 24 | 1
        let friend = cluster.members[(leader + 1) % 3].id
        let payloads = [Cluster.set(77)]
        func append(_ entries: [EntryHeader], _ payloads: [EntryPayload], previous: UInt64 = .max) -> PeerMessage {
            .raft(
                Message(
                    from: friend, to: core.id, term: Term(core.term.value + 1),
                    body: .append(previous: LogPosition(index: Index(previous), term: 1), entries: entries, commit: 5)), payloads: payloads)
        }
        for message: PeerMessage in [
            .forward(from: MemberID(55), to: core.id, term: core.term, number: first, payloads: payloads),
            .forward(from: friend, to: core.id, term: core.term.next, number: first, payloads: payloads),
            .forward(from: friend, to: core.id, term: 1, number: first, payloads: payloads),
            .forward(from: friend, to: friend, term: core.term, number: first, payloads: payloads),
            .forward(from: friend, to: core.id, term: core.term, number: 7 << 24 | 2, payloads: payloads),
            .forward(from: friend, to: core.id, term: core.term, number: .max, payloads: payloads),
            .forwarded(from: friend, to: core.id, term: core.term, number: .max),
            append([EntryHeader(position: LogPosition(index: 5, term: 1))], []), append([], payloads),
            append([EntryHeader(position: LogPosition(index: 0, term: 1))], payloads),
        ] { cluster.handle(leader, .received(message)) }
        #expect(cluster.complaints.isEmpty)
    }

    @Test("What this version could not apply is taken, so that it does not come again, and stays out of the log")
    func unreadable() {
        var cluster = Cluster(3)
        let leader = cluster.elect()
        let core = cluster.members[leader].machine.core
        let friend = cluster.members[(leader + 1) % 3].id
        func change(_ edit: (inout EntryPayload) -> Void) -> EntryPayload {
            var payload = MembershipCodec.encode(.add(Cluster.member(9)), time: 1, request: 78)
            edit(&payload)
            return payload
        }
        func keys(_ edit: (inout EntryPayload) -> Void) -> EntryPayload {
            var payload = Cluster.set(78)
            edit(&payload)
            return payload
        }
        let strange = [
            keys { $0.kind = 9 }, keys { $0.version = 2 }, keys { $0.operation = 99 }, keys { $0.options = [64] },
            change { $0.version = 2 }, change { $0.operation = 99 }, change { $0.path = Array("/0".utf8) }, change { $0.path = [] },
            change { $0.value += Array("\nweight 3".utf8) },
        ]
        for payload in strange { #expect(CommandCodec.decode(payload) == nil && MembershipCodec.decode(payload) == nil) }
        // An older version lets its clients have these.
        let long = [
            keys { $0.path = Array(String(repeating: "/a", count: 20_000).utf8) },
            keys { $0.path = Array("/".utf8) + [UInt8](repeating: 97, count: 5000) },
        ]
        let number: UInt64 = 7 << 24 | 1
        cluster.handle(
            leader, .received(.forward(from: friend, to: core.id, term: core.term, number: number, payloads: strange + long + [Cluster.set(79)])))
        let isTaken = cluster.network.contains { parcel in
            if case .message(.forwarded(_, friend, _, number)) = parcel { true } else { false }
        }
        #expect(isTaken)
        #expect(cluster.run { $0.isApplied([79]) })
        cluster.run(steps: 2000) { _ in false }
        #expect(cluster.members[leader].history == [79])
        #expect(cluster.members[leader].log.allSatisfy { !(strange + long).contains($0.payload) })
        #expect(cluster.complaints.isEmpty)
    }
}
