/// The one clock of a simulation, and what is to happen when. It moves only from one event to the next.
package struct SimulatedTime<Event> {
    /// Microseconds since the beginning.
    package private(set) var now: UInt64 = 0

    private struct Entry {
        var time: UInt64
        /// In the order in which they were asked for, among those of one time.
        var number: UInt64
        var event: Event

        func isBefore(_ other: Entry) -> Bool { time != other.time ? time < other.time : number < other.number }
    }

    /// A binary heap.
    private var heap: [Entry] = []
    private var lastNumber: UInt64 = 0

    package init() {}

    package var isEmpty: Bool { heap.isEmpty }
    package var nextTime: UInt64? { heap.first?.time }

    package mutating func schedule(after microseconds: UInt64, _ event: Event) { schedule(at: now + microseconds, event) }

    package mutating func schedule(at time: UInt64, _ event: Event) {
        lastNumber += 1
        heap.append(Entry(time: max(time, now), number: lastNumber, event: event))
        var child = heap.count - 1
        while child > 0 {
            let parent = (child - 1) / 2
            guard heap[child].isBefore(heap[parent]) else { break }
            heap.swapAt(child, parent)
            child = parent
        }
    }

    /// The next event, at its time.
    package mutating func advance() -> Event? {
        guard let first = heap.first, let last = heap.popLast() else { return nil }
        now = first.time
        guard !heap.isEmpty else { return first.event }
        heap[0] = last
        var parent = 0
        while true {
            var least = parent
            for child in [2 * parent + 1, 2 * parent + 2] where child < heap.count {
                if heap[child].isBefore(heap[least]) { least = child }
            }
            if least == parent { return first.event }
            heap.swapAt(parent, least)
            parent = least
        }
    }
}
