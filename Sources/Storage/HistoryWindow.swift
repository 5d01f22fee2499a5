import Keyspace

/// Which events are kept for watches of the past: the last ones, up to a number, and up to a size but for the newest.
///
/// A function of the events alone, wherever layers are cut and whenever a member was started: what a watch is told is the same on all that
/// keep the same number.
package struct HistoryWindow: Sendable {
    /// How many (`--history-events`).
    package let eventsMax: Int
    private let bytesMax: Int
    /// Index of the oldest event that is kept; of the next one when there is none.
    package private(set) var oldest: UInt64
    /// What each event takes, from `oldest` on; those before `start` are gone.
    private var sizes: [Int] = []
    private var start = 0
    private var bytes = 0

    /// An event holds a value and the one before it, so of large values there are few.
    package static let bytesMaxDefault = 128 << 20

    /// - Parameter next: index of the event that will come.
    init(eventsMax: Int, bytesMax: Int = bytesMaxDefault, next: UInt64) {
        self.eventsMax = max(0, eventsMax)
        self.bytesMax = bytesMax
        oldest = next
    }

    package var count: Int { sizes.count - start }

    /// - Parameter size: of `Event.historyBytes`.
    mutating func append(_ size: Int) {
        sizes.append(size)
        bytes += size
        while count > eventsMax || count > 1 && bytes > bytesMax {
            bytes -= sizes[start]
            start += 1
            oldest += 1
        }
        if start > 1024, start > sizes.count / 2 {
            sizes.removeFirst(start)
            start = 0
        }
    }
}

extension Event {
    /// What it takes in the history. As stored, so that it can be told of a row without reading it as an event (`TreeReader.history`).
    var historyBytes: Int { path.bytes.count + node.value.count + (previous?.value.count ?? 0) + Event.historyBytesBesides }

    static let historyBytesBesides = 100
}

extension TreeReader {
    /// The window over the stored events of a tree at `keysIndex`.
    package func history(eventsMax: Int, bytesMax: Int = HistoryWindow.bytesMaxDefault, keysIndex: UInt64) throws(StorageError) -> HistoryWindow {
        var sizes: [Int] = []
        var bytes = 0
        // From the newest on, so that nothing is read of what will not be kept.
        try eventSizes { size in
            sizes.append(size)
            bytes += size
            return sizes.count < eventsMax && bytes <= bytesMax
        }
        var window = HistoryWindow(eventsMax: eventsMax, bytesMax: bytesMax, next: keysIndex + 1 - min(UInt64(sizes.count), keysIndex))
        for size in sizes.reversed() { window.append(size) }
        return window
    }
}
