import Raft
import Testing

@Suite("Raft thesis §6.4: linearizable reads without a write")
struct ReadTests {
    private func leader() -> Bench {
        var bench = Bench()
        bench.lead(with: [2, 3])
        return bench
    }

    private func follower() -> Bench {
        var bench = Bench(term: 1, commit: 1, log: log([1]))
        bench.receive(2, 1, .heartbeat(round: 1, commit: 1))
        return bench
    }

    @Test("A majority's answer to a round that began after the question releases it")
    func released() {
        var bench = leader()
        #expect(bench.step(.readRequested(context: 5)).sent(to: 2) == [.heartbeat(round: 1, commit: 1)])
        let output = bench.receive(3, 1, .heartbeatReply(round: 1))
        #expect(output.readsReleased.map(\.context) == [5] && output.readsReleased.map(\.index) == [1])
    }

    @Test("All that wait share a round; those that come meanwhile share the next")
    func batches() {
        var bench = leader()
        bench.step(.readRequested(context: 1))
        for context in 2...4 as ClosedRange<UInt64> { #expect(bench.step(.readRequested(context: context)).send.isEmpty) }
        let first = bench.receive(2, 1, .heartbeatReply(round: 1))
        #expect(first.readsReleased.map(\.context) == [1])
        #expect(first.sent(to: 3) == [.heartbeat(round: 2, commit: 1)])
        #expect(bench.receive(3, 1, .heartbeatReply(round: 1)).readsReleased.isEmpty, "round 1 began before the question")
        #expect(bench.receive(3, 1, .heartbeatReply(round: 2)).readsReleased.map(\.context) == [2, 3, 4])
    }

    @Test("Named bug: duplicate ReadIndex contexts of different members are different reads")
    func duplicateContexts() {
        var bench = leader()
        bench.step(.readRequested(context: 7))
        bench.receive(2, 1, .readIndex(context: 7))
        bench.receive(3, 1, .readIndex(context: 7))
        let first = bench.receive(2, 1, .heartbeatReply(round: 1))
        #expect(first.readsReleased.count == 1)
        #expect(!first.send.contains { $0.body == .readIndexReply(context: 7, index: 1) })
        let second = bench.receive(2, 1, .heartbeatReply(round: 2))
        #expect(second.readsReleased.isEmpty)
        #expect(second.sent(to: 2) == [.readIndexReply(context: 7, index: 1)])
        #expect(second.sent(to: 3) == [.readIndexReply(context: 7, index: 1)])
    }

    @Test("Named bug: a read in flight across a pause. Answers of earlier rounds prove nothing, those of another term neither")
    func acrossAPause() {
        var bench = leader()
        bench.sleep()
        // Paused here: the answer to round 1 lies in the socket, others may have elected a leader and committed.
        bench.now += 4000
        #expect(bench.step(.readRequested(context: 1)).sent(to: 2).last == .heartbeat(round: 2, commit: 1))
        #expect(bench.receive(2, 1, .heartbeatReply(round: 1)).readsReleased.isEmpty)
        let output = bench.receive(2, 3, .heartbeatReply(round: 2))
        #expect(output.readsReleased.isEmpty && output.readsFailed == [1])
    }

    @Test("Rounds of an earlier term are void: numbers go on, and nothing of then is counted")
    func earlierTerm() {
        var bench = leader()
        bench.step(.readRequested(context: 1))
        bench.receive(3, 2, .append(previous: at(1, in: 1), entries: entries(from: 2, [2]), commit: 1))
        bench.persistAll()
        bench.step(.memberDown(3))
        bench.lead(with: [2])
        #expect(bench.core.role == .leader)
        bench.step(.readRequested(context: 2))
        #expect(bench.receive(2, 1, .heartbeatReply(round: 1)).readsReleased.isEmpty)
        #expect(bench.receive(2, 3, .heartbeatReply(round: 1)).readsReleased.isEmpty)
        #expect(bench.receive(2, 3, .heartbeatReply(round: 2)).readsReleased.map(\.context) == [2])
    }

    @Test("Before an entry of its term is committed a leader does not know what is (thesis §6.4, step 1)")
    func ownTermFirst() {
        var bench = Bench()
        bench.step(.campaign)
        bench.receive(2, 0, .preVoteReply(granted: true))
        bench.persistAll()
        bench.receive(2, 1, .voteReply(granted: true))
        bench.persistAll()
        #expect(bench.step(.readRequested(context: 1)).send.isEmpty)
        let output = bench.receive(2, 1, .appendAccepted(matched: 1))
        #expect(output.sent(to: 2).contains(.heartbeat(round: 1, commit: 1)))
        #expect(bench.receive(2, 1, .heartbeatReply(round: 1)).readsReleased.map(\.index) == [1])
    }

    @Test("A follower asks the leader in one message for all that wait, under a number of its own")
    func forwarded() throws {
        var bench = follower()
        let sent = bench.step(.readRequested(context: 1)).send
        guard case .readIndex(let number)? = sent.first?.body else { return #expect(Bool(false), "not asked") }
        #expect(sent.count == 1 && sent[0].to == 2)
        #expect(bench.step(.readRequested(context: 2)).send.isEmpty)
        #expect(bench.receive(2, 1, .readIndexReply(context: 1, index: 9)).readsReleased.isEmpty, "not the number asked with")
        let output = bench.receive(2, 1, .readIndexReply(context: number, index: 9))
        #expect(output.readsReleased.map(\.context) == [1] && output.readsReleased.map(\.index) == [9])
        #expect(output.sent(to: 2).count == 1, "the second read is asked for now")
        #expect(bench.receive(2, 1, .readIndexReply(context: number, index: 9)).readsReleased.isEmpty)
    }

    @Test("Another life asks with other numbers, so that an answer to the earlier one is not taken for its own")
    func numbersOfALife() {
        let numbers = (1...20 as ClosedRange<UInt64>).map { seed in
            var bench = Bench(term: 1, seed: seed)
            bench.receive(2, 1, .heartbeat(round: 1, commit: 0))
            return bench.step(.readRequested(context: 1)).send[0].body
        }
        #expect(Set(numbers).count == 20)
    }

    @Test("A read waits for a leader for an election timeout, and is asked for as soon as one is known")
    func waitsForALeader() {
        var bench = Bench(term: 1)
        #expect(bench.step(.readRequested(context: 1)).readsFailed.isEmpty)
        #expect(bench.receive(2, 1, .heartbeat(round: 1, commit: 0), after: 900).sent(to: 2).count == 2)
        var alone = Bench(voters: [2, 3], learners: [1], term: 1)
        alone.step(.readRequested(context: 1))
        #expect(alone.core.wakeUp == alone.now + 1000)
        #expect(alone.sleep().readsFailed == [1])
    }

    @Test("It fails with the leader, its link, its leadership, and an answer that does not come", arguments: 0...4)
    func fails(how: Int) {
        var bench = follower()
        guard case .readIndex(let number)? = bench.step(.readRequested(context: 1)).send.first?.body else { return }
        let output =
            switch how {
            case 0: bench.step(.memberDown(2))
            case 1: bench.step(.linkLost(2))
            case 2: bench.receive(2, 1, .readIndexReply(context: number, index: nil))
            case 3: bench.receive(3, 2, .heartbeat(round: 1, commit: 0))
            default: bench.step(.tick, after: 1000)
            }
        #expect(output.readsFailed == [1])
        #expect(bench.step(.tick, after: 5000).readsFailed.isEmpty)
    }

    @Test("A leader that steps down fails its own reads and tells the others to ask again")
    func stepsDown() {
        var bench = leader()
        bench.step(.readRequested(context: 1))
        bench.receive(2, 1, .readIndex(context: 8))
        let output = bench.receive(3, 2, .heartbeat(round: 1, commit: 0))
        #expect(output.readsFailed == [1])
        #expect(output.sent(to: 2) == [.readIndexReply(context: 8, index: nil)])
        #expect(bench.receive(2, 2, .readIndex(context: 9)).sent(to: 2) == [.readIndexReply(context: 9, index: nil)])
    }

    @Test("A question that was lost is repeated while the leader speaks")
    func repeated() {
        var bench = follower()
        let question = bench.step(.readRequested(context: 1)).send
        #expect(bench.receive(2, 1, .heartbeat(round: 2, commit: 1), after: 100).sent(to: 2) == [.heartbeatReply(round: 2)])
        #expect(bench.receive(2, 1, .heartbeat(round: 3, commit: 1), after: 100).send.contains(question[0]))
    }
}
