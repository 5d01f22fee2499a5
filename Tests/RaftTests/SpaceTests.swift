import Raft
import Testing

@Suite("A disk without room")
struct SpaceTests {
    /// Leads three, and both others are heard.
    private func leader(voters: [MemberID] = [1, 2, 3]) -> Bench {
        var bench = Bench(voters: voters)
        bench.lead(with: voters.filter { $0 != 1 })
        return bench
    }

    /// Time passes, and all others answer heartbeats.
    private func hear(_ bench: inout Bench, heartbeats: Int, from others: [MemberID]) -> [CoreOutput] {
        var outputs: [CoreOutput] = []
        for _ in 0..<heartbeats {
            let output = bench.sleep()
            outputs.append(output)
            for case .heartbeat(let round, _) in output.send.map(\.body) where round > 0 {
                for other in others { outputs.append(bench.receive(other, bench.core.term.value, .heartbeatReply(round: round))) }
                break
            }
        }
        return outputs
    }

    @Test("The leader takes no proposals and hands over at once to one that has everything", arguments: [DiskSpace.full, .logOnly])
    func handsOver(space: DiskSpace) throws {
        var bench = leader()
        bench.propose()
        bench.acknowledge(by: [3])
        let output = bench.step(.disk(space))
        #expect(output.notices == [.transferStarted(to: 3)])
        #expect(output.sent(to: 3) == [.timeoutNow])
        #expect(bench.step(.proposed([nil])).refusal == .noRoom)
    }

    @Test("What its own disk does not have is committed by the others, and is what the next leader must have")
    func tail() {
        var bench = leader()
        bench.propose(3)
        let first = bench.step(.disk(.full))
        #expect(!first.send.map(\.body).contains(.timeoutNow))
        let sent = bench.acknowledge(by: [2]) + bench.acknowledge(by: [3])
        #expect(sent.map(\.body).contains(.timeoutNow))
        #expect(bench.core.durable < bench.core.last.index && bench.core.committed == bench.core.durable)
    }

    @Test("One after the other is asked, in turn and without a word in the log but the first; room ends it")
    func inTurn() {
        var bench = leader()
        bench.step(.disk(.full))
        var targets: [MemberID] = []
        var notices: [CoreNotice] = []
        for output in hear(&bench, heartbeats: 60, from: [2, 3]) {
            notices += output.notices
            for message in output.send where message.body == .timeoutNow && targets.last != message.to { targets.append(message.to) }
        }
        #expect(bench.core.role == .leader && bench.core.term == 1)
        #expect(targets.count >= 4 && Set(targets) == [2, 3])
        #expect(notices.count == 1, "\(notices)")
        #expect(bench.step(.disk(.free)).notices.isEmpty)
        #expect(bench.step(.proposed([nil])).refusal == nil)
    }

    @Test("It leads on when the others could not elect without its vote, which it can give only if the log has room")
    func twoVoters() {
        var bench = leader(voters: [1, 2])
        #expect(bench.step(.disk(.full)).send.isEmpty)
        #expect(bench.step(.disk(.logOnly)).sent(to: 2) == [.timeoutNow])
        var lone = Bench(voters: [1])
        lone.lead(with: [])
        #expect(lone.step(.disk(.full)).send.isEmpty && lone.core.role == .leader)
    }

    @Test("A member without room gives no votes and no hope of one, takes no entries, says nothing about any, and answers heartbeats")
    func follower() {
        var bench = Bench(term: 1, log: log([1]))
        bench.receive(2, 1, .heartbeat(round: 1, commit: 1))
        bench.persistAll()
        bench.step(.disk(.full))
        #expect(bench.receive(2, 1, .heartbeat(round: 2, commit: 1)).send.map(\.body).contains(.heartbeatReply(round: 2)))
        let append = Message.Body.append(previous: at(1, in: 1), entries: entries(from: 2, [1]), commit: 1)
        let unknown = Message.Body.append(previous: at(9, in: 1), entries: [], commit: 1)
        for body in [append, unknown] {
            let output = bench.receive(2, 1, body)
            #expect(output.send.isEmpty && output.persist == nil)
        }
        #expect(bench.receive(3, 2, .preVote(last: at(9, in: 1)), after: 2000).send.map(\.body) == [.preVoteReply(granted: false)])
        #expect(bench.receive(3, 2, .vote(last: at(9, in: 1), isTransfer: false)).send.map(\.body) == [.voteReply(granted: false)])
        bench.persistAll()
        bench.step(.disk(.free))
        #expect(bench.receive(3, 3, .preVote(last: at(9, in: 1)), after: 2000).send.map(\.body) == [.preVoteReply(granted: true)])
    }

    @Test("With room in the log alone it gives votes and takes entries, and does not stand", arguments: [DiskSpace.full, .logOnly])
    func doesNotStand(space: DiskSpace) {
        var bench = Bench(term: 1, log: log([1]))
        bench.step(.disk(space))
        bench.step(.campaign)
        for _ in 0..<10 { bench.step(.tick, after: 2000) }
        bench.receive(2, 1, .timeoutNow)
        #expect(bench.core.role == .follower && bench.core.term == 1)
        let answer = bench.receive(2, 2, .vote(last: at(1, in: 1), isTransfer: true)).send + bench.persistAll()
        #expect(answer.map(\.body) == [.voteReply(granted: space == .logOnly)])
        bench.receive(2, 2, .append(previous: at(1, in: 1), entries: entries(from: 2, [2]), commit: 1))
        #expect(bench.core.last.index == (space == .logOnly ? 2 : 1))
        bench.step(.disk(.free))
        bench.step(.tick, after: 4000)
        #expect(bench.core.role == .preCandidate)
    }

    @Test("The room that comes is used at once")
    func roomAgain() throws {
        var bench = Bench(term: 1, log: log([1]))
        bench.step(.tick, after: 100)
        bench.step(.disk(.full))
        bench.step(.tick, after: 10_000)
        #expect(bench.core.wakeUp == nil, "nothing is to be done while there is no room")
        bench.step(.disk(.free))
        #expect(try #require(bench.core.wakeUp) <= bench.now + 2000)
        bench.sleep()
        #expect(bench.core.role == .preCandidate)
    }

    @Test("A candidate whose vote does not reach its disk stands once, however long that takes, and can still win")
    func hungDisk() {
        var bench = Bench(term: 4, commit: 1, log: log([1, 4]))
        bench.sleep()
        bench.receive(2, 4, .preVoteReply(granted: true))
        #expect(bench.core.role == .candidate && bench.core.term == 5)
        for round in 0..<20 {
            bench.step(.tick, after: 2000)
            bench.receive(2, 5, .preVoteReply(granted: true))
            #expect(bench.core.term == 5, "round \(round)")
        }
        #expect(bench.receive(3, 6, .preVote(last: at(9, in: 4))).send.map(\.body) == [.preVoteReply(granted: false)])
        #expect(bench.persist().send.map(\.body) == Array(repeating: .vote(last: at(2, in: 4), isTransfer: false), count: 2))
        #expect((bench.core.wakeUp ?? 0) >= bench.now + 1000, "the others have time to answer")
        bench.receive(3, 5, .voteReply(granted: true))
        #expect(bench.core.role == .leader)
    }
}

@Suite("Full disks in a small cluster")
struct FullDiskClusterTests {
    private func terms(_ cluster: SmallCluster) -> UInt64 { cluster.members.compactMap { $0.core?.term.value }.max() ?? 0 }

    @Test("A leader without room: another one leads, and a majority commits")
    func leader() {
        for seed in 1...40 as ClosedRange<UInt64> {
            let cluster = SmallCluster(seed: seed, voters: 3)
            cluster.run(milliseconds: 5000)
            guard let full = cluster.leader else { return #expect(Bool(false), "no leader") }
            cluster.members[cluster.place(full)].isFull = true
            cluster.give(.proposed([nil]), to: full)
            cluster.run(milliseconds: 3000)
            #expect(cluster.leader != nil && cluster.leader != full, "seed \(seed)")
            let before = cluster.history.count
            let term = terms(cluster)
            for _ in 0..<50 {
                if let leader = cluster.leader { cluster.give(.proposed([nil]), to: leader) }
                cluster.run(milliseconds: 200)
            }
            #expect(cluster.history.count >= before + 50, "seed \(seed)")
            #expect(terms(cluster) == term, "seed \(seed): leadership moves about")
            #expect(cluster[full].writes.count < 10, "what it cannot write gathers: \(cluster[full].writes.count)")
            cluster.heal()
            cluster.checkLiveness(within: 10_000)
            cluster.checkLogs()
            #expect(cluster.violations.isEmpty, "seed \(seed)")
            if !cluster.violations.isEmpty { return }
        }
    }

    @Test("No room anywhere: the term stands still, nothing gathers, and room for two of three is enough, whichever they are")
    func all() {
        for seed in 1...40 as ClosedRange<UInt64> {
            let cluster = SmallCluster(seed: seed, voters: 3)
            cluster.run(milliseconds: 5000)
            let term = terms(cluster)
            for member in cluster.members { cluster.members[cluster.place(member.id)].isFull = true }
            for round in 0..<300 {
                if let leader = cluster.leader { cluster.give(.proposed([nil]), to: leader) }
                // Somebody loses the leader now and then.
                if round == 100, let leader = cluster.leader {
                    for member in cluster.members where member.id != leader { cluster.give(.memberDown(leader), to: member.id) }
                }
                cluster.run(milliseconds: 500)
            }
            #expect(terms(cluster) <= term + 3, "seed \(seed): from term \(term) to \(terms(cluster)) in 150 s")
            for member in cluster.members { #expect(member.writes.count < 20, "seed \(seed): \(member.writes.count) writes wait") }
            let stays = MemberID(seed % 3 + 1)
            for member in cluster.members where member.id != stays { cluster.members[cluster.place(member.id)].isFull = false }
            let before = cluster.history.count
            for _ in 0..<40 where cluster.history.count < before + 3 {
                cluster.run(milliseconds: 250)
                if let leader = cluster.leader { cluster.give(.proposed([nil]), to: leader) }
            }
            #expect(cluster.history.count >= before + 3, "seed \(seed): no service with room for two of three")
            cluster.heal()
            cluster.checkLiveness(within: 10_000)
            cluster.checkLogs()
            #expect(cluster.violations.isEmpty, "seed \(seed)")
            if !cluster.violations.isEmpty { return }
        }
    }
}
