import Keyspace
import Raft
import Replica
import TestSupport
import Testing
import Wire

/// A leader whose disk is as fast as the test says.
struct Brain {
    var machine: ReplicaMachine
    private(set) var effects = ReplicaEffects()

    static let id = MemberID(0xab)

    init(policy: LogPolicy, hardState: HardState = HardState(), last: LogPosition = .origin, applied: LogPosition = .origin) {
        var log = LogShape()
        log.append(count: last.index.value, term: last.term)
        machine = ReplicaMachine(
            core: RaftCore(
                id: Brain.id, hardState: hardState, log: log, configuration: Configuration(voters: [Brain.id]), changes: [],
                applied: applied.index, now: 0, seed: 1),
            policy: policy, members: [Member(id: Brain.id, peerURLs: ["http://h:2380"])], applied: applied, life: 1)
    }

    mutating func handle(_ event: ReplicaEvent) -> ReplicaEffects {
        effects = ReplicaEffects()
        machine.handle(event, at: 1, into: &effects)
        return effects
    }

    /// Elected, with the empty entry durable.
    static func leader(policy: LogPolicy = LogPolicy(entriesBetweenCuts: 100, cutAt: 0, durable: 0)) -> Brain {
        var brain = Brain(policy: policy)
        for request in brain.handle(.started).persist {
            for next in brain.handle(.persisted(request.ticket)).persist { _ = brain.handle(.persisted(next.ticket)) }
        }
        return brain
    }

    static func payload(_ request: UInt64) -> EntryPayload {
        CommandCodec.encode(Command(.set, TreePath("/k")), time: 1, client: [], request: request)
    }

    /// Proposes and persists `count` entries, one batch; returns what the report of the disk led to.
    mutating func write(_ count: Int) -> ReplicaEffects {
        let proposed = handle(.proposed((0..<count).map { Brain.payload(UInt64($0) + 1) }))
        var last = proposed
        for request in proposed.persist { last = handle(.persisted(request.ticket)) }
        return last
    }
}

@Suite("When the log is cut")
struct LogPolicyTests {
    private static func policy(
        entries: UInt64 = 100, bytes: Int = 1 << 30, kept: UInt64 = 20, cutAt: Index = 0, durable: Index = 0
    ) -> LogPolicy {
        LogPolicy(entriesBetweenCuts: entries, bytesBetweenCuts: bytes, entriesKept: kept, cutAt: cutAt, durable: durable)
    }

    @Test("Not before the tree holds it durably; that is asked for once")
    func durableTreeFirst() {
        var brain = Brain.leader(policy: Self.policy())
        let before = brain.write(118)
        #expect(before.cutLog == nil && !before.makeTreeDurable, "119 entries, of which 20 stay")
        let due = brain.write(1)
        #expect(due.cutLog == nil)
        #expect(due.makeTreeDurable)
        let after = brain.write(1)
        #expect(!after.makeTreeDurable, "it was asked for")
        #expect(after.cutLog == nil)
        #expect(brain.handle(.treeDurable(120)).cutLog == 100)
    }

    @Test("Never above what is durable less what is kept, and never twice", arguments: 1...30)
    func neverTooFar(seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        var brain = Brain.leader(policy: Self.policy(entries: 50, kept: 10))
        var durable: UInt64 = 0
        var cut: Index = 0
        for _ in 0..<200 {
            let effects: ReplicaEffects
            if Int.random(in: 0..<4, using: &generator) == 0 {
                durable = UInt64.random(in: durable...brain.machine.core.committed.value, using: &generator)
                effects = brain.handle(.treeDurable(Index(durable)))
            } else {
                effects = brain.write(Int.random(in: 1...20, using: &generator))
            }
            guard let target = effects.cutLog else { continue }
            #expect(target.value + 10 <= durable, "seed \(seed)")
            #expect(target.value >= cut.value + 50, "seed \(seed)")
            cut = target
        }
        #expect(cut > 0, "it was cut at all, seed \(seed)")
    }

    @Test("Many bytes make it due before many entries do")
    func bytes() {
        var brain = Brain.leader(policy: Self.policy(entries: 1_000_000, bytes: 1000))
        _ = brain.write(40)
        _ = brain.handle(.treeDurable(41))
        #expect(brain.handle(.logGrew(bytes: 999)).cutLog == nil)
        #expect(brain.handle(.logGrew(bytes: 1)).cutLog == 21)
        #expect(brain.handle(.logGrew(bytes: 999)).cutLog == nil, "the bytes are counted anew")
    }

    @Test("At rest no more is left than what is kept; a few entries are not worth it, and what comes ends the rest")
    func rest() {
        var brain = Brain.leader(policy: Self.policy(entries: 1_000_000, kept: 20))
        _ = brain.write(40)
        #expect(brain.handle(.treeDurable(41)).cutLog == nil)
        #expect(brain.handle(.treeDurable(41, isAtRest: true)).cutLog == 21)
        _ = brain.write(4)
        #expect(brain.handle(.treeDurable(45, isAtRest: true)).cutLog == nil, "four entries")
        _ = brain.write(1)
        #expect(brain.handle(.treeDurable(46)).cutLog == nil, "not at rest")
        #expect(brain.handle(.treeDurable(46, isAtRest: true)).cutLog == 26)
        _ = brain.handle(.treeDurable(46, isAtRest: true))
        _ = brain.handle(.logGrew(bytes: 10))
        _ = brain.write(30)
        #expect(brain.handle(.time).cutLog == nil)
    }

    @Test("A log shorter than what is kept is never cut, however large its entries are")
    func shortLog() {
        var brain = Brain.leader(policy: Self.policy(bytes: 10, kept: 500))
        _ = brain.write(300)
        _ = brain.handle(.logGrew(bytes: 1 << 20))
        let effects = brain.handle(.treeDurable(301))
        #expect(effects.cutLog == nil && !effects.makeTreeDurable)
    }

    @Test("A restart goes on from where the log was cut")
    func restart() {
        var brain = Brain(
            policy: Self.policy(cutAt: 500, durable: 600), hardState: HardState(term: 1, vote: Brain.id, commit: 600),
            last: LogPosition(index: 619, term: 1), applied: LogPosition(index: 600, term: 1))
        #expect(brain.handle(.treeDurable(619)).cutLog == nil)
        for request in brain.handle(.started).persist {
            for next in brain.handle(.persisted(request.ticket)).persist {
                #expect(brain.handle(.persisted(next.ticket)).makeTreeDurable, "620 entries are committed now")
            }
        }
        #expect(brain.handle(.treeDurable(620)).cutLog == 600)
    }
}
