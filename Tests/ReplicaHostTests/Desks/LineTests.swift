import Raft
import Replica
import Testing
import Wire

@testable import ReplicaHost

@Suite("The line to the threads")
struct LineTests {
    private var line = Line(applied: 10)

    private func entries(_ range: ClosedRange<UInt64>, bytes: Int = 1) -> [LogEntry] {
        range.map { LogEntry(index: Index($0), term: 1, payload: EntryPayload(kind: .keys, value: [UInt8](repeating: 0, count: bytes))) }
    }

    /// What goes to the apply thread; `kept`: the first entry that memory holds.
    private mutating func next(_ committed: UInt64, kept: UInt64 = 0, bytes: Int = 1, isBehind: Bool = false) -> String {
        guard let end = line.due(committed: Index(committed), isBehind: isBehind) else { return "nothing" }
        let first = line.handedOn.value + 1
        guard first >= kept else {
            guard let piece = line.handOnPiece(upTo: end) else { return "nothing" }
            return "piece \(piece.after.value + 1)...\(piece.upTo.value)"
        }
        line.handOn(entries(first...end.value, bytes: bytes))
        return "entries \(first)...\(end.value)"
    }

    private func order(_ range: ClosedRange<UInt64>, isAlone: Bool, bytes: Int = 1) -> PersistRequest {
        PersistRequest(
            hardState: nil, entries: entries(range, bytes: bytes), durableIsCommitted: isAlone, ticket: PersistTicket(number: range.upperBound))
    }

    @Test("From memory: each once, in order, as it is committed")
    mutating func memory() {
        #expect(next(10) == "nothing")
        #expect(next(12) == "entries 11...12")
        #expect(next(12) == "nothing")
        #expect(next(15) == "entries 13...15")
    }

    @Test("What memory has let go of is read from the file in pieces; nothing overtakes a piece")
    mutating func pieces() {
        #expect(next(5000, kept: 5000) == "piece 11...2058")
        #expect(next(5000) == "nothing")
        line.follow(applied: 2000)
        #expect(next(6000) == "nothing")
        line.follow(applied: 2058)
        #expect(next(5000, kept: 5000) == "piece 2059...4106")
        line.follow(applied: 4106)
        #expect(next(5000) == "entries 4107...5000")
    }

    @Test("While the apply thread is behind nothing is added; and not too many at a time")
    mutating func pressure() {
        #expect(next(14, isBehind: true) == "nothing")
        #expect(next(14) == "entries 11...14")
        #expect(next(10_000) == "entries 15...4110")
    }

    @Test("Without room for the tree a little is handed on, from memory only, and the rest when there is room")
    mutating func withoutRoom() {
        line.treeDisk(isFull: true)
        #expect(next(12, bytes: 9 << 20) == "entries 11...12")
        #expect(next(14) == "nothing")
        line.treeDisk(isFull: true)
        #expect(next(14) == "nothing")
        line.treeDisk(isFull: false)
        #expect(next(14) == "entries 13...14")
        line.treeDisk(isFull: true)
        #expect(next(20, kept: 99) == "nothing")
        line.treeDisk(isFull: false)
        #expect(next(20, kept: 99) == "piece 15...20")
    }

    @Test("Alone, the log thread passes on what it writes, and what was not handed on before")
    mutating func alone() {
        #expect(line.order(order(11...12, isAlone: true), then: .init(messages: [], answers: [])) == 10)
        #expect(line.order(order(13...13, isAlone: true), then: .init(messages: [], answers: [])) == 12)
        #expect(next(13) == "nothing")
        // Another member has come.
        #expect(line.order(order(14...15, isAlone: false), then: .init(messages: [], answers: [])) == 13)
        #expect(next(13) == "nothing")
        #expect(next(15) == "entries 14...15")
    }

    @Test("What waits for an order is given back with it, in order; its bytes are counted until then")
    mutating func orders() {
        #expect(line.isLogIdle)
        _ = line.order(order(11...11, isAlone: true, bytes: 1000), then: .init(messages: [], answers: [1]))
        _ = line.order(order(12...12, isAlone: true), then: .init(messages: [], answers: []))
        _ = line.order(order(13...13, isAlone: true), then: .init(messages: [], answers: [3]))
        #expect(!line.isLogIdle && line.bytesUnwritten > 1000)
        #expect(line.durable(2).map(\.answers) == [[1]])
        #expect(line.bytesUnwritten < 1000)
        #expect(line.durable(1).map(\.answers) == [[3]])
        #expect(line.isLogIdle && line.bytesUnwritten == 0)
    }

    @Test("A snapshot jumps over what was on its way")
    mutating func snapshot() {
        #expect(next(5000, kept: 5000) == "piece 11...2058")
        line.install(9000)
        #expect(next(9000) == "nothing")
        line.follow(applied: 9000)
        #expect(next(9001) == "entries 9001...9001")
    }
}
