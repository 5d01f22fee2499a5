import Keyspace
import Raft
import Replica
import Testing
import Wire

@Suite("One member's brain")
struct ReplicaMachineTests {
    private static let policy = LogPolicy(entriesBetweenCuts: 1000, cutAt: 0, durable: 0)

    @Test("A start orders the vote to disk, then the empty entry, and says that it leads when the vote is there")
    func start() throws {
        var brain = Brain(policy: Self.policy)
        let vote = brain.handle(.started)
        let first = try #require(vote.persist.first)
        #expect(vote.persist.count == 1 && brain.machine.openingEntry == nil)
        #expect(first.hardState == HardState(term: 1, vote: Brain.id, commit: 0))
        #expect(first.entries.isEmpty && !first.durableIsCommitted)

        let elected = brain.handle(.persisted(first.ticket))
        #expect(elected.notices.contains(.becameLeader(1)) && brain.machine.openingEntry == 1)
        let second = try #require(elected.persist.first)
        #expect(second.entries == [LogEntry(index: 1, term: 1, payload: .empty)])
        #expect(second.durableIsCommitted)
        #expect(second.ticket.number == first.ticket.number + 1)
        #expect(brain.machine.core.committed == 0, "not on disk yet")
        _ = brain.handle(.persisted(second.ticket))
        #expect(brain.machine.core.committed == 1)
    }

    @Test("Payloads get their places in order, one persist request a batch")
    func places() throws {
        var brain = Brain.leader()
        let effects = brain.handle(.proposed([Brain.payload(7), Brain.payload(8), Brain.payload(9)]))
        #expect(effects.persist.count == 1)
        let request = try #require(effects.persist.first)
        #expect(request.hardState == nil)
        #expect(request.entries.map(\.index) == [2, 3, 4])
        #expect(request.entries.map(\.payload.request) == [7, 8, 9])
        #expect(request.entries.allSatisfy { $0.term == 1 })
        #expect(request.durableIsCommitted)
        let more = brain.handle(.proposed([Brain.payload(10)]))
        #expect(more.persist.first?.entries.map(\.index) == [5])
    }

    @Test("Before it leads proposals wait, and follow the empty entry")
    func waitingToLead() throws {
        var brain = Brain(policy: Self.policy)
        let vote = try #require(brain.handle(.started).persist.first)
        let effects = brain.handle(.proposed([Brain.payload(7), Brain.payload(8)]))
        #expect(effects.refused.isEmpty && effects.persist.isEmpty)
        let elected = brain.handle(.persisted(vote.ticket))
        #expect(elected.persist.flatMap(\.entries).map(\.payload.request) == [0, 7, 8])
    }

    @Test("Reports that change nothing order nothing")
    func quiet() {
        var brain = Brain.leader()
        for event: ReplicaEvent in [.proposed([]), .treeDurable(0), .logGrew(bytes: 10), .started] {
            let effects = brain.handle(event)
            #expect(effects.persist.isEmpty && effects.refused.isEmpty && effects.notices.isEmpty && effects.cutLog == nil)
            #expect(!effects.makeTreeDurable)
        }
    }

    @Test("A restart with entries of an older term commits them with the empty entry of the new one")
    func restart() throws {
        var brain = Brain(
            policy: Self.policy, hardState: HardState(term: 3, vote: Brain.id, commit: 5), last: LogPosition(index: 9, term: 3),
            applied: LogPosition(index: 5, term: 3))
        let vote = try #require(brain.handle(.started).persist.first)
        #expect(vote.entries.isEmpty)
        let empty = try #require(brain.handle(.persisted(vote.ticket)).persist.first)
        #expect(brain.machine.core.committed == 5)
        #expect(empty.entries.map(\.position) == [LogPosition(index: 10, term: 4)])
        _ = brain.handle(.persisted(empty.ticket))
        #expect(brain.machine.core.committed == 10)
    }
}
