/// First in, first out, in an array whose front is given back now and then.
struct Queue<Element: Sendable>: Sendable {
    private var elements: [Element] = []
    private var head = 0

    var count: Int { elements.count - head }
    var isEmpty: Bool { head == elements.count }
    var first: Element? { isEmpty ? nil : elements[head] }

    /// What waits, oldest first.
    var all: ArraySlice<Element> { elements[head...] }

    /// Counted from the front.
    subscript(place: Int) -> Element {
        get { elements[head + place] }
        set { elements[head + place] = newValue }
    }

    mutating func append(_ element: Element) { elements.append(element) }

    mutating func append(contentsOf more: some Sequence<Element>) { elements.append(contentsOf: more) }

    mutating func putBack(_ older: [Element]) {
        guard !older.isEmpty else { return }
        elements.replaceSubrange(..<head, with: older)
        head = 0
    }

    mutating func removeFirst(_ count: Int = 1) {
        head += count
        if head == elements.count {
            // The room is kept unless it is a lot.
            elements.removeAll(keepingCapacity: head < 4096)
            head = 0
        } else if head > 1024, head * 2 > elements.count {
            elements.removeFirst(head)
            head = 0
        }
    }

    mutating func removeLast(_ count: Int) { elements.removeLast(count) }

    mutating func removeAll() {
        elements.removeAll()
        head = 0
    }
}
