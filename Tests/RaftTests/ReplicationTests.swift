import Raft
import Testing

@Suite("Raft thesis §3.5: places in the log")
struct ProposalTests {
    @Test("Only a leader gives places; a follower and a candidate refuse every one and move nothing")
    func refusedWithoutLeadership() {
        var bench = Bench(last: LogPosition(index: 3, term: 1))
        let asFollower = bench.step(.proposed(count: 5))
        #expect(asFollower.refused == 5)
        #expect(asFollower.appended == nil)
        bench.step(.campaign)
        let asCandidate = bench.step(.proposed(count: 2))
        #expect(asCandidate.refused == 2)
        #expect(asCandidate.appended == nil)
        #expect(bench.core.last.index == 3)
    }

    @Test("Places follow each other without a gap, whatever is on disk meanwhile")
    func placesFollow() {
        var bench = Bench.leader()
        #expect(bench.step(.proposed(count: 3)).appended == 2...4)
        #expect(bench.step(.proposed(count: 1)).appended == 5...5)
        #expect(bench.core.committed == 1)
        #expect(bench.core.durable == 1)
        bench.persistOne()
        #expect(bench.step(.proposed(count: 2)).appended == 6...7)
    }

    @Test("A proposal of nothing gives no place")
    func nothingProposed() {
        var bench = Bench.leader()
        let output = bench.step(.proposed(count: 0))
        #expect(output.appended == nil)
        #expect(output.refused == 0)
        #expect(bench.core.last.index == 1)
    }
}

@Suite("Raft thesis §3.6.2 and figure 3.7: commitment")
struct CommitmentTests {
    @Test("A lone voter commits by its own disk, and only as far as that")
    func durableCommits() {
        var bench = Bench.leader()
        bench.step(.proposed(count: 2))
        bench.step(.proposed(count: 2))
        #expect(bench.core.committed == 1)
        #expect(bench.persistOne().committed == 3)
        #expect(bench.core.committed == 3)
        #expect(bench.persistOne().committed == 5)
    }

    @Test("Entries of older terms are on disk and still not committed until one of the leader's own is")
    func olderTermsOnlyByAnOwnEntry() {
        var bench = Bench(
            hardState: HardState(term: 2, vote: Bench.id, commit: 3), last: LogPosition(index: 5, term: 2), applied: 3)
        bench.step(.campaign)
        let elected = bench.step(.persisted(term: 3, upTo: 5))
        #expect(elected.becameLeader)
        #expect(elected.committed == nil)
        #expect(bench.core.committed == 3, "4 and 5 are durable, but of term 2")
        #expect(bench.step(.persisted(term: 3, upTo: 6)).committed == 6)
    }

    @Test("A candidate commits nothing, whatever reaches its disk")
    func candidateCommitsNothing() {
        var bench = Bench(hardState: HardState(term: 2, vote: .none, commit: 3), last: LogPosition(index: 5, term: 2), applied: 3)
        bench.step(.campaign)
        let output = bench.step(.persisted(term: 2, upTo: 5))
        #expect(output.committed == nil)
        #expect(bench.core.committed == 3)
    }

    @Test("A report of a write beyond the log, or of an old one, moves nothing it should not")
    func strangeReports() {
        var bench = Bench.leader()
        bench.step(.proposed(count: 2))
        bench.step(.persisted(term: 1, upTo: 100))
        #expect(bench.core.durable == 3)
        #expect(bench.core.committed == 3)
        let late = bench.step(.persisted(term: 1, upTo: 1))
        #expect(late.committed == nil)
        #expect(bench.core.committed == 3)
    }
}

@Suite("Raft thesis figure 3.2: what always holds")
struct InvariantTests {
    /// Drives a member through lives of random length, with writes that lag behind and crashes that lose them.
    @Test(
        "Random lives: terms and commit never fall, nothing committed is lost, same inputs give same outputs", arguments: 1...40)
    func randomLives(seed: UInt64) throws {
        #expect(try life(seed) == life(seed), "seed \(seed)")
    }

    private func life(_ seed: UInt64) throws -> [String] {
        var generator = SeededGenerator(seed: seed)
        var journal: [String] = []
        // What the disk holds: term, vote, end of the log.
        var disk = HardState()
        var diskLast = LogPosition.origin
        var committed: Index = 0
        for _ in 0..<6 {
            var bench = Bench(hardState: disk, last: diskLast, applied: min(committed, diskLast.index))
            try #require(diskLast.index >= committed, "a committed entry is gone, seed \(seed)")
            bench.step(.campaign)
            disk.vote = Bench.id
            for _ in 0..<Int.random(in: 1...30, using: &generator) {
                let before = bench.core
                if Int.random(in: 0..<3, using: &generator) == 0 {
                    bench.step(.proposed(count: Int.random(in: 0...4, using: &generator)))
                } else {
                    bench.persistOne()
                }
                let now = bench.core
                try #require(now.term >= before.term && now.committed >= before.committed && now.durable >= before.durable)
                try #require(now.committed <= now.durable && now.durable <= now.last.index, "seed \(seed)")
                if now.role == .leader { disk.term = now.term }
                if now.durable > diskLast.index { diskLast = LogPosition(index: now.durable, term: now.term) }
                committed = max(committed, now.committed)
                journal.append("\(now.role) \(now.term) \(now.committed) \(now.durable) \(now.last)")
            }
        }
        return journal
    }
}
