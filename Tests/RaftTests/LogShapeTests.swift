import Raft
import TestSupport
import Testing

@Suite("The shape of a log")
struct LogShapeTests {
    private let shape = log([2, 2, 4, 4, 4, 7], cut: at(10, in: 1))

    @Test("Terms of indexes: those of the log and the cut, and no others")
    func terms() {
        #expect(shape.runs.count == 3)
        #expect((9...17 as ClosedRange<UInt64>).map { shape.term(at: Index($0)) } == [nil, 1, 2, 2, 4, 4, 4, 7, nil])
        #expect(shape.holds(at(15, in: 4)) && !shape.holds(at(15, in: 7)) && !shape.holds(at(17, in: 7)))
    }

    @Test("Truncated and appended to, it is what it would have been")
    func truncation() {
        var cut = shape
        cut.truncate(from: 14)
        #expect(cut == log([2, 2, 4], cut: at(10, in: 1)))
        cut.append(count: 2, term: 4)
        cut.append(count: 1, term: 7)
        #expect(cut == shape)
        cut.truncate(from: 11)
        #expect(cut == LogShape(cut: at(10, in: 1)))
    }

    @Test("Cut anywhere, it keeps what follows", arguments: 10...16 as ClosedRange<UInt64>)
    func cutting(index: UInt64) {
        var cut = shape
        cut.cut(to: Index(index))
        #expect(cut.last == shape.last)
        for index in index...17 { #expect(cut.term(at: Index(index)) == shape.term(at: Index(index))) }
        #expect(cut.cut.index == Index(index))
    }

    @Test("The last position that is not above an index and a term")
    func lastPosition() {
        #expect(shape.lastPosition(upTo: 99, termAtMost: 9) == at(16, in: 7))
        #expect(shape.lastPosition(upTo: 16, termAtMost: 6) == at(15, in: 4))
        #expect(shape.lastPosition(upTo: 14, termAtMost: 4) == at(14, in: 4))
        #expect(shape.lastPosition(upTo: 14, termAtMost: 3) == at(12, in: 2))
        #expect(shape.lastPosition(upTo: 14, termAtMost: 1) == at(10, in: 1))
        #expect(shape.lastPosition(upTo: 3, termAtMost: 9) == at(10, in: 1))
    }

    @Test("Made of its runs it is the same")
    func fromRuns() {
        #expect(LogShape(cut: shape.cut, runs: shape.runs, last: shape.last.index) == shape)
    }

    @Test("Random changes agree with a plain list", arguments: 1...20 as ClosedRange<UInt64>)
    func model(seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        var shape = LogShape()
        var cut = 0
        var terms: [UInt64] = [0]
        for _ in 0..<200 {
            switch Int.random(in: 0..<4, using: &generator) {
            case 0 where terms.count - 1 > cut:
                let from = Int.random(in: (cut + 1)..<terms.count, using: &generator)
                terms.removeLast(terms.count - from)
                shape.truncate(from: Index(UInt64(from)))
            case 1:
                cut = Int.random(in: cut..<terms.count, using: &generator)
                shape.cut(to: Index(UInt64(cut)))
            default:
                let term = terms[terms.count - 1] + UInt64.random(in: 0...1, using: &generator)
                let count = Int.random(in: 1...3, using: &generator)
                terms += Array(repeating: term, count: count)
                shape.append(count: UInt64(count), term: Term(term))
            }
            #expect(shape.last == at(UInt64(terms.count - 1), in: terms[terms.count - 1]))
            for (index, term) in terms.enumerated() {
                #expect(shape.term(at: Index(UInt64(index))) == (index < cut ? nil : Term(term)))
            }
        }
    }
}
