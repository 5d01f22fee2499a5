import Raft
import Testing

@Suite("Raft thesis §4.1, §4.2: membership")
struct MembershipTests {
    @Test("Named bug: a membership change before an entry of the leader's term is committed is refused (Ongaro, 2015)")
    func beforeAnEntryOfTheTerm() {
        var bench = Bench(term: 1, commit: 1, log: log([1]))
        bench.lead(with: [])
        bench.receive(2, 1, .preVoteReply(granted: true))
        bench.persistAll()
        bench.receive(2, 2, .voteReply(granted: true))
        bench.persistAll()
        #expect(bench.step(.proposed([.addVoter(4)])).refusal == .changePending)
        bench.acknowledge(by: [2])
        #expect(bench.step(.proposed([.addVoter(4)])).appended == 3...3)
    }

    @Test("One at a time: the next one only when the last is committed; and alone")
    func oneAtATime() {
        var bench = Bench()
        bench.lead()
        #expect(bench.step(.proposed([.addVoter(4), nil])).refusal == .changePending)
        bench.step(.proposed([.addLearner(4)]))
        #expect(bench.step(.proposed([.remove(3)])).refusal == .changePending)
        #expect(bench.step(.proposed([nil])).refusal == nil)
        bench.persistAll()
        bench.acknowledge(by: [2])
        #expect(bench.step(.proposed([.remove(3)])).refusal == nil)
    }

    @Test("The last voter is not removed")
    func lastVoter() {
        var bench = Bench(voters: [1], learners: [2])
        bench.lead(with: [])
        #expect(bench.step(.proposed([.remove(1)])).refusal == .changePending)
    }

    @Test("A change is in force as soon as it is in the log: a new voter counts, a removed one does not")
    func inForceAtOnce() {
        var bench = Bench()
        bench.lead(with: [2])
        let output = bench.step(.proposed([.addVoter(4)]))
        #expect(output.notices == [.configurationChanged(Configuration(voters: [1, 2, 3, 4]), at: 2)])
        #expect(output.sent(to: 4).count == 1)
        bench.persistAll()
        bench.acknowledge(by: [2])
        bench.propose()
        bench.persistAll()
        bench.acknowledge(by: [2])
        #expect(bench.core.committed == 2, "two of four")
        bench.acknowledge(by: [4])
        #expect(bench.core.committed == 3)
    }

    @Test("A learner gets everything and counts for nothing until it is promoted")
    func learners() {
        var bench = Bench(voters: [1, 2], learners: [3])
        bench.lead(with: [2])
        bench.propose()
        bench.persistAll()
        bench.acknowledge(by: [3])
        #expect(bench.core.committed == 1)
        bench.acknowledge(by: [2])
        bench.step(.proposed([.addVoter(3)]))
        bench.persistAll()
        bench.acknowledge(by: [3])
        #expect(bench.core.committed == 3)
    }

    @Test("The addition of a voter is committed by a majority of those before it, what follows only by one with it")
    func additionByTheOldMajority() {
        var bench = Bench(voters: [1, 2])
        bench.lead()
        bench.step(.proposed([.addVoter(3)]))
        bench.propose()
        bench.persistAll()
        // Two of three, but the new one is among them: member 2 counts as before.
        #expect(bench.receive(2, 1, .appendAccepted(matched: 2)).committed == 2)
        #expect(bench.core.committed == 2)
        #expect(bench.receive(2, 1, .appendAccepted(matched: 3)).committed == 3)

        var four = Bench(voters: [1, 2, 3])
        four.lead()
        four.step(.proposed([.addVoter(4)]))
        four.propose()
        four.persistAll()
        #expect(four.receive(2, 1, .appendAccepted(matched: 3)).committed == 2, "two of three had the addition, two of four are too few")
        #expect(four.receive(4, 1, .appendAccepted(matched: 3)).committed == 3)
    }

    @Test("The addition of a voter that was inherited from another leader is committed like any old entry: behind one of the term")
    func inheritedAddition() {
        var bench = Bench(voters: [1, 2], term: 1, commit: 1, log: log([1, 1]), changes: [(2, .addVoter(3))])
        bench.step(.campaign)
        bench.receive(2, 1, .preVoteReply(granted: true))
        bench.persistAll()
        bench.receive(2, 2, .voteReply(granted: true))
        #expect(bench.core.role == .leader)
        bench.persistAll()
        #expect(bench.receive(2, 2, .appendAccepted(matched: 2)).committed == nil)
        #expect(bench.core.committed == 1)
        #expect(bench.receive(2, 2, .appendAccepted(matched: 3)).committed == 3)
    }

    @Test("A second voter is added as soon as the first has it on disk, though that one has crashed, or has given up leading, meanwhile")
    func secondVoter() {
        let restarted = Bench(voters: [1], term: 1, commit: 1, log: log([1, 1]), changes: [(2, .addVoter(2))])
        #expect(restarted.core.committed == 2 && restarted.core.configuration.voters == [1, 2])

        var slow = Bench(voters: [1])
        slow.lead(with: [])
        slow.step(.proposed([.addVoter(2)]))
        slow.propose()
        // The disk takes longer than a leader leads without a majority.
        while slow.core.role == .leader { slow.sleep() }
        #expect(slow.core.committed == 1)
        slow.persistAll()
        #expect(slow.core.committed == 2, "what follows takes both")
    }

    @Test("A change that is removed from the log is no more in force")
    func rolledBack() {
        var bench = Bench(term: 1, commit: 1, log: log([1]))
        bench.receive(2, 1, .append(previous: at(1, in: 1), entries: entries(from: 2, [1], change: .remove(3)), commit: 1))
        #expect(bench.core.configuration == Configuration(voters: [1, 2]))
        let output = bench.receive(3, 2, .append(previous: at(1, in: 1), entries: entries(from: 2, [2]), commit: 1))
        #expect(bench.core.configuration == Configuration(voters: [1, 2, 3]))
        #expect(output.notices.contains(.configurationChanged(Configuration(voters: [1, 2, 3]), at: 0)))
    }

    @Test("Named bug: a removed leader leads until its removal is committed, does not count itself, and hands over")
    func removedLeader() {
        var bench = Bench()
        bench.lead(with: [2, 3])
        bench.step(.proposed([.remove(1)]))
        bench.persistAll()
        bench.acknowledge(by: [2])
        #expect(bench.core.committed == 1, "one of the two that are left")
        #expect(bench.core.role == .leader)
        let output = bench.receive(3, 1, .appendAccepted(matched: 2))
        #expect(output.committed == 2 && bench.core.role == .follower)
        #expect(output.sent(to: 3).contains(.heartbeat(round: 0, commit: 2)))
        #expect(output.send.contains { $0.body == .timeoutNow })
        #expect(bench.core.wakeUp == nil, "it will not stand for election")
    }

    @Test("A removed member is told that its removal is committed, then left alone")
    func removedMember() {
        var bench = Bench()
        bench.lead(with: [2, 3])
        let sent = bench.step(.proposed([.remove(3)])).sent(to: 3)
        #expect(sent.count == 1)
        bench.persistAll()
        bench.acknowledge(by: [3])
        let output = bench.receive(2, 1, .appendAccepted(matched: 2))
        #expect(output.sent(to: 3) == [.heartbeat(round: 0, commit: 2)])
        #expect(bench.sleep().sent(to: 3).isEmpty)
    }

    @Test("A removed member that does not answer is given up")
    func silentRemovedMember() {
        var bench = Bench()
        bench.lead(with: [2, 3])
        bench.step(.proposed([.remove(3)]))
        bench.persistAll()
        bench.acknowledge(by: [2])
        for round in 1...30 as ClosedRange<UInt64> {
            bench.sleep()
            bench.receive(2, 1, .heartbeatReply(round: round))
        }
        #expect(bench.sleep().sent(to: 3).isEmpty)
    }

    @Test("A member with the uncommitted entry of its own removal may still be the only one who can win (thesis §4.2.2)")
    func uncommittedRemoval() {
        let changes: [(Index, ConfigurationChange)] = [(2, .remove(1))]
        var bench = Bench(voters: [1, 2], term: 1, commit: 1, log: log([1, 1]), changes: changes)
        bench.sleep()
        bench.receive(2, 1, .preVoteReply(granted: true))
        bench.persistAll()
        #expect(bench.core.role == .candidate, "its own vote does not count")
        bench.receive(2, 2, .voteReply(granted: true))
        #expect(bench.core.role == .leader)
        bench.persistAll()
        bench.acknowledge(by: [2])
        #expect(bench.core.role == .follower && bench.core.committed == 3)
    }

    @Test("The entry of a change travels with the change to members that come later")
    func headersCarryChanges() {
        let changes: [(Index, ConfigurationChange)] = [(1, .addVoter(1)), (2, .addVoter(2))]
        var bench = Bench(voters: [], term: 1, commit: 2, log: log([1, 1]), changes: changes, applied: 2)
        bench.lead()
        let refused = bench.receive(2, 2, .appendRefused(previous: 3, hint: .origin)).sent(to: 2)
        var expected = entries(from: 1, [1, 1, 2])
        expected[0].change = .addVoter(1)
        expected[1].change = .addVoter(2)
        #expect(refused == [.append(previous: .origin, entries: expected, commit: 3)])
    }
}

@Suite("Raft thesis §3.10: leadership transfer")
struct TransferTests {
    @Test("The target is told when it has everything; nothing is proposed meanwhile")
    func transfer() {
        var bench = Bench()
        bench.lead(with: [2, 3])
        bench.propose()
        let output = bench.step(.transferLeadership(to: 3))
        #expect(output.notices == [.transferStarted(to: 3)])
        #expect(output.sent(to: 3).isEmpty)
        #expect(bench.step(.proposed([nil])).refusal == .transferring)
        #expect(bench.acknowledge(by: [3]).bodies(to: 3).contains(.timeoutNow))
    }

    @Test("Without a target the most advanced voter is taken, not a learner")
    func mostAdvanced() {
        var bench = Bench(voters: [1, 2, 3], learners: [4])
        bench.lead(with: [2, 3, 4])
        bench.propose()
        bench.acknowledge(by: [3, 4])
        #expect(bench.step(.transferLeadership(to: nil)).sent(to: 3) == [.timeoutNow])
        #expect(bench.step(.transferLeadership(to: 4)).notices == [.transferFailed(to: 4)])
    }

    @Test("Among equally advanced voters each may be the one; who has less, or is not heard, may not")
    func equals() {
        var targets: Set<MemberID> = []
        for seed in 1...40 as ClosedRange<UInt64> {
            var bench = Bench(voters: [1, 2, 3, 4, 5, 6], learners: [7], seed: seed)
            bench.lead(with: [2, 3, 4, 5, 6])
            bench.propose()
            // 6 is heard and lacks the last entry.
            bench.acknowledge(by: [2, 3, 4, 7])
            for member in [3, 4, 6, 7] as [MemberID] { bench.receive(member, bench.core.term.value, .heartbeatReply(round: 1), after: 300) }
            let output = bench.step(.transferLeadership(to: nil))
            for case .transferStarted(let target) in output.notices {
                targets.insert(target)
                #expect(output.sent(to: target) == [.timeoutNow])
            }
        }
        #expect(targets == [3, 4])
    }

    @Test("After an election timeout it is given up, and proposals are taken again")
    func givenUp() {
        var bench = Bench()
        bench.lead(with: [2, 3])
        bench.step(.transferLeadership(to: 3))
        var notices: [CoreNotice] = []
        for round in 1...12 as ClosedRange<UInt64> {
            notices += bench.sleep().notices
            bench.receive(2, 1, .heartbeatReply(round: round))
        }
        #expect(notices == [.transferFailed(to: 3)])
        #expect(bench.step(.proposed([nil])).refusal == nil)
    }

    @Test("It is given up at once when the target's process is gone")
    func targetDown() {
        var bench = Bench()
        bench.lead(with: [2, 3])
        bench.step(.transferLeadership(to: 3))
        #expect(bench.step(.memberDown(3)).notices == [.transferFailed(to: 3)])
        #expect(bench.core.role == .leader)
    }

    @Test("The target stands for election at once, and says that it was asked to")
    func timeoutNow() {
        var bench = Bench(term: 1, log: log([1]))
        bench.receive(2, 1, .heartbeat(round: 1, commit: 0))
        bench.receive(2, 1, .timeoutNow)
        #expect(bench.core.role == .candidate && bench.core.term == 2)
        #expect(bench.persistAll().map(\.body).first == .vote(last: at(1, in: 1), isTransfer: true))
    }

    @Test("Who is not the leader cannot ask for it, nor can a learner be asked")
    func notTheLeader() {
        var bench = Bench(term: 1)
        bench.receive(2, 1, .heartbeat(round: 1, commit: 0))
        bench.receive(3, 1, .timeoutNow)
        #expect(bench.core.role == .follower)
        var learner = Bench(voters: [2, 3], learners: [1], term: 1)
        learner.receive(2, 1, .timeoutNow)
        #expect(learner.core.role == .follower)
    }
}
