import Keyspace

/// Who watches what, and who is to hear of an event. Confined to the replica's loop, like everything that calls it: so a watcher is
/// registered at one index exactly, with no gap and no repetition.
///
/// It tells nobody anything: what watchers are to hear is given back as deliveries. A sink may close its channel while it is told
/// something, and a closed channel ends its watch; both find the hub at rest.
struct WatchHub {
    private var watchers: [UInt64: Watcher] = [:]
    private var index = WatchIndex<UInt64>()
    private var touched: [Watcher] = []

    /// Watchers that wait for an event.
    var count: Int { watchers.count }

    mutating func register(_ watcher: Watcher) {
        watchers[watcher.token.number] = watcher
        index.register(watcher.token.number, path: watcher.path, recursive: watcher.recursive)
    }

    /// Nil when it is gone already.
    mutating func unregister(_ token: WatchToken) -> Watcher? {
        guard let watcher = watchers.removeValue(forKey: token.number) else { return nil }
        _ = index.unregister(token.number)
        return watcher
    }

    /// Who is to hear of the event. A one-shot watcher hears one event; it stays registered until that is delivered.
    ///
    /// - Parameter isAlone: no other event comes with this one, so there is nothing to wait for before the flush.
    mutating func publish(_ event: Event, isAlone: Bool, into deliveries: inout [Delivery]) {
        guard !watchers.isEmpty, !event.isRefresh, event.action != .cluster else { return }
        let heard = index.watchers(of: event)
        guard !heard.isEmpty else { return }
        let shared = SharedEvent(event)
        for (number, isTwice) in heard {
            guard let watcher = watchers[number], event.index >= watcher.since, watcher.isStream || !watcher.hasHeard else { continue }
            watcher.hasHeard = true
            deliveries.append(.event(watcher, shared, isTwice: isTwice && watcher.isStream))
            if isAlone {
                deliveries.append(.flush(watcher))
            } else if !watcher.isTouched {
                watcher.isTouched = true
                touched.append(watcher)
            }
        }
    }

    /// After a burst of events.
    mutating func flush(into deliveries: inout [Delivery]) {
        guard !touched.isEmpty else { return }
        for watcher in touched {
            watcher.isTouched = false
            deliveries.append(.flush(watcher))
        }
        touched.removeAll(keepingCapacity: touched.count < 1024)
    }

    /// In the order of their registration.
    var all: [Watcher] { watchers.sorted { $0.key < $1.key }.map(\.value) }

    /// All watchers; none is registered afterwards.
    mutating func takeAll() -> [Watcher] {
        let all = all
        watchers = [:]
        touched = []
        index = WatchIndex()
        return all
    }
}

/// One who watches: on the way to the apply thread and back, then in the hub.
final class Watcher {
    let token: WatchToken
    let sink: any WatchSink
    let path: TreePath
    let recursive: Bool
    let isStream: Bool
    /// Events before it are not for this watcher.
    fileprivate(set) var since: UInt64
    /// Its sink knows that it is registered: it was before.
    fileprivate(set) var isStarted = false
    /// It is to be told nothing any more, not even what is on its way to it.
    private(set) var isOver = false
    /// It was, or is about to be, told of an event.
    fileprivate var hasHeard = false
    /// It was given something since the last flush.
    fileprivate var isTouched = false

    init(_ token: WatchToken, path: TreePath, recursive: Bool, isStream: Bool, since: UInt64, sink: any WatchSink) {
        self.token = token
        self.sink = sink
        self.path = path
        self.recursive = recursive
        self.isStream = isStream
        self.since = since
    }

    func cancel() { isOver = true }

    /// To be registered once more, for events from `index` on.
    func startAgain(since index: UInt64) {
        since = max(since, index)
        isStarted = true
        isTouched = false
    }
}
