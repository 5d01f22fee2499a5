import Keyspace
import Raft
import Storage
import TestSupport
import Testing
import Wire

@Suite("The past, for watches with a waitIndex (v2-keys.md §13)")
struct HistoryTests {
    private let directory: TemporaryDirectory

    init() throws { directory = try TemporaryDirectory() }

    private func apply(
        _ bench: TreeBench, _ operation: Command.Operation, _ path: TreePath, change: (inout Command) -> Void = { _ in }
    ) throws {
        var command = Command(operation, path)
        command.value = operation == .delete ? [] : Array("v".utf8)
        change(&command)
        let index = bench.applier.applied.index.next
        _ = try bench.applier.apply(
            LogEntry(index: index, term: 1, payload: CommandCodec.encode(command, time: 5, client: [], request: 1)))
    }

    private func past(_ bench: TreeBench, _ path: TreePath, recursive: Bool = false, since: UInt64) throws -> String {
        switch try bench.applier.past(of: path, recursive: recursive, since: since) {
        case .event(let event): "\(event.action) \(event.path.text) \(event.index)"
        case .nothing: "nothing"
        case .cleared(let oldest): "cleared \(oldest)"
        }
    }

    @Test("A window of so many events, found wherever they lie", arguments: [1, 5, 20, 1000])
    func window(historyEvents: Int) throws {
        let bench = try TreeBench(directory.file("tree.db"), historyEvents: historyEvents)
        for number: UInt64 in 1...50 {
            try apply(bench, .set, TreePath("/k\(number % 5)"))
            if number == 20 { try bench.flush() }
            if number == 35 { bench.freeze() }
        }
        let oldest = UInt64(max(1, 50 - historyEvents + 1))
        func check(_ note: String) throws {
            for since: UInt64 in 1...50 {
                let next = since + (8 - since % 5) % 5
                let expected = since < oldest ? "cleared \(oldest)" : next > 50 ? "nothing" : "set /k3 \(next)"
                #expect(try past(bench, "/k3", since: since) == expected, "since \(since), \(note)")
            }
            #expect(try past(bench, "/k3", since: 51) == "nothing", "\(note)")
            #expect(try past(bench, "/k3", since: .max) == "nothing", "\(note)")
        }
        try check("in three places")
        try bench.restart()
        try check("after a restart")
        #expect(try dump(bench.path).filter { $0.hasPrefix("events") }.count == min(50, historyEvents))
    }

    @Test("A window that was made larger begins where events were kept; one made smaller, where it should")
    func changedWindow() throws {
        let path = directory.file("tree.db")
        let small = try TreeBench(path, historyEvents: 10)
        for _ in 1...30 { try apply(small, .set, "/k") }
        try small.close()
        let large = try TreeBench(path, historyEvents: 1_000_000)
        #expect(try past(large, "/k", since: 20) == "cleared 21")
        #expect(try past(large, "/k", since: 21) == "set /k 21")
        for _ in 31...60 { try apply(large, .set, "/k") }
        #expect(try past(large, "/k", since: 21) == "set /k 21")
        try large.close()
        let less = try TreeBench(path, historyEvents: 5)
        #expect(try past(less, "/k", since: 55) == "cleared 56")
        #expect(try past(less, "/k", since: 56) == "set /k 56")
    }

    @Test("A thousand as etcd has, and a million: the same answers", arguments: [1_000, 1_000_000])
    func largeWindows(historyEvents: Int) throws {
        let bench = try TreeBench(directory.file("tree.db"), historyEvents: historyEvents)
        for number in 1...3000 {
            try apply(bench, .set, TreePath(number == 2500 ? "/rare" : "/k\(number % 7)"))
            if number % 700 == 0 { try bench.flush() }
        }
        let oldest = UInt64(max(1, 3000 - historyEvents + 1))
        #expect(try past(bench, "/rare", since: oldest) == "set /rare 2500")
        #expect(try past(bench, "/", recursive: true, since: oldest) == "set /k\(oldest % 7) \(oldest)")
        if oldest > 1 { #expect(try past(bench, "/rare", since: oldest - 1) == "cleared \(oldest)") }
        try bench.restart()
        #expect(try past(bench, "/rare", since: oldest) == "set /rare 2500")
        if historyEvents > 3000 { #expect(try past(bench, "/k1", since: 1) == "set /k1 1") }
    }

    @Test(
        "Hidden keys are found; a removed directory is found by what begins with its text; a refresh and the cluster's own are not"
    )
    func quirks() throws {
        let bench = try TreeBench(directory.file("tree.db"))
        try apply(bench, .set, "/d/_hidden/x")  // 1
        try apply(bench, .set, "/d/plain")  // 2
        try apply(bench, .set, "/d/plain") { $0.isRefresh = true }  // 3
        let version = MembershipCodec.encode(.clusterVersion("3.4.0"), time: 5, request: 1)  // 4
        _ = try bench.applier.apply(LogEntry(index: bench.applier.applied.index.next, term: 1, payload: version))
        try apply(bench, .delete, "/d") { $0.isRecursive = true }  // 5
        try apply(bench, .set, "/other")  // 6
        for place in ["in memory", "in the file"] {
            #expect(try past(bench, "/d", recursive: true, since: 1) == "set /d/_hidden/x 1", "\(place)")
            #expect(try past(bench, "/d", recursive: false, since: 1) == "delete /d 5", "\(place)")
            #expect(try past(bench, "/d/plain", since: 3) == "delete /d 5", "neither the refresh nor the version, \(place)")
            #expect(try past(bench, "/d/never/was", since: 3) == "delete /d 5", "\(place)")
            #expect(try past(bench, "/d2", since: 3) == "delete /d 5", "etcd compares text, \(place)")
            #expect(try past(bench, "/e", since: 1) == "nothing", "\(place)")
            #expect(try past(bench, "/", recursive: true, since: 6) == "set /other 6", "\(place)")
            try bench.restart()
        }
    }

    @Test("An event of the file is the event that was", arguments: 1...5)
    func sameEvents(seed: UInt64) throws {
        let bench = try TreeBench(directory.file("tree.db"), historyEvents: 100_000)
        var source = CommandSource(seed: seed)
        var events: [Event] = []
        for _ in 0..<300 {
            switch try bench.applier.apply(source.entry()) {
            case .event(let event): events.append(event)
            case .expired(let expired): events += expired
            default: break
            }
        }
        try bench.flush()
        var stored: [Event] = []
        try TreeReader(path: bench.path, as: .reader).events(from: 0) { event in
            stored.append(event)
            return true
        }
        for position in events.indices { events[position].removedBelow = [] }
        #expect(stored == events, "seed \(seed)")
    }

    @Test("Random looks into the past, against all events in order", arguments: 1...6)
    func model(seed: UInt64) throws {
        let limit = 80
        let bench = try TreeBench(directory.file("tree.db"), historyEvents: limit)
        var source = CommandSource(seed: seed &+ 100)
        var events: [Event] = []
        for step in 0..<400 {
            switch try bench.applier.apply(source.entry()) {
            case .event(let event): events.append(event)
            case .expired(let expired): events += expired
            default: break
            }
            if source.chance(5) { bench.freeze() }
            if source.chance(5) { try bench.finishWriting() }
            if source.chance(1) { try bench.restart() }
            guard let last = events.last?.index else { continue }
            let since = UInt64.random(in: (last > 100 ? last - 100 : 1)...(last + 1), using: &source.generator)
            let path = source.path(depthMax: 3)
            let recursive = source.chance(50)
            let oldest = last >= UInt64(limit) ? last - UInt64(limit) + 1 : 1
            let expected: String
            if since > last {
                expected = "nothing"
            } else if since < oldest {
                expected = "cleared \(oldest)"
            } else if let event = events.first(where: { $0.index >= since && $0.matchesHistory(path: path, recursive: recursive) }
            ) {
                expected = "\(event.action) \(event.path.text) \(event.index)"
            } else {
                expected = "nothing"
            }
            #expect(try past(bench, path, recursive: recursive, since: since) == expected, "seed \(seed), step \(step)")
        }
    }
}

@Suite("History, bounded by bytes")
struct HistoryBytesTests {
    private let directory: TemporaryDirectory

    init() throws { directory = try TemporaryDirectory() }

    private func apply(_ applier: EntryApplier, bytes: Int) throws {
        var command = Command(.set, "/k")
        command.value = [UInt8](repeating: 0x76, count: bytes)
        let payload = CommandCodec.encode(command, time: 1, client: [], request: 1)
        _ = try applier.apply(LogEntry(index: applier.applied.index.next, term: 1, payload: payload))
    }

    private func cleared(_ applier: EntryApplier, since: UInt64) throws -> UInt64? {
        if case .cleared(let oldest) = try applier.past(of: "/k", recursive: false, since: since) { oldest } else { nil }
    }

    @Test("Large values leave few events, and at least one; the same wherever layers are cut and after a start", arguments: [1, 3, 1000])
    func bytes(flushEvery: Int) throws {
        let path = directory.file("tree.db")
        let store = try TreeStore(path, historyEvents: 1000)
        func open() throws -> EntryApplier {
            try EntryApplier(file: TreeReader(path: path, as: .reader), historyEvents: 1000, historyBytes: 100_000)
        }
        var applier = try open()
        var oldest: [UInt64] = []
        for number in 1...60 {
            try apply(applier, bytes: number == 40 ? 300_000 : 4_000)
            oldest.append(applier.history.oldest)
            if number % flushEvery == 0 {
                try applier.flush(to: store)
                if number % 7 == 0 { applier = try open() }
            }
        }
        try applier.flush(to: store)
        // Each of 8,102 bytes, but for the first; then one that is too large for itself, and for the next one, which has it before it.
        #expect(oldest[..<12].allSatisfy { $0 == 1 } && oldest[12] == 2 && oldest[38] == 28)
        #expect(oldest[39] == 40 && oldest[40] == 41 && oldest[41] == 42 && oldest[53] == 43)
        #expect(applier.history.oldest == 49 && applier.history.count == 12)
        #expect(try cleared(applier, since: 48) == 49)
        #expect(try cleared(applier, since: 49) == nil)
        let reader = try TreeReader(path: path, as: .reader)
        #expect(try reader.eventRange() == (12, 49, 60))
        applier = try open()
        #expect(applier.history.oldest == 49)
        #expect(try cleared(applier, since: 48) == 49)
    }

    @Test("A tree that keeps more than it should gets rid of it with the next layer")
    func oldTree() throws {
        let path = directory.file("tree.db")
        let store = try TreeStore(path, historyEvents: 1000)
        let reader = try TreeReader(path: path, as: .reader)
        let before = try EntryApplier(file: reader, historyEvents: 1000)
        for _ in 1...50 { try apply(before, bytes: 4_000) }
        try before.flush(to: store)
        #expect(try reader.eventRange().count == 50)
        let after = try EntryApplier(file: reader, historyEvents: 1000, historyBytes: 100_000)
        #expect(after.history.oldest == 39)
        try apply(after, bytes: 1)
        try after.flush(to: store)
        #expect(try reader.eventRange().first == 40)
    }
}
