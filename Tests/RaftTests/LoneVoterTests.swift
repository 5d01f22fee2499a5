import Raft
import Testing

@Suite("Raft thesis §3.4: election of the only voter")
struct LoneVoterElectionTests {
    @Test("A campaign opens the next term, votes for itself, and leads nothing before both are on disk")
    func voteIsDurableFirst() throws {
        var bench = Bench(voters: [1], term: 4)
        let output = bench.step(.campaign)

        let state = try #require(output.persist?.hardState)
        #expect(state.term == 5)
        #expect(state.vote == Bench.id)
        #expect(bench.core.role == .candidate)
        #expect(bench.persist().persist?.entries == [EntryHeader(position: at(1, in: 5))])
        #expect(bench.core.role == .leader)
    }

    @Test("A second campaign before the first vote is durable changes nothing: it would need a vote of its own, on the same disk")
    func campaignTwice() {
        var bench = Bench(voters: [1])
        bench.step(.campaign)
        #expect(bench.step(.campaign).persist == nil)
        #expect(bench.core.term == 1 && bench.core.role == .candidate)
        bench.persist()
        #expect(bench.core.role == .leader)
    }

    @Test("A leader does not campaign against itself, and nothing happens to it by time alone")
    func leaderStays() {
        var bench = Bench(voters: [1])
        bench.lead(with: [])
        #expect(bench.step(.campaign).persist == nil)
        #expect(bench.core.role == .leader)
        #expect(bench.core.wakeUp == nil)
    }

    @Test("A lone voter that nobody tells to campaign does so after its timeout, without asking for pre-votes")
    func campaignByTime() throws {
        var bench = Bench(voters: [1])
        let time = try #require(bench.core.wakeUp)
        #expect((1100..<1200).contains(time), "after a start there is no leader to wait for")
        bench.sleep()
        bench.persist()
        #expect(bench.core.role == .leader)
    }
}

@Suite("Raft thesis §3.8: what a restart remembers")
struct RestartTests {
    @Test("Term and vote come back; a term known only from the log comes without a vote")
    func termComesBack() {
        let same = Bench(term: 4, vote: 2, commit: 2, log: log([1, 1, 3, 4])).core
        #expect(same.term == 4 && same.vote == 2 && same.role == .follower && same.durable == 4 && same.committed == 2)
        let lagging = Bench(term: 3, vote: 2, commit: 2, log: log([1, 1, 3, 4])).core
        #expect(lagging.term == 4 && lagging.vote == .none)
    }

    @Test("What was applied was committed, though the stored commit index lags; beyond the log there is nothing")
    func commitComesBack() {
        #expect(Bench(term: 1, commit: 0, log: log([1, 1, 1, 1, 1]), applied: 4).core.committed == 4)
        #expect(Bench(term: 1, commit: 50, log: log([1, 1, 1]), applied: 3).core.committed == 3)
    }

    @Test("Changes of the configuration come back from the log, those included that the state has applied already")
    func configurationComesBack() {
        let changes: [(Index, ConfigurationChange)] = [(1, .addVoter(1)), (2, .addVoter(2)), (3, .addLearner(4)), (4, .addVoter(4))]
        let fresh = Bench(voters: [], term: 1, commit: 3, log: log([1, 1, 1, 1]), changes: changes).core
        #expect(fresh.configuration == Configuration(voters: [1, 2, 4]))
        let applied = Bench(voters: [1, 2], learners: [4], term: 1, commit: 3, log: log([1, 1, 1, 1]), changes: changes, applied: 3)
        #expect(applied.core.configuration == Configuration(voters: [1, 2, 4]))
    }
}

@Suite("Raft: a lone voter's writes")
struct LoneVoterWriteTests {
    @Test("What is durable is committed, and the order says so; the tickets tell how far")
    func durableCommits() {
        var bench = Bench(voters: [1])
        bench.lead(with: [])
        #expect(bench.core.committed == 1)
        let first = bench.step(.proposed([nil, nil]))
        #expect(first.appended == 2...3)
        #expect(first.persist?.durableIsCommitted == true)
        #expect(bench.step(.proposed([nil, nil])).appended == 4...5)
        #expect(bench.core.committed == 1)
        #expect(bench.persist().committed == 3)
        #expect(bench.persist().committed == 5)
    }

    @Test("Entries of older terms are on disk and still not committed until one of the leader's own is")
    func olderTermsOnlyByAnOwnEntry() {
        var bench = Bench(voters: [1], term: 2, commit: 3, log: log([1, 1, 1, 2, 2]), applied: 3)
        bench.step(.campaign)
        #expect(bench.persist().committed == nil)
        #expect(bench.core.committed == 3)
        #expect(bench.persist().committed == 6)
    }

    @Test("A second voter in the log ends it, a learner does not")
    func secondVoter() {
        var bench = Bench(voters: [1])
        bench.lead(with: [])
        #expect(bench.step(.proposed([.addLearner(2)])).persist?.durableIsCommitted == true)
        bench.persist()
        #expect(bench.step(.proposed([.addVoter(2)])).persist?.durableIsCommitted == false)
        #expect(bench.persist().committed == 3, "by the majority before the change")
        bench.propose()
        #expect(bench.persist().committed == nil)
        #expect(bench.receive(2, 1, .appendAccepted(matched: 4)).committed == 4)
    }

    @Test("Followers and candidates give no places; nothing proposed is no place")
    func refused() {
        var bench = Bench(voters: [1])
        #expect(bench.step(.proposed([nil])).refusal == .notLeader(.none))
        bench.step(.campaign)
        #expect(bench.step(.proposed([nil])).refusal == .notLeader(.none))
        bench.persistAll()
        let nothing = bench.step(.proposed([]))
        #expect(nothing.refusal == nil && nothing.appended == nil && nothing.persist == nil)
    }

    @Test("Reads are answered at once, but not before an entry of the term is committed")
    func reads() {
        var bench = Bench(voters: [1], term: 1, commit: 1, log: log([1, 1]))
        bench.step(.campaign)
        bench.persist()
        #expect(bench.step(.readRequested(context: 1)).readsReleased.isEmpty)
        let released = bench.persist().readsReleased
        #expect(released.map(\.context) == [1] && released.map(\.index) == [3])
        bench.propose(5)
        #expect(bench.step(.readRequested(context: 2)).readsReleased.map(\.index) == [3])
    }

    @Test("A learner's read waits for what the log's writer may have handed on already")
    func readOfALearner() {
        var bench = Bench(voters: [1], learners: [2])
        bench.lead(with: [])
        bench.propose(3)
        #expect(bench.receive(2, 1, .readIndex(context: 9)).sent(to: 2).contains(.readIndexReply(context: 9, index: 4)))
    }
}
