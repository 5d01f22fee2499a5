import Raft
import Testing

@Suite("Raft thesis §3.4, §3.6.1, §9.6: elections")
struct ElectionTests {
    @Test("Silence for one to two election timeouts starts a pre-vote; the term stays", arguments: 1...20 as ClosedRange<UInt64>)
    func silence(seed: UInt64) throws {
        var bench = Bench(term: 4, commit: 1, log: log([1, 4]), seed: seed)
        bench.receive(2, 4, .heartbeat(round: 1, commit: 1))
        #expect((2000..<3000).contains(try #require(bench.core.wakeUp)))
        let output = bench.sleep()
        #expect(bench.core.role == .preCandidate && bench.core.term == 4)
        #expect(output.persist == nil)
        #expect(output.send.map(\.to) == [2, 3])
        #expect(output.send.allSatisfy { $0.term == 5 && $0.body == .preVote(last: at(2, in: 4)) })
    }

    @Test("Members of different seeds or names do not wake up together")
    func spread() {
        let times = (1...50 as ClosedRange<UInt64>).compactMap { seed in
            var bench = Bench(term: 1, log: log([1]), seed: seed)
            bench.receive(2, 1, .heartbeat(round: 1, commit: 0))
            return bench.core.wakeUp
        }
        #expect(Set(times).count > 40)
        let names = (1...50 as ClosedRange<UInt64>).compactMap { name in
            RaftCore(
                id: MemberID(name), hardState: HardState(), log: LogShape(), configuration: Configuration(voters: [MemberID(name), 99]),
                changes: [], applied: 0, now: 1000, seed: 7
            ).wakeUp
        }
        // Of the 100 milliseconds in which they may.
        #expect(Set(names).count > 30)
    }

    @Test(
        "Who has just started knows of no leader and asks after one to two heartbeats, again and again, for an election timeout",
        arguments: 1...20 as ClosedRange<UInt64>)
    func freshStart(seed: UInt64) throws {
        var bench = Bench(term: 4, commit: 1, log: log([1, 4]), seed: seed)
        var attempts = 0
        while bench.now < 2000 {
            let time = try #require(bench.core.wakeUp)
            #expect((bench.now + 100..<bench.now + 200).contains(time))
            bench.sleep()
            #expect(bench.core.role == .preCandidate && bench.core.term == 4)
            attempts += 1
        }
        #expect(attempts >= 6)
        // Nobody is there: back to patience.
        #expect(try #require(bench.core.wakeUp) >= bench.now + 1000)
    }

    @Test("A member that starts while a leader works asks in vain, and disturbs nobody")
    func freshStartBesideALeader() {
        var bench = Bench(term: 4, commit: 1, log: log([1, 4]))
        bench.sleep()
        #expect(bench.core.role == .preCandidate)
        // Those that hear the leader keep silent or refuse; the leader itself speaks within a heartbeat.
        bench.receive(3, 4, .preVoteReply(granted: false))
        bench.receive(2, 4, .heartbeat(round: 9, commit: 2))
        #expect(bench.core.role == .follower && bench.core.leader == 2 && bench.core.term == 4)
        #expect((bench.core.wakeUp ?? 0) >= bench.now + 1000, "the hurry of the start is over")
    }

    @Test("Votes are asked for when a majority would give them, and only once term and own vote are on disk")
    func requestsFollowTheDisk() {
        var bench = Bench(term: 4, commit: 1, log: log([1, 4]))
        bench.sleep()
        let output = bench.receive(2, 4, .preVoteReply(granted: true))
        #expect(bench.core.role == .candidate && bench.core.term == 5)
        #expect(output.send.isEmpty)
        #expect(output.persist?.hardState == HardState(term: 5, vote: 1, commit: 1))
        #expect(bench.persist().send.map(\.body) == Array(repeating: .vote(last: at(2, in: 4), isTransfer: false), count: 2))
        #expect(bench.receive(3, 5, .voteReply(granted: true)).persist?.entries == entries(from: 3, [5]))
        #expect(bench.core.role == .leader && bench.core.leader == 1)
    }

    @Test("A foreign vote before the own one is on disk does not make a leader of three")
    func ownVoteCountsWhenDurable() {
        var bench = Bench()
        bench.sleep()
        bench.receive(2, 0, .preVoteReply(granted: true))
        bench.receive(2, 1, .voteReply(granted: true))
        #expect(bench.core.role == .candidate)
        bench.persist()
        #expect(bench.core.role == .leader)
    }

    @Test("A vote counts once, one of a learner or a stranger not at all")
    func oddVotes() {
        var bench = Bench(voters: [1, 2, 3, 4, 5], learners: [6])
        bench.sleep()
        for voter in [2, 2, 6, 9] as [MemberID] { bench.receive(voter, 0, .preVoteReply(granted: true)) }
        #expect(bench.core.role == .preCandidate)
        bench.receive(5, 0, .preVoteReply(granted: true))
        #expect(bench.core.role == .candidate)
    }

    @Test("Named bug: voting twice after a restart. A vote leaves only when it is on disk, and is remembered")
    func votingTwice() throws {
        var bench = Bench(term: 1)
        let output = bench.receive(2, 2, .vote(last: .origin, isTransfer: false))
        #expect(output.send.isEmpty, "the vote would leave before the disk has it")
        let state = try #require(output.persist?.hardState)
        #expect(state.term == 2 && state.vote == 2)
        #expect(bench.persist().send.map(\.body) == [.voteReply(granted: true)])
        #expect(bench.receive(3, 2, .vote(last: at(9, in: 1), isTransfer: false)).send.map(\.body) == [.voteReply(granted: false)])
        #expect(bench.receive(2, 2, .vote(last: .origin, isTransfer: false)).send.map(\.body) == [.voteReply(granted: true)])

        var restarted = Bench(term: state.term.value, vote: state.vote)
        let second = restarted.receive(3, 2, .vote(last: at(9, in: 1), isTransfer: false))
        #expect(second.send.map(\.body) == [.voteReply(granted: false)])
    }

    @Test("A repeated request before the vote is on disk is not answered early either")
    func repeatedRequest() {
        var bench = Bench(term: 1)
        bench.receive(2, 2, .vote(last: .origin, isTransfer: false))
        #expect(bench.receive(2, 2, .vote(last: .origin, isTransfer: false)).send.isEmpty)
        #expect(bench.persistAll().map(\.body) == [.voteReply(granted: true), .voteReply(granted: true)])
    }

    @Test("Only a log that has at least as much gets votes", arguments: [
        (at(3, in: 2), true), (at(9, in: 2), true), (at(1, in: 3), true), (at(2, in: 2), false), (at(9, in: 1), false),
    ])
    func upToDate(last: LogPosition, isGranted: Bool) {
        var bench = Bench(term: 2, commit: 0, log: log([1, 2, 2]))
        #expect(bench.receive(2, 3, .preVote(last: last)).send.map(\.body) == [.preVoteReply(granted: isGranted)])
        bench.receive(2, 3, .vote(last: last, isTransfer: false))
        #expect(bench.persistAll().map(\.body).contains(.voteReply(granted: true)) == isGranted)
    }

    @Test("Who is no voter does not campaign, but gives votes also to strangers", arguments: [[], [2, 3]] as [[MemberID]])
    func nonVoters(voters: [MemberID]) {
        var bench = Bench(voters: voters, learners: voters.isEmpty ? [] : [1])
        #expect(bench.core.wakeUp == nil)
        bench.step(.campaign)
        bench.step(.tick, after: 10_000)
        #expect(bench.core.role == .follower)
        bench.receive(9, 1, .vote(last: .origin, isTransfer: false))
        #expect(bench.persistAll().map(\.body) == [.voteReply(granted: true)])
    }

    @Test("Refused by a majority, a candidate waits for its next attempt")
    func refusals() {
        var bench = Bench(term: 1)
        bench.sleep()
        bench.receive(2, 1, .preVoteReply(granted: false))
        bench.receive(3, 1, .preVoteReply(granted: false))
        #expect(bench.core.role == .follower)
        bench.sleep()
        #expect(bench.core.role == .preCandidate)
    }

    @Test("Without pre-vote the term grows at once")
    func withoutPreVote() {
        var bench = Bench(settings: CoreSettings(preVote: false))
        bench.sleep()
        #expect(bench.core.role == .candidate && bench.core.term == 1)
    }
}

@Suite("Raft thesis §4.2.3, §6.2: nobody disturbs a working leader, and a leader without followers steps down")
struct CheckQuorumTests {
    private func follower() -> Bench {
        var bench = Bench(term: 1, log: log([1]))
        bench.receive(2, 1, .heartbeat(round: 1, commit: 0))
        return bench
    }

    @Test("Who hears from a leader gives no vote and does not even take the term, unless the leader asked for it")
    func lease() {
        var bench = follower()
        #expect(bench.receive(3, 5, .vote(last: at(9, in: 1), isTransfer: false)).persist == nil)
        #expect(bench.core.term == 1)
        #expect(bench.receive(3, 2, .preVote(last: at(9, in: 1))).send.map(\.body) == [.preVoteReply(granted: false)])
        #expect(bench.receive(3, 2, .preVote(last: at(9, in: 1)), after: 1000).send.map(\.body) == [.preVoteReply(granted: true)])

        var asked = follower()
        #expect(asked.receive(3, 2, .vote(last: at(9, in: 1), isTransfer: true)).persist?.hardState?.vote == 3)
    }

    @Test("A leader that hears from no majority for an election timeout steps down")
    func lostQuorum() {
        var bench = Bench()
        bench.lead()
        var notices: [CoreNotice] = []
        while bench.core.role == .leader, bench.now < 5000 { notices += bench.sleep().notices }
        #expect(notices.contains(.lostQuorum(1)))
        #expect(bench.core.role == .follower && bench.core.leader == .none)
    }

    @Test("One answer in each timeout is enough; the time of an own pause is not held against the others")
    func keepsLeading() {
        var bench = Bench()
        bench.lead()
        for round in 1...30 as ClosedRange<UInt64> {
            bench.sleep()
            if round % 8 == 0 { bench.receive(3, 1, .heartbeatReply(round: round)) }
            #expect(bench.core.role == .leader)
        }
        bench.receive(3, 1, .heartbeatReply(round: 30))
        bench.step(.tick, after: 5000)
        #expect(bench.core.role == .leader)
    }

    @Test("A leader that a member has left behind in terms learns it from that member and steps down")
    func leftBehind() {
        var ahead = Bench(term: 7, log: log([1]))
        let reply = ahead.receive(2, 5, .append(previous: at(1, in: 1), entries: [], commit: 0)).send
        #expect(reply == [Message(from: 1, to: 2, term: 7, body: .heartbeatReply(round: 0))])

        var leader = Bench()
        leader.lead()
        leader.receive(2, 7, .heartbeatReply(round: 0))
        #expect(leader.core.role == .follower && leader.core.term == 7)
    }

    @Test("The leader's process is down: pre-vote at once, and the lease is void")
    func leaderDown() throws {
        var bench = follower()
        bench.step(.memberDown(2))
        #expect(try #require(bench.core.wakeUp) <= bench.now + 30)
        #expect(bench.core.leader == .none)
        #expect(bench.receive(3, 2, .preVote(last: at(9, in: 1))).send.map(\.body) == [.preVoteReply(granted: true)])
    }

    @Test("The first to notice asks again soon, because others may not have noticed yet")
    func hurriedAttempts() throws {
        var bench = follower()
        bench.step(.memberDown(2))
        for _ in 0..<3 {
            bench.sleep()
            #expect(bench.core.role == .preCandidate)
            #expect(try #require(bench.core.wakeUp) <= bench.now + 200)
        }
    }

    @Test("A member with more in its log does not wait for its timeout when another asks in vain")
    func helpsOut() throws {
        var bench = follower()
        bench.step(.tick, after: 2000)
        bench.receive(3, 2, .preVote(last: .origin))
        #expect(try #require(bench.core.wakeUp) <= bench.now + 30)
    }

    @Test("Another member that is down changes no election")
    func otherDown() {
        var bench = follower()
        let before = bench.core.wakeUp
        bench.step(.memberDown(3))
        #expect(bench.core.wakeUp == before && bench.core.leader == 2)
    }

    @Test("kill -9 of the leader: within 150 ms there is a new one, in almost every trial")
    func failOver() {
        var slow = 0
        for seed in 1...40 as ClosedRange<UInt64> {
            let cluster = SmallCluster(seed: seed, voters: 3)
            cluster.run(milliseconds: 5000)
            guard let old = cluster.leader else { return #expect(Bool(false), "no leader") }
            cluster.crash(old)
            for member in cluster.members where member.id != old { cluster.later(.memberDown(old), to: member.id, within: 30) }
            cluster.run(milliseconds: 150)
            if cluster.leader == nil { slow += 1 }
        }
        #expect(slow <= 2)
    }
}
