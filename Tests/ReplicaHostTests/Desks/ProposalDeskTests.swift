import Keyspace
import Storage
import Testing
import Wire

@testable import ReplicaHost

@Suite("The desk of proposals")
struct ProposalDeskTests {
    private var desk = ProposalDesk(pendingMax: 4, bytesMax: 10_000, lastRequest: 100)
    private let heard = Shared<[String]>([])

    private func command(_ bytes: Int) -> Command {
        var command = Command(.set, "/k")
        command.value = [UInt8](repeating: 1, count: bytes)
        return command
    }

    @discardableResult
    private mutating func add(_ bytes: Int = 10, start: Int64 = 0) -> UInt64 {
        let request = desk.newRequest()
        let payload = CommandCodec.encode(command(bytes), time: 0, client: [], request: request)
        desk.add(payload, start: start, patience: 10, .keys { [heard] result in heard.change { $0.append("\(request): \(result)") } })
        _ = desk.gather(payload, isAlone: false, isLogIdle: false)
        return request
    }

    private func perform(_ deliveries: [Delivery?]) {
        for case .proposal(let answer, let result) in deliveries { answer(result) }
    }

    @Test("So many, and so many bytes, may wait; what is answered, late or withdrawn makes room; one alone may be of any size")
    mutating func admission() {
        #expect(desk.hasRoom(for: command(1_000_000)))
        let first = add(6000)
        #expect(!desk.hasRoom(for: command(6000)) && desk.hasRoom(for: command(2000)))
        _ = desk.applied(first, .nothing)
        #expect(desk.bytes == 0 && desk.hasRoom(for: command(6000)))
        let requests = (0..<4).map { _ in add() }
        #expect(!desk.hasRoom(for: command(1)) && desk.count == 4)
        if case .gone = desk.withdraw(requests[0]) { Issue.record("it was there") }
        #expect(desk.hasRoom(for: command(1)))
        #expect(desk.takeLate(at: 10).map(\.request) == Array(requests[1...]))
        #expect(desk.bytes == 0 && desk.count == 0)
    }

    @Test("Each is answered once, and nobody is told anything by the desk itself")
    mutating func answers() {
        let one = add()
        let two = add()
        let answered = desk.applied(one, .refused(.keyNotFound("/k"), index: 3))
        #expect(heard.value.isEmpty)
        perform([answered, desk.applied(one, .nothing), desk.fail(two, .noLeader), desk.fail(two, .noLeader)])
        #expect(heard.value.count == 2)
        #expect(heard.value.last == "\(two): unavailable(ReplicaHost.Unavailable.noLeader)")
        let three = add()
        add()
        #expect(desk.takeAll().count == 2)
        #expect(desk.applied(three, .nothing) == nil)
    }

    @Test("Withdrawn before its group leaves, it is not proposed; afterwards the machine is to know")
    mutating func withdrawal() {
        let requests = (0..<3).map { _ in add() }
        guard case .notYetProposed = desk.withdraw(requests[1]) else { return #expect(Bool(false)) }
        #expect(desk.takeGathered().map(\.request) == [requests[0], requests[2]])
        guard case .proposed = desk.withdraw(requests[0]) else { return #expect(Bool(false)) }
        guard case .gone = desk.withdraw(requests[0]) else { return #expect(Bool(false)) }
        #expect(desk.applied(requests[0], .nothing) == nil)
    }

    @Test("Alone and idle, each goes at once; alone and busy, in small groups; with others, those of a turn together")
    mutating func groups() {
        func payload(_ request: UInt64) -> EntryPayload { CommandCodec.encode(command(1), time: 0, client: [], request: request) }
        var now = 0
        func isNow(_ due: ProposalDesk.Due) -> Bool { if case .now = due { true } else { false } }
        #expect(isNow(desk.gather(payload(1), isAlone: true, isLogIdle: true)))
        #expect(desk.takeGathered().count == 1)
        for number in 0..<32 where isNow(desk.gather(payload(UInt64(number)), isAlone: true, isLogIdle: false)) {
            now += 1
            #expect(desk.takeGathered().count == 16)
        }
        #expect(now == 2)
        var arranged = 0
        for number in 0..<100 {
            if case .atTheEndOfTheTurn = desk.gather(payload(UInt64(number)), isAlone: false, isLogIdle: true) { arranged += 1 }
        }
        #expect(arranged == 0, "the task of the last turn has not run yet")
        desk.turnEnds()
        #expect(desk.takeGathered().count == 100)
        if case .atTheEndOfTheTurn = desk.gather(payload(1), isAlone: false, isLogIdle: true) { arranged += 1 }
        #expect(arranged == 1)
    }
}
