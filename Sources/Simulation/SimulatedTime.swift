/// The one clock of a simulation, and what is to happen when. It moves only from one event to the next.
package struct SimulatedTime<Event> {
    /// Microseconds since the beginning.
    package private(set) var now: UInt64 = 0

    private struct Entry {
        var time: UInt64
        /// In the order in which they were asked for, among those of one time.
        var number: UInt64
        /// Where the event is: events are large, and would be copied at each step through the heap.
        var place: Int

        func isBefore(_ other: Entry) -> Bool { time != other.time ? time < other.time : number < other.number }
    }

    /// A binary heap.
    private var heap: [Entry] = []
    private var events: [Event?] = []
    private var freePlaces: [Int] = []
    private var lastNumber: UInt64 = 0

    package init() {}

    package var isEmpty: Bool { heap.isEmpty }
    package var nextTime: UInt64? { heap.first?.time }

    package mutating func schedule(after microseconds: UInt64, _ event: Event) { schedule(at: now + microseconds, event) }

    package mutating func schedule(at time: UInt64, _ event: Event) {
        lastNumber += 1
        let place = freePlaces.popLast() ?? events.count
        if place < events.count { events[place] = event } else { events.append(event) }
        let entry = Entry(time: max(time, now), number: lastNumber, place: place)
        heap.append(entry)
        var child = heap.count - 1
        while child > 0 {
            let parent = (child - 1) / 2
            guard entry.isBefore(heap[parent]) else { break }
            heap[child] = heap[parent]
            child = parent
        }
        heap[child] = entry
    }

    /// The next event, at its time.
    package mutating func advance() -> Event? {
        guard let first = heap.first, let last = heap.popLast() else { return nil }
        now = first.time
        if !heap.isEmpty { sink(last) }
        freePlaces.append(first.place)
        return events[first.place].take()
    }

    /// Takes the place of the first, and goes down to where it belongs.
    private mutating func sink(_ entry: Entry) {
        var parent = 0
        while true {
            var least = 2 * parent + 1
            guard least < heap.count else { break }
            if least + 1 < heap.count, heap[least + 1].isBefore(heap[least]) { least += 1 }
            guard heap[least].isBefore(entry) else { break }
            heap[parent] = heap[least]
            parent = least
        }
        heap[parent] = entry
    }
}
