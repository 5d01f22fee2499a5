import Raft
import Testing

@Suite("Silence of a leader: believed early when it was regular before, late when it was not")
struct SilenceTests {
    /// A follower that has heard its leader regularly for so long.
    private func follower(of leader: MemberID = 2, for milliseconds: UInt64 = 3000, settings: CoreSettings = CoreSettings()) -> Bench {
        var bench = Bench(term: 1, log: log([1]), settings: settings)
        bench.receive(leader, 1, .heartbeat(round: 1, commit: 0))
        hear(leader, for: milliseconds, &bench)
        return bench
    }

    private func hear(_ leader: MemberID, for milliseconds: UInt64, _ bench: inout Bench) {
        let interval = bench.core.settings.heartbeatMilliseconds
        for round in 1...max(1, milliseconds / interval) {
            bench.receive(leader, bench.core.term.value, .heartbeat(round: round, commit: 0), after: interval)
        }
    }

    private func patience(_ bench: Bench) -> UInt64 { (bench.core.wakeUp ?? 0) - bench.now }

    @Test("A regular leader is suspected after four and a half heartbeats, and asked for again soon, for an election timeout")
    func suspected() throws {
        var bench = follower()
        #expect((450..<480).contains(patience(bench)))
        let start = bench.now
        #expect(bench.sleep().sent(to: 3) == [.preVote(last: at(1, in: 1))])
        #expect(bench.core.role == .preCandidate && bench.core.leader == .none && bench.core.term == 1)
        var attempts = 1
        while bench.now < start + 1400 {
            #expect(patience(bench) <= 200)
            bench.sleep()
            attempts += 1
        }
        #expect(attempts >= 5)
        bench.sleep()
        #expect(patience(bench) >= 1000, "nobody is there: back to patience")
    }

    @Test("Who was heard regularly loses its lease as early: a pre-vote and a vote are given then and not before")
    func granted() {
        var bench = follower()
        let ask = Message.Body.preVote(last: at(1, in: 1))
        #expect(bench.receive(3, 2, ask, after: 449).send.map(\.body) == [.preVoteReply(granted: false)])
        #expect(bench.receive(3, 2, .vote(last: at(1, in: 1), isTransfer: false)).persist == nil)
        #expect(bench.receive(3, 2, ask, after: 1).send.map(\.body) == [.preVoteReply(granted: true)])
        #expect(bench.receive(3, 2, .vote(last: at(1, in: 1), isTransfer: false)).persist?.hardState?.vote == 3)
    }

    @Test("After a gap of more than two heartbeats and a half nobody believes in silence early for twenty election timeouts")
    func irregular() {
        var bench = follower()
        bench.receive(2, 1, .heartbeat(round: 1, commit: 0), after: 251)
        #expect(patience(bench) >= 1000)
        hear(2, for: 19_000, &bench)
        #expect(patience(bench) >= 1000)
        #expect(bench.receive(3, 2, .preVote(last: at(1, in: 1)), after: 900).send.map(\.body) == [.preVoteReply(granted: false)])
        hear(2, for: 22_000, &bench)
        #expect(patience(bench) < 480)
    }

    @Test("A leader that was suspected and speaks again was irregular; a new one is believed to be regular after two election timeouts")
    func trial() {
        var bench = follower()
        bench.sleep()
        bench.receive(2, 1, .heartbeat(round: 1, commit: 0))
        hear(2, for: 10_000, &bench)
        #expect(patience(bench) >= 1000)

        var other = follower()
        other.sleep()
        other.receive(3, 2, .heartbeat(round: 1, commit: 0))
        hear(3, for: 1900, &other)
        #expect(patience(other) >= 1000)
        hear(3, for: 200, &other)
        #expect(patience(other) < 480)
    }

    @Test("A member that was stopped itself suspects nobody: what was said meanwhile may lie unread before it", arguments: [540, 900, 1500])
    func ownPause(milliseconds: UInt64) {
        var bench = follower()
        bench.step(.tick, after: milliseconds)
        #expect(bench.core.role == .follower && bench.core.leader == 2)
        #expect(patience(bench) >= 100)
        bench.receive(2, 1, .heartbeat(round: 1, commit: 0), after: 20)
        #expect(patience(bench) >= 1000)

        var silent = follower()
        silent.step(.tick, after: milliseconds)
        silent.sleep()
        #expect(silent.core.role == .preCandidate, "a whole election timeout of silence is believed")
    }

    @Test(
        "It goes by the operator's timings, and not at all where it could disturb a leader",
        arguments: [
            (CoreSettings(heartbeatMilliseconds: 100, electionMilliseconds: 5000), 2250),
            (CoreSettings(heartbeatMilliseconds: 20, electionMilliseconds: 200), 90),
            (CoreSettings(heartbeatMilliseconds: 100, electionMilliseconds: 500), 450),
            (CoreSettings(heartbeatMilliseconds: 300, electionMilliseconds: 1000), 1000),
            (CoreSettings(preVote: false), 1000), (CoreSettings(checkQuorum: false), 1000),
        ] as [(CoreSettings, UInt64)])
    func timings(settings: CoreSettings, early: UInt64) {
        let bench = follower(for: 60_000, settings: settings)
        #expect(patience(bench) >= early)
        if early < settings.electionMilliseconds { #expect(patience(bench) < early + 30) }
    }

    @Test("Of two that ask each other in the same moment, one lets the other try: the one with the longer log, else with the higher id")
    func crossing() {
        var low = follower()
        low.sleep()
        #expect(low.receive(3, 2, .preVote(last: at(1, in: 1))).send.map(\.body) == [.preVoteReply(granted: true)])
        low.receive(3, 1, .preVoteReply(granted: true))
        #expect(low.core.role == .follower && low.core.term == 1)

        for (last, role) in [(at(1, in: 1), RaftCore.Role.preCandidate), (at(2, in: 1), .follower)] {
            var high = RaftCore(
                id: 3, hardState: HardState(term: 1), log: log([1]), configuration: Configuration(voters: [1, 2, 3]), changes: [],
                applied: 0, now: 1000, seed: 7)
            var output = CoreOutput()
            high.step(.tick, at: high.wakeUp ?? 0, into: &output)
            output = CoreOutput()
            high.step(.received(Message(from: 2, to: 3, term: 2, body: .preVote(last: last))), at: 0, into: &output)
            #expect(output.send.map(\.body) == [.preVoteReply(granted: true)])
            #expect(high.role == role)
        }
    }

    @Test("A leader that dies silently: within 600 ms there is a new one, in almost every trial")
    func silentDeath() {
        var slow = 0
        for seed in 1...200 as ClosedRange<UInt64> {
            let cluster = SmallCluster(seed: seed, voters: seed % 2 == 0 ? 3 : 5)
            cluster.run(milliseconds: 6000)
            guard let old = cluster.leader else { return #expect(Bool(false), "no leader") }
            cluster.run(milliseconds: seed % 100)
            cluster.crash(old)
            cluster.run(milliseconds: 600)
            if cluster.leader == nil { slow += 1 }
        }
        #expect(slow <= 6)
    }

    @Test("A pause of 300 ms of any member, and of 60 ms on every link, elects nobody")
    func pauses() {
        for seed in 1...60 as ClosedRange<UInt64> {
            let cluster = SmallCluster(seed: seed, voters: 3)
            if seed % 2 == 0 { cluster.faults.delayMax = 60 }
            cluster.run(milliseconds: 6000)
            let elections = cluster.leaders.count
            for pause in 0..<10 {
                let member = cluster.members[pause % 3]
                member.pausedUntil = cluster.now + 300
                cluster.run(milliseconds: 1000 + UInt64(pause) * 37)
            }
            #expect(cluster.leaders.count == elections, "seed \(seed)")
        }
    }
}
