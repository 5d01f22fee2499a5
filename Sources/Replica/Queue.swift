import DequeModule

/// First in, first out. What is taken out is let go of at once, for payloads may be large.
struct Queue<Element: Sendable>: Sendable {
    private var elements = Deque<Element>()
    /// The most that stood here since it was last empty.
    private var most = 0

    /// Room for more than this is given back when the queue is empty.
    private static var keptMax: Int { 4096 }

    var count: Int { elements.count }
    var isEmpty: Bool { elements.isEmpty }
    var first: Element? { elements.first }

    /// What waits, oldest first.
    var all: Deque<Element> { elements }

    /// Counted from the front.
    subscript(place: Int) -> Element {
        get { elements[place] }
        set { elements[place] = newValue }
    }

    mutating func append(_ element: Element) { elements.append(element) }

    mutating func append(contentsOf more: some Sequence<Element>) { elements.append(contentsOf: more) }

    mutating func putBack(_ older: [Element]) { elements.prepend(contentsOf: older) }

    mutating func removeFirst(_ count: Int = 1) {
        most = max(most, elements.count)
        elements.removeFirst(count)
        guard elements.isEmpty else { return }
        if most > Self.keptMax { elements = Deque() }
        most = 0
    }

    mutating func removeLast(_ count: Int) { elements.removeLast(count) }

    mutating func removeAll() {
        elements = Deque()
        most = 0
    }
}
