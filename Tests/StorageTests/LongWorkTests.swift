import Keyspace
import Raft
import Storage
import TestSupport
import Testing
import Wire

/// What the apply thread does of work that has no end by itself.
@Suite("Large listings, many expirations, a long past")
struct LongWorkTests {
    private let directory: TemporaryDirectory
    private let bench: TreeBench
    private static let second: Int64 = 1_000_000_000

    init() throws {
        directory = try TemporaryDirectory()
        bench = try TreeBench(directory.file("tree.db"), historyEvents: 10_000)
    }

    @discardableResult
    private func apply(_ command: Command, at time: Int64) throws -> AppliedOutcome {
        let payload = CommandCodec.encode(command, time: time, client: [], request: 1)
        return try bench.applier.apply(LogEntry(index: bench.applier.applied.index.next, term: 1, payload: payload))
    }

    private func set(_ path: TreePath, _ value: String = "v", expiration: Int64? = nil, at time: Int64 = 1) throws {
        var command = Command(.set, path)
        command.value = Array(value.utf8)
        command.expiration = expiration
        try apply(command, at: time)
    }

    @Test("A walk through the file shows what a listing shows, hidden and empty directories among it", arguments: 1...12)
    func walk(seed: UInt64) throws {
        var source = CommandSource(seed: seed)
        for _ in 0..<400 { _ = try bench.applier.apply(source.entry()) }
        var deep = TreePath.root
        for name in ["d", "_e", "f", "g", "h"] {
            deep = deep.child(Array(name.utf8))
            try set(deep.child(Array("x".utf8)))
        }
        var empty = Command(.create, "/d/empty")
        empty.isDirectory = true
        try apply(empty, at: 1)
        try bench.flush()
        let reader = try TreeReader(path: bench.path, as: .reader)
        defer { reader.close() }
        try reader.hold()
        for path in [.root, "/a", "/a/b", "/d", "/d/_e", "/d/empty", "/d/x"] as [TreePath] {
            for recursive in [false, true] {
                guard case .success(.directory(_, let expected)) = try bench.applier.tree.get(path, recursive: recursive) else { continue }
                let walk = try reader.walk(path, recursive: recursive)
                var lines: [ListedNode] = []
                while let line = try walk.next() { lines.append(line) }
                #expect(lines == expected, "\(path.text), recursive \(recursive), seed \(seed)")
            }
        }
    }

    @Test("A listing beyond its budget is given up, wherever its nodes are: in the file, in memory, deep or wide, in values")
    func budget() throws {
        func isWithin(_ path: TreePath, recursive: Bool = true, nodes: Int = .max, bytes: Int = .max) throws -> Bool {
            var budget = ListingBudget(nodes: nodes, bytes: bytes)
            return try bench.applier.tree.get(path, recursive: recursive, within: &budget) != nil
        }
        for number in 0..<20 { try set(TreePath("/wide/k\(number)"), String(repeating: "v", count: 100)) }
        for number in 0..<20 { try set(TreePath("/deep/d\(number)/k")) }
        for _ in 0..<2 {
            #expect(try isWithin("/wide", nodes: 20) && !isWithin("/wide", nodes: 19))
            #expect(try isWithin("/deep", nodes: 40) && !isWithin("/deep", nodes: 39))
            #expect(try isWithin("/deep", recursive: false, nodes: 20) && !isWithin("/deep", recursive: false, nodes: 19))
            #expect(try isWithin("/wide", bytes: 20 * 110) && !isWithin("/wide", bytes: 20 * 100))
            #expect(try isWithin("/wide/k1", nodes: 0, bytes: 0), "a file is no listing")
            try bench.flush()
        }
        // Half of them are changed in memory.
        for number in 0..<10 { try set(TreePath("/wide/k\(number)"), "w") }
        for number in 20..<30 { try set(TreePath("/wide/k\(number)"), "w") }
        #expect(!(try isWithin("/wide", nodes: 29)))
        guard case .success(.directory(_, let all)) = try bench.applier.tree.get("/wide", recursive: true) else {
            Issue.record("no directory")
            return
        }
        #expect(all.count == 30)
    }

    @Test("What is due goes in slices: none lost, none twice, those of one nanosecond together; one put into the past is found")
    func slices() throws {
        let start = 1000 * Self.second
        // In the file, in the layer that is out, and in the one that gathers; each third with its two neighbours at one moment.
        for number in 0..<300 {
            try set(TreePath("/k\(number)"), expiration: start + Int64(number / 3), at: 1)
            if number == 150 { try bench.flush() }
            if number == 220 { bench.freeze() }
        }
        try set("/later", expiration: start + 1_000_000, at: 1)
        var gone: [String] = []
        var slices = 0
        let now = start + 1000
        while let earliest = try bench.applier.tree.table.earliestExpiration(), earliest <= now {
            let end = try bench.applier.tree.table.endOfSlice(20, upTo: now)
            #expect(end >= earliest && end <= now)
            guard case .expired(let events) = try apply(Command(.expire, .root), at: end) else {
                Issue.record("not expired")
                return
            }
            // The file and the layers may each give that many, and their neighbours. What was put into the past has made the file look again
            // at rows that are gone: a slice of those has nothing.
            #expect((!events.isEmpty || slices > 3) && events.count <= 2 * 20 + 4, "\(events.count)")
            gone += events.map(\.path.text)
            slices += 1
            if slices == 3 { try bench.finishWriting() }
            if slices == 4 {
                // Already past when it is applied: a write that was proposed before.
                try set("/late", expiration: start - 5, at: 1)
                bench.freeze()
            }
            guard slices < 100 else { break }
        }
        #expect(gone.count == 301 && Set(gone).count == 301 && gone.contains("/late"))
        #expect(slices >= 300 / 44 && slices < 100)
        #expect(bench.applier.earliestExpiration == start + 1_000_000)
        try bench.flush()
        #expect(try bench.file.earliestExpiration() == start + 1_000_000)
        #expect(try bench.applier.tree.table.endOfSlice(20, upTo: now) == now)
    }

    @Test("A look into the past ends at its limit, and does not count what memory holds")
    func past() throws {
        for number in 0..<100 { try set(TreePath("/k\(number % 10)"), "\(number)") }
        try bench.flush()
        try set("/new")
        func past(_ path: TreePath, since: UInt64, _ eventsMax: Int) throws -> String {
            switch try bench.applier.past(of: path, recursive: false, since: since, eventsMax: eventsMax) {
            case nil: "too much"
            case .nothing: "nothing"
            case .event(let event): "\(event.path.text) \(event.index)"
            case .cleared: "cleared"
            }
        }
        #expect(try past("/k3", since: 1, 10) == "/k3 4")
        #expect(try past("/k9", since: 1, 9) == "too much")
        #expect(try past("/none", since: 1, 99) == "too much")
        #expect(try past("/none", since: 51, 51) == "nothing")
        #expect(try past("/new", since: 51, 51) == "/new 101")
        #expect(try past("/new", since: 101, 1) == "/new 101")
    }

    @Test("It is known what the file has")
    func stored() throws {
        #expect(bench.applier.stored == .origin)
        try set("/a")
        bench.freeze()
        try set("/b")
        #expect(bench.applier.stored == .origin)
        try bench.finishWriting()
        #expect(bench.applier.stored.index == 1 && bench.applier.applied.index == 2)
        try bench.flush()
        #expect(bench.applier.stored.index == 2)
    }
}
