import Keyspace
import Storage

/// Who hears what, and from when?
///
/// A watch goes to the apply thread first, which looks into the past and from then on records events for its path; its answer comes back
/// in the order of the events, so the watcher is registered at one index exactly, with no gap and no repetition.
///
///     ask → (apply thread) → started → registered → hears → (its last word is delivered) → over
///
/// Up to its last word it is known here, and can be cancelled: then it is not told even what was on its way to it.
///
/// The desk tells nobody anything: what watchers are to hear comes back as deliveries. A sink may close its channel while it is told
/// something, and a closed channel ends its watch; both find the desk at rest.
struct WatchDesk {
    /// At the apply thread, which has not answered yet.
    private var asked: [UInt64: Watcher] = [:]
    /// Those that hear of events, and those that are about to be told their last word.
    private var watchers: [UInt64: Watcher] = [:]
    private var index = WatchIndex<UInt64>()
    /// Those that have heard something since the last flush.
    private var touched: [Watcher] = []
    private var lastNumber: UInt64 = 0
    private let askedMax: Int

    /// - Parameter askedMax: watches that may be on their way to the apply thread at once.
    init(askedMax: Int) { self.askedMax = askedMax }

    /// Watchers that wait for an event.
    var count: Int { watchers.count }
    var isFull: Bool { asked.count >= askedMax }

    mutating func newToken() -> WatchToken {
        lastNumber += 1
        return WatchToken(lastNumber)
    }

    /// The watch is given to the apply thread.
    mutating func ask(_ watcher: Watcher) { asked[watcher.token.number] = watcher }

    /// The watcher hears nothing any more, not even what is on its way to it.
    ///
    /// - Returns: the path that need not be recorded for it any more; nil while the apply thread has not answered, or when it is gone already.
    mutating func cancel(_ token: WatchToken) -> TreePath? {
        // The answer of the apply thread will find nobody.
        if let watcher = asked.removeValue(forKey: token.number) {
            watcher.cancel()
            return nil
        }
        guard let watcher = watchers.removeValue(forKey: token.number) else { return nil }
        _ = index.unregister(token.number)
        watcher.cancel()
        return watcher.path
    }

    /// The apply thread has looked.
    ///
    /// - Returns: false when its path need not be recorded for it.
    mutating func started(_ token: WatchToken, _ past: EntryApplier.Past, at now: UInt64, into deliveries: inout [Delivery]) -> Bool {
        guard let watcher = asked.removeValue(forKey: token.number) else { return false }
        watchers[token.number] = watcher
        switch past {
        case .nothing:
            index.register(token.number, path: watcher.path, recursive: watcher.recursive)
            if !watcher.isStarted { deliveries.append(.started(watcher, index: now)) }
        case .event(let event):
            watcher.hearsOnce = true
            watcher.hasHeard = true
            if !watcher.isStarted { deliveries.append(.started(watcher, index: now)) }
            deliveries.append(.event(watcher, SharedEvent(event), isTwice: false))
        case .cleared(let oldest):
            deliveries.append(watcher.isStarted ? .ended(watcher) : .cleared(watcher, oldest: oldest, index: now))
        }
        return true
    }

    /// The past could not be looked at: too many want that.
    ///
    /// - Returns: false when its path need not be recorded for it.
    mutating func refused(_ token: WatchToken, into deliveries: inout [Delivery]) -> Bool {
        guard let watcher = asked.removeValue(forKey: token.number) else { return false }
        watchers[token.number] = watcher
        deliveries.append(watcher.isStarted ? .ended(watcher) : .unavailable(watcher, .overloaded))
        return true
    }

    /// Who is to hear of the event.
    ///
    /// - Parameter isAlone: no other event comes with this one, so there is nothing to wait for before the flush.
    mutating func hear(_ event: Event, isAlone: Bool, into deliveries: inout [Delivery]) {
        guard !watchers.isEmpty, !event.isRefresh, event.action != .cluster else { return }
        let heard = index.watchers(of: event)
        guard !heard.isEmpty else { return }
        let shared = SharedEvent(event)
        for (number, isTwice) in heard {
            guard let watcher = watchers[number], watcher.wants(event) else { continue }
            watcher.hasHeard = true
            deliveries.append(.event(watcher, shared, isTwice: isTwice && watcher.isStream))
            if watcher.hearsOnce { continue }
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

    /// The tree has jumped over events that nobody here has seen. Watchers get what they have missed out of the history, which came with
    /// it: they are asked for anew. A stream gets one event out of the past only (v2-keys.md §13), so it ends instead, and its client asks
    /// again.
    ///
    /// - Returns: those to ask for; what is recorded for them is recorded once more then.
    mutating func startAgain(since first: UInt64, into deliveries: inout [Delivery]) -> [Watcher] {
        touched = []
        index = WatchIndex()
        var again: [Watcher] = []
        for watcher in watchers.values.sorted(by: { $0.token.number < $1.token.number }) where !watcher.hasHeard || watcher.isStream {
            if watcher.isStream {
                deliveries.append(.ended(watcher))
            } else {
                watcher.startAgain(since: first)
                watchers[watcher.token.number] = nil
                asked[watcher.token.number] = watcher
                again.append(watcher)
            }
        }
        return again
    }

    mutating func endAll(into deliveries: inout [Delivery]) {
        watchers.merge(asked) { known, _ in known }
        asked = [:]
        touched = []
        index = WatchIndex()
        for watcher in watchers.values.sorted(by: { $0.token.number < $1.token.number }) { deliveries.append(.ended(watcher)) }
    }
}

/// One who watches. Confined to the loop.
final class Watcher {
    let token: WatchToken
    let sink: any WatchSink
    let path: TreePath
    let recursive: Bool
    let isStream: Bool
    /// Its first event is its last word.
    fileprivate(set) var hearsOnce: Bool
    /// Events before it are not for this watcher.
    private(set) var since: UInt64
    /// Said when it hears nothing any more: nobody need look into the past for it.
    let abandonment = Abandonment()
    /// Its sink knows that it is registered: it was before.
    private(set) var isStarted = false
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
        hearsOnce = !isStream
        self.since = since
    }

    fileprivate func wants(_ event: Event) -> Bool { event.index >= since && !(hearsOnce && hasHeard) }

    /// What is asked of the apply thread.
    var past: LongReader.Past {
        LongReader.Past(token: token, path: path, isRecursive: recursive, since: since, abandonment: abandonment)
    }

    fileprivate func cancel() {
        isOver = true
        abandonment.abandon()
    }

    fileprivate func startAgain(since index: UInt64) {
        since = max(since, index)
        isStarted = true
        isTouched = false
    }
}
