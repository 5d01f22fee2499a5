import Keyspace
import NIOCore
import Storage
import Testing

@testable import ReplicaHost

@Suite("The desk of reads")
struct ReadDeskTests {
    private var desk = ReadDesk(waitingMax: 2, cacheBytesMax: 1 << 20)
    private let heard = Shared<[String]>([])
    private let node = TreeNode(isDirectory: false, value: [1], created: 4, modified: 4)

    private func there<Value>(_ value: Value?, at location: SourceLocation = #_sourceLocation) throws -> Value {
        try #require(value, sourceLocation: location)
    }

    private func answer(_ name: String) -> (ReadResult) -> Void { { [heard] _ in heard.change { $0.append(name) } } }

    private func perform(_ delivery: Delivery?) {
        if case .read(let answer, let result) = delivery { answer(result) }
    }

    @Test("Caught up when the barrier is released, or this member's own first entry as leader is applied; once")
    mutating func barrier() {
        #expect(!desk.hasCaughtUp)
        let barrier = desk.askForBarrier()
        #expect(desk.isBarrier(barrier) && !desk.isBarrier(barrier + 1))
        let isNews = desk.catchUp()
        #expect(isNews && desk.hasCaughtUp && !desk.isBarrier(barrier))
        let isNewsAgain = desk.catchUp()
        #expect(!isNewsAgain)
        _ = desk.askForBarrier()
        #expect(desk.hasCaughtUp)
    }

    @Test("A confirmed read is answered by the cache if it knows, else goes to the apply thread with its number")
    mutating func confirmed() throws {
        let first = try there(desk.confirm("/k", recursive: false, start: 0, patience: 10, answer("first")))
        guard case .order(let order) = desk.released(first, keysIndex: 4) else { return #expect(Bool(false)) }
        #expect(order.number == first && order.path == "/k")
        perform(desk.finished(first, ReadResult(.found(.file(node)), index: 4)))
        let second = try there(desk.confirm("/k", recursive: false, start: 0, patience: 10, answer("second")))
        guard case .answered(let delivery) = desk.released(second, keysIndex: 4) else { return #expect(Bool(false)) }
        #expect(heard.value == ["first"])
        perform(delivery)
        #expect(heard.value == ["first", "second"])
        guard case .nobody = desk.released(second, keysIndex: 4) else { return #expect(Bool(false)) }
    }

    @Test("So many wait for a majority and so many for the apply thread; late ones are told, withdrawn ones are not")
    mutating func bounds() throws {
        let plain = try (0..<2).map { _ in try there(desk.order("/k", recursive: false, answer("plain"))) }
        #expect(desk.order("/k", recursive: false, answer("plain")) == nil)
        let asked = try (0..<2).map { _ in try there(desk.confirm("/k", recursive: false, start: 0, patience: 10, answer("asked"))) }
        #expect(desk.confirm("/k", recursive: false, start: 0, patience: 10, answer("asked")) == nil)
        #expect(desk.withdraw(asked[0]) && !desk.withdraw(plain[0].number))
        #expect(plain[0].abandonment.isAbandoned && !plain[1].abandonment.isAbandoned)
        for late in desk.takeLate(at: 10) { perform(ReadDesk.failure(of: late, .timedOut)) }
        #expect(heard.value == ["asked"])
        perform(desk.finished(plain[0].number, ReadResult(.refused(.keyNotFound("/k")), index: 4)))
        #expect(heard.value == ["asked"])
        for delivery in desk.failAll(.stopped) { perform(delivery) }
        #expect(heard.value == ["asked", "plain"])
    }
}
