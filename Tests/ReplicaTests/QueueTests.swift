import Testing

@testable import Replica

@Suite("A queue")
struct QueueTests {
    private final class Thing: Sendable {}

    @Test("What is taken out is let go of, whatever stays")
    func letsGo() {
        var queue = Queue<Thing>()
        weak var first: Thing?
        do {
            let thing = Thing()
            first = thing
            queue.append(thing)
        }
        queue.append(Thing())
        #expect(first != nil)
        queue.removeFirst()
        #expect(first == nil && queue.count == 1)
    }

    @Test("First in, first out, whatever is put back in front")
    func order() {
        var queue = Queue<Int>()
        queue.append(contentsOf: 1...10_000)
        queue.removeFirst(9_998)
        queue.putBack([5, 6])
        #expect(Array(queue.all) == [5, 6, 9_999, 10_000])
        queue[0] = 7
        queue.removeLast(1)
        #expect(queue.first == 7 && queue[2] == 9_999 && queue.count == 3)
        queue.removeFirst(3)
        #expect(queue.isEmpty && queue.first == nil)
        queue.append(1)
        #expect(Array(queue.all) == [1])
    }
}
