import Raft
import Storage
import Testing

@testable import ReplicaHost

@Suite("The desk of copies")
struct CopyDeskTests {
    private var desk = CopyDesk()
    private let heard = Shared<[String]>([])

    private mutating func ask(_ name: String) -> UInt64? {
        desk.ask { [heard] result in
            let word = if case .failure(let reason) = result { "\(reason)" } else { "copy" }
            heard.change { $0.append("\(name) \(word)") }
        }
    }

    private func perform(_ deliveries: [Delivery?]) { for case .other(let body) in deliveries { body() } }

    private mutating func made(_ job: CopyDesk.Job) -> Delivery? {
        desk.made(job, .success(BackupCopy(path: "", size: 0, stateHash: "") {}))
    }

    private func there<Value>(_ value: Value?, at location: SourceLocation = #_sourceLocation) throws -> Value {
        try #require(value, sourceLocation: location)
    }

    private mutating func makes() -> CopyDesk.Job? { if case .make(let job) = desk.next() { job } else { nil } }
    private mutating func catchesUp() -> Bool { if case .catchUp = desk.next() { true } else { false } }

    @Test("One copy at a time, members before clients, and one backup on the disk until its client has it")
    mutating func order() throws {
        #expect(ask("a") != nil && ask("b") != nil)
        #expect(catchesUp())
        desk.ask(for: MemberID(7))
        desk.ask(for: MemberID(7))
        #expect(makes() == nil)
        let first = try there(desk.caughtUp())
        #expect(makes() == nil && desk.caughtUp() == nil)
        perform([made(first)])
        #expect(heard.value == ["a copy"])
        let forMember = try there(makes())
        guard case .snapshot(MemberID(7)) = forMember.purpose else { return #expect(Bool(false)) }
        _ = desk.made(forMember, .failure(.stopped))
        #expect(!catchesUp(), "the first client still has its file")
        desk.sent()
        #expect(catchesUp())
        let second = try there(desk.caughtUp())
        #expect(second.number != first.number)
        perform([desk.made(second, .failure(.diskFull))])
        #expect(heard.value == ["a copy", "b diskFull"])
        #expect(!catchesUp() && makes() == nil)
    }

    @Test("A few wait; a client that leaves makes room, and ends the copy that is made for it")
    mutating func leaving() throws {
        let first = try there(ask("first"))
        #expect(catchesUp())
        let waiting = try (0..<CopyDesk.waitingMax).map { try there(ask("\($0)")) }
        #expect(ask("more") == nil)
        desk.withdraw(waiting[0])
        #expect(ask("instead") != nil)
        let job = try there(desk.caughtUp())
        #expect(!job.abandonment.isAbandoned)
        desk.withdraw(first)
        #expect(job.abandonment.isAbandoned)
        #expect(!catchesUp(), "its thread has not ended yet")
        perform([made(job)])
        #expect(heard.value.isEmpty)
        #expect(catchesUp())
        desk.withdraw(waiting[1])
        #expect(desk.caughtUp() == nil && catchesUp())
    }

    @Test("A full disk fails all backups, and leaves those for members")
    mutating func fullDisk() throws {
        _ = ask("a")
        _ = ask("b")
        #expect(catchesUp())
        desk.ask(for: MemberID(7))
        perform(desk.failBackups(.diskFull))
        #expect(heard.value == ["a diskFull", "b diskFull"])
        #expect(desk.caughtUp() == nil)
        #expect(makes() != nil)
    }
}
