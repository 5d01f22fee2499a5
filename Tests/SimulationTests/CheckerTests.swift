import Keyspace
import Raft
import Simulation
import Testing
import Wire

@Suite("Checkers see what must never happen")
struct CheckerTests {
    private let one = MemberID(1)
    private let two = MemberID(2)

    private func entry(_ index: UInt64, _ term: UInt64, request: UInt64 = 0, value: String = "") -> LogEntry {
        LogEntry(
            index: Index(index), term: Term(term), payload: EntryPayload(kind: .keys, value: Array(value.utf8), request: request))
    }

    @Test("Election safety: two leaders of one term, two votes in one term")
    func elections() throws {
        var checker = ElectionSafety()
        try checker.led(one, in: 1)
        try checker.led(one, in: 1)
        try checker.led(two, in: 2)
        #expect(throws: Violation.self) { try checker.led(two, in: 1) }
        try checker.voted(one, for: two, in: 3)
        try checker.voted(one, for: two, in: 3)
        #expect(throws: Violation.self) { try checker.voted(one, for: one, in: 3) }
        checker.forgot(one)
        try checker.voted(one, for: one, in: 3)
    }

    @Test("Log matching: one position, two contents or two predecessors")
    func logs() throws {
        var checker = LogMatching()
        try checker.wrote(entry(1, 1, value: "a"), behind: 0, by: one)
        try checker.wrote(entry(1, 1, value: "a"), behind: 0, by: two)
        try checker.wrote(entry(1, 2, value: "b"), behind: 0, by: two)
        #expect(throws: Violation.self) { try checker.wrote(entry(1, 1, value: "b"), behind: 0, by: two) }
        try checker.wrote(entry(2, 3), behind: 1, by: one)
        #expect(throws: Violation.self) { try checker.wrote(entry(2, 3), behind: 2, by: two) }
    }

    @Test("State machine safety: another entry, or another state, at one index")
    func states() throws {
        var checker = StateMachineSafety()
        let hash = StateHash(high: 1, low: 1)
        try checker.applied(entry(1, 1), hash: hash, by: one)
        try checker.applied(entry(1, 1), hash: hash, by: two)
        #expect(throws: Violation.self) { try checker.applied(entry(1, 2), hash: hash, by: two) }
        #expect(throws: Violation.self) { try checker.applied(entry(1, 1), hash: StateHash(), by: two) }
        try checker.installed(LogPosition(index: 1, term: 1), hash: hash, by: two)
        #expect(throws: Violation.self) { try checker.installed(LogPosition(index: 1, term: 1), hash: StateHash(), by: two) }
        #expect(throws: Violation.self) { try checker.installed(LogPosition(index: 9, term: 1), hash: hash, by: two) }
    }

    @Test("Leader completeness: a leader without what was committed in an earlier term")
    func completeness() throws {
        var checker = LeaderCompleteness()
        checker.committed(LogPosition(index: 5, term: 2), seenIn: 3)
        try checker.elected(one, in: 4, cut: 0) { _ in 2 }
        // Snapshots hold it.
        try checker.elected(one, in: 4, cut: 5) { _ in nil }
        // Committed later than this leader was elected.
        try checker.elected(one, in: 3, cut: 0) { _ in nil }
        #expect(throws: Violation.self) { try checker.elected(two, in: 4, cut: 0) { _ in nil } }
        #expect(throws: Violation.self) { try checker.elected(two, in: 4, cut: 0) { _ in 1 } }
    }

    @Test("An answered change is where it was said to be, happens once, and stays; a refused one never happens")
    func acknowledgements() throws {
        var checker = Acknowledgements()
        try checker.applied(entry(3, 1, request: 7), by: one)
        try checker.applied(entry(3, 1, request: 7), by: two)
        #expect(throws: Violation.self) { try checker.applied(entry(4, 1, request: 7), by: two) }
        try checker.acknowledged(7, at: 3)
        #expect(throws: Violation.self) { try checker.acknowledged(8, at: 3) }
        try checker.atTheEnd(applied: 3)
        #expect(throws: Violation.self) { try checker.atTheEnd(applied: 2) }
        try checker.refused(9)
        #expect(throws: Violation.self) { try checker.applied(entry(5, 1, request: 9), by: one) }
        #expect(throws: Violation.self) { try checker.refused(7) }
    }
}
