import Keyspace
import Storage
import Testing

@testable import ReplicaHost

@Suite("The desk of watches")
struct WatchDeskTests {
    private var desk = WatchDesk(askedMax: 3)
    private let sink = Sink()

    private mutating func ask(_ path: TreePath, isStream: Bool = false, since: UInt64 = 0) -> Watcher {
        let watcher = Watcher(desk.newToken(), path: path, recursive: true, isStream: isStream, since: since, sink: sink)
        desk.ask(watcher)
        return watcher
    }

    private mutating func registered(_ path: TreePath, isStream: Bool = false, since: UInt64 = 0) -> Watcher {
        let watcher = ask(path, isStream: isStream, since: since)
        var deliveries: [Delivery] = []
        _ = desk.started(watcher.token, .nothing, at: 1, into: &deliveries)
        return watcher
    }

    private func event(_ index: UInt64, _ path: TreePath = "/w/k") -> Event {
        Event(.set, index: index, path: path, node: TreeNode(isDirectory: false, created: index, modified: index), previous: nil, time: 0)
    }

    private func words(_ deliveries: [Delivery]) -> [String] {
        deliveries.map {
            switch $0 {
            case .event(let watcher, let event, let isTwice): "\(watcher.token.number) event \(event.event.index)\(isTwice ? " twice" : "")"
            case .flush(let watcher): "\(watcher.token.number) flush"
            case .started(let watcher, let index): "\(watcher.token.number) started \(index)"
            case .cleared(let watcher, let oldest, _): "\(watcher.token.number) cleared \(oldest)"
            case .ended(let watcher): "\(watcher.token.number) ended"
            case .unavailable(let watcher, let reason): "\(watcher.token.number) \(reason)"
            case .proposal, .read, .other: "something else"
            }
        }
    }

    private mutating func hear(_ events: [Event]) -> [String] {
        var deliveries: [Delivery] = []
        for event in events { desk.hear(event, isAlone: events.count == 1, into: &deliveries) }
        desk.flush(into: &deliveries)
        return words(deliveries)
    }

    @Test("A watch whose past cannot be looked at is told so, and cancelled then; one that leaves ends the look")
    mutating func looking() {
        let (refused, gone) = (ask("/w", since: 5), ask("/w", since: 6))
        var deliveries: [Delivery] = []
        #expect(desk.refused(refused.token, into: &deliveries))
        #expect(words(deliveries) == ["1 overloaded"])
        #expect(desk.cancel(refused.token) == "/w" && desk.count == 0)
        #expect(gone.past.since == 6 && gone.past.path == "/w" && !gone.past.abandonment.isAbandoned)
        #expect(desk.cancel(gone.token) == nil)
        #expect(gone.past.abandonment.isAbandoned)
        #expect(!desk.refused(gone.token, into: &deliveries))
    }

    @Test("Streams hear every event and are flushed once a burst; one-shot watchers hear one")
    mutating func hearing() {
        _ = registered("/w", isStream: true)
        _ = registered("/w")
        _ = registered("/w", since: 8)
        #expect(hear([event(5)]) == ["1 event 5", "1 flush", "2 event 5"])
        #expect(hear([event(6), event(7)]) == ["1 event 6", "1 event 7", "1 flush"])
        #expect(hear([event(8), event(9)]) == ["1 event 8", "3 event 8", "1 event 9", "1 flush"])
        #expect(hear([event(10, "/x")]) == [])
        #expect(sink.told.isEmpty, "the desk itself tells nobody")
    }

    @Test("One that is about to hear its last word can be cancelled until it has, and its path is given back once")
    mutating func cancelling() {
        let watcher = registered("/w")
        _ = hear([event(5)])
        #expect(desk.count == 1)
        #expect(desk.cancel(watcher.token) == "/w" && watcher.isOver)
        #expect(desk.cancel(watcher.token) == nil)
        #expect(desk.count == 0)
    }

    @Test("One that leaves before the apply thread has answered is not registered, and its path need not be recorded")
    mutating func leavingEarly() {
        let watcher = ask("/w")
        #expect(desk.cancel(watcher.token) == nil && watcher.isOver)
        var deliveries: [Delivery] = []
        #expect(!desk.started(watcher.token, .nothing, at: 4, into: &deliveries))
        #expect(deliveries.isEmpty && desk.count == 0)
    }

    @Test("What the past holds is the last word, of a stream too")
    mutating func past() {
        var deliveries: [Delivery] = []
        let stream = ask("/w", isStream: true, since: 2)
        let late = ask("/w", since: 1)
        #expect(desk.started(stream.token, .event(event(2)), at: 4, into: &deliveries))
        #expect(desk.started(late.token, .cleared(oldest: 2), at: 4, into: &deliveries))
        #expect(words(deliveries) == ["1 started 4", "1 event 2", "2 cleared 2"])
        #expect(hear([event(5)]) == [], "neither hears of what comes now")
        #expect(desk.cancel(stream.token) == "/w" && desk.cancel(late.token) == "/w")
    }

    @Test("After a jump of the tree one-shot watchers are asked for once more, without a second start, and streams end")
    mutating func jump() {
        let one = registered("/w")
        let served = registered("/w")
        let stream = registered("/w", isStream: true)
        var deliveries: [Delivery] = []
        _ = desk.cancel(served.token)
        let again = desk.startAgain(since: 9, into: &deliveries)
        #expect(words(deliveries) == ["3 ended"])
        #expect(again.map(\.token) == [one.token] && one.since == 9)
        #expect(hear([event(9)]) == [], "nobody hears what the history will tell")
        deliveries = []
        #expect(desk.started(one.token, .nothing, at: 9, into: &deliveries))
        #expect(deliveries.isEmpty)
        #expect(hear([event(10)]) == ["1 event 10"])
        #expect(desk.cancel(stream.token) == "/w")
    }

    @Test("So many may be on their way; at the end all are told")
    mutating func bounds() {
        for _ in 0..<3 {
            #expect(!desk.isFull)
            _ = ask("/w")
        }
        #expect(desk.isFull)
        var deliveries: [Delivery] = []
        desk.endAll(into: &deliveries)
        #expect(words(deliveries) == ["1 ended", "2 ended", "3 ended"])
    }
}
