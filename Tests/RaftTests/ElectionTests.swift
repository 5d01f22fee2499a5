import Raft
import Testing

@Suite("Raft thesis §3.4: election of the only voter")
struct ElectionTests {
    @Test("A campaign opens the next term, votes for itself, and leads nothing before both are on disk")
    func voteIsDurableFirst() throws {
        var bench = Bench(hardState: HardState(term: 4, vote: .none, commit: 0))
        let output = bench.step(.campaign)

        let state = try #require(output.hardState)
        #expect(state.term == 5)
        #expect(state.vote == Bench.id)
        #expect(bench.core.role == .candidate)
        #expect(!output.becameLeader)
        #expect(output.emptyEntry == nil)

        let elected = bench.persistOne()
        #expect(elected.becameLeader)
        #expect(bench.core.role == .leader)
        #expect(bench.core.term == 5)
    }

    @Test("A write of an older term that reaches the disk late elects nobody")
    func lateWriteOfAnOlderTerm() {
        var bench = Bench(hardState: HardState(term: 4, vote: .none, commit: 0))
        bench.step(.campaign)
        let output = bench.step(.persisted(term: 4, upTo: 0))
        #expect(!output.becameLeader)
        #expect(bench.core.role == .candidate)
    }

    @Test("A second campaign before the first vote is durable needs a vote of its own")
    func campaignTwice() {
        var bench = Bench()
        bench.step(.campaign)
        bench.step(.campaign)
        #expect(bench.core.term == 2)
        #expect(bench.persistOne().becameLeader == false, "that was the vote of term 1")
        #expect(bench.persistOne().becameLeader)
    }

    @Test("A leader does not campaign against itself")
    func leaderStays() {
        var bench = Bench.leader()
        let output = bench.step(.campaign)
        #expect(output.hardState == nil)
        #expect(bench.core.role == .leader)
        #expect(bench.core.term == 1)
    }

    @Test("The first entry of a term is the leader's empty one, at the end of the log it found")
    func emptyEntryFirst() throws {
        var bench = Bench(
            hardState: HardState(term: 2, vote: Bench.id, commit: 7), last: LogPosition(index: 9, term: 2), applied: 7)
        bench.step(.campaign)
        #expect(bench.step(.proposed(count: 1)).refused == 1)
        let output = bench.persistOne()
        #expect(output.emptyEntry == LogPosition(index: 10, term: 3))
        #expect(output.durableIsCommitted)
        #expect(bench.step(.proposed(count: 2)).appended == 11...12)
        #expect(bench.core.last == LogPosition(index: 12, term: 3))
    }
}

@Suite("Raft thesis §3.8: what a restart remembers")
struct RestartTests {
    @Test("Term and vote come back, and the term of the last entry counts when the hard state lags")
    func termComesBack() {
        let core = RaftCore(
            id: Bench.id, hardState: HardState(term: 3, vote: Bench.id, commit: 2), last: LogPosition(index: 5, term: 4),
            applied: 2)
        #expect(core.term == 4)
        #expect(core.vote == Bench.id)
        #expect(core.role == .follower)
        #expect(core.durable == 5)
        #expect(core.committed == 2)
    }

    @Test("What was applied was committed, though the stored commit index lags")
    func appliedIsCommitted() {
        let core = RaftCore(
            id: Bench.id, hardState: HardState(term: 1, vote: Bench.id, commit: 0), last: LogPosition(index: 5, term: 1),
            applied: 4)
        #expect(core.committed == 4)
    }

    @Test("A commit index beyond the end of the log is taken for its end")
    func commitBeyondTheEnd() {
        let core = RaftCore(
            id: Bench.id, hardState: HardState(term: 1, vote: Bench.id, commit: 50), last: LogPosition(index: 5, term: 1),
            applied: 3)
        #expect(core.committed == 5)
    }

    @Test("A new life is a new term: no term has two lives of a leader")
    func newTermEachLife() {
        var term: Term = 0
        var last = LogPosition.origin
        for life in 1...5 {
            var bench = Bench.leader(hardState: HardState(term: term, vote: Bench.id, commit: 0), last: last)
            bench.step(.proposed(count: 3))
            bench.persistAll()
            #expect(bench.core.term == Term(UInt64(life)))
            #expect(bench.core.last.index == Index(UInt64(life) * 4))
            #expect(bench.core.committed == bench.core.last.index)
            term = bench.core.term
            last = bench.core.last
        }
    }
}
