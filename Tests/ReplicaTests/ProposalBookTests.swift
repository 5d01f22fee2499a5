import Replica
import TestSupport
import Testing

@Suite("Proposals that somebody waits for")
struct ProposalBookTests {
    @Test("Each is taken once")
    func takenOnce() {
        var book = ProposalBook<String>(pendingMax: 10)
        book.add(1, deadline: 5, "one")
        #expect(book.take(2) == nil)
        #expect(book.take(1) == "one")
        #expect(book.take(1) == nil)
        #expect(book.expired(at: 100).isEmpty)
        #expect(book.takeAll().isEmpty)
    }

    @Test("It is full at its bound, and has room again when one is answered")
    func bounded() {
        var book = ProposalBook<Int>(pendingMax: 2)
        book.add(1, deadline: 5, 1)
        #expect(!book.isFull)
        book.add(2, deadline: 5, 2)
        #expect(book.isFull && book.count == 2)
        _ = book.take(1)
        #expect(!book.isFull && book.count == 1)
    }

    @Test("What waits too long comes out at its deadline, in order, and not before")
    func deadlines() {
        var book = ProposalBook<UInt64>(pendingMax: 100)
        for request: UInt64 in 1...10 { book.add(request, deadline: Int64(request) * 10, request) }
        _ = book.take(3)
        #expect(book.expired(at: 9).isEmpty)
        #expect(book.expired(at: 50) == [1, 2, 4, 5])
        #expect(book.expired(at: 50).isEmpty)
        #expect(book.take(4) == nil, "an answer that comes late finds nobody")
        #expect(book.takeAll() == [6, 7, 8, 9, 10])
        #expect(book.count == 0)
    }

    @Test("Random use: each waiter gets exactly one end", arguments: 1...20)
    func exactlyOnce(seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        var book = ProposalBook<UInt64>(pendingMax: .max)
        var ended: [UInt64: Int] = [:]
        var next: UInt64 = 1
        for now in Int64(0)..<4000 {
            for _ in 0..<Int.random(in: 0...3, using: &generator) {
                book.add(next, deadline: now + 50, next)
                next += 1
            }
            for _ in 0..<Int.random(in: 0...3, using: &generator) {
                let request = UInt64.random(in: 1...next, using: &generator)
                if let waiter = book.take(request) { ended[waiter, default: 0] += 1 }
            }
            if now % 7 == 0 {
                for waiter in book.expired(at: now) { ended[waiter, default: 0] += 1 }
            }
        }
        for waiter in book.takeAll() { ended[waiter, default: 0] += 1 }
        #expect(ended.count == Int(next) - 1, "seed \(seed)")
        #expect(ended.values.allSatisfy { $0 == 1 }, "seed \(seed)")
        #expect(book.count == 0)
    }
}
