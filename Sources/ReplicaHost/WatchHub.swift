import Keyspace

/// Who watches what, and who hears of an event. Confined to the replica's loop, like everything that calls it: so a watcher is
/// registered at one index exactly, with no gap and no repetition.
struct WatchHub {
    private final class Watcher {
        let sink: any WatchSink
        let path: TreePath
        let recursive: Bool
        let isStream: Bool
        /// Events before it are not for this watcher.
        let since: UInt64
        /// It was given something since the last flush.
        var isTouched = false

        init(sink: any WatchSink, path: TreePath, recursive: Bool, isStream: Bool, since: UInt64) {
            self.sink = sink
            self.path = path
            self.recursive = recursive
            self.isStream = isStream
            self.since = since
        }
    }

    private var watchers: [UInt64: Watcher] = [:]
    private var index = WatchIndex<UInt64>()
    private var touched: [Watcher] = []

    var count: Int { watchers.count }

    mutating func register(
        _ token: WatchToken, path: TreePath, recursive: Bool, isStream: Bool, since: UInt64, sink: any WatchSink
    ) {
        watchers[token.number] = Watcher(sink: sink, path: path, recursive: recursive, isStream: isStream, since: since)
        index.register(token.number, path: path, recursive: recursive)
    }

    /// The path that was watched; nil when the watcher is gone already.
    mutating func unregister(_ token: WatchToken) -> TreePath? {
        guard let watcher = watchers.removeValue(forKey: token.number) else { return nil }
        _ = index.unregister(token.number)
        return watcher.path
    }

    /// Gives the event to those who asked for it. Returns the paths of the watchers that are done with it.
    ///
    /// - Parameter isAlone: no other event comes with this one, so there is nothing to wait for before the flush.
    mutating func publish(_ event: Event, isAlone: Bool) -> [TreePath] {
        guard !watchers.isEmpty, !event.isRefresh, event.action != .cluster else { return [] }
        let heard = index.watchers(of: event)
        guard !heard.isEmpty else { return [] }
        let shared = SharedEvent(event)
        var done: [TreePath] = []
        for (number, isTwice) in heard {
            guard let watcher = watchers[number], event.index >= watcher.since else { continue }
            watcher.sink.push(shared, twice: isTwice && watcher.isStream)
            if isAlone {
                watcher.sink.flushEvents()
            } else if !watcher.isTouched {
                watcher.isTouched = true
                touched.append(watcher)
            }
            if !watcher.isStream, let path = unregister(WatchToken(number)) { done.append(path) }
        }
        return done
    }

    /// After a burst of events.
    mutating func flush() {
        guard !touched.isEmpty else { return }
        var flushed: [Watcher] = []
        swap(&flushed, &touched)
        for watcher in flushed {
            watcher.isTouched = false
            watcher.sink.flushEvents()
        }
    }

    /// All watchers, in the order of their registration; none is registered afterwards.
    mutating func takeAll() -> [(WatchToken, TreePath, PendingWatch)] {
        let all = watchers.sorted { $0.key < $1.key }
        watchers = [:]
        touched = []
        index = WatchIndex()
        return all.map { number, watcher in
            let watch = PendingWatch(
                sink: watcher.sink, path: watcher.path, recursive: watcher.recursive, isStream: watcher.isStream, since: watcher.since)
            return (WatchToken(number), watcher.path, watch)
        }
    }
}

/// A watch on its way to the apply thread and back, before the hub knows of it.
struct PendingWatch {
    let sink: any WatchSink
    let path: TreePath
    let recursive: Bool
    let isStream: Bool
    var since: UInt64
    /// Its sink knows that it is registered: it was before.
    var isStarted = false
}
