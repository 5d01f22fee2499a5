import Keyspace
import Raft
import Storage
import TestSupport
import Testing
import Wire

@Suite("The tree in layers over a file, against one in memory")
struct LayeredTableTests {
    /// The same commands on a tree in memory.
    private struct Model {
        var tree = KeyTree(table: MemoryNodeTable(), index: 0)
        var watched = WatchedPaths()

        var hash: StateHash {
            var hash = StateHash()
            for (path, node) in tree.table.all { hash.add(path, node) }
            return hash
        }

        mutating func apply(_ entry: LogEntry) throws -> [Event] {
            let command = try #require(CommandCodec.decode(entry.payload))
            if command.operation == .expire { return tree.expire(at: entry.payload.time, watched: watched) }
            switch tree.apply(command, at: entry.payload.time, watched: watched) {
            case .success(let event): return [event]
            case .failure(let refusal):
                lastRefusal = refusal
                return []
            }
        }

        var lastRefusal: Refusal?
    }

    private func compare(_ bench: TreeBench, _ model: Model, _ source: inout CommandSource, _ note: String) throws {
        if !bench.applier.isHashLate { #expect(bench.applier.tree.table.hash == model.hash, "\(note)") }
        #expect(bench.applier.tree.index == model.tree.index, "\(note)")
        for path in [TreePath.root, source.path(), source.path(depthMax: 2)] {
            for recursive in [false, true] {
                #expect(
                    try bench.applier.tree.get(path, recursive: recursive) == model.tree.get(path, recursive: recursive),
                    "\(path.text), \(note)")
            }
            #expect(try bench.applier.tree.table.hasChildren(path) == model.tree.table.hasChildren(path), "\(path.text), \(note)")
        }
        let time = (source.now + Int64.random(in: -10...30, using: &source.generator)) * 1_000_000_000
        let due = try bench.applier.tree.table.due(at: time)
        let expected = model.tree.table.due(at: time)
        #expect(due.map(\.path) == expected.map(\.path) && due.map(\.expiration) == expected.map(\.expiration), "due, \(note)")
        let earliest = expected.first?.expiration ?? model.tree.table.due(at: .max).first?.expiration
        if let earliest {
            #expect((try bench.applier.tree.table.earliestExpiration() ?? .max) <= earliest, "never late, \(note)")
        }
    }

    @Test("Random commands with layers given out, written and noticed at random points", arguments: 1...36)
    func differential(seed: UInt64) throws {
        let directory = try TemporaryDirectory()
        // Also with the stored nodes of larger subtrees left to the writer: of all that are removed, and of some.
        let bench = try TreeBench(directory.file("tree.db"), countedMax: [nil, 0, 3][Int(seed % 3)])
        var model = Model()
        var source = CommandSource(seed: seed)
        for path in ["/a", "/a/b", "/a/b/c", "/b/_h", "/c/c"] as [TreePath] {
            bench.applier.watched.add(path)
            model.watched.add(path)
        }
        for step in 0..<400 {
            let note = "seed \(seed), step \(step)"
            let entry = source.entry()
            let expected = try model.apply(entry)
            switch try bench.applier.apply(entry) {
            case .event(let event): #expect([event] == expected, "\(note)")
            case .expired(let events): #expect(events == expected, "\(note)")
            case .refused(let refusal, let index):
                #expect(expected.isEmpty && refusal == model.lastRefusal && index == model.tree.index, "\(note)")
            case .nothing, .membership, .membershipRefused, .access, .accessRefused, .denied: Issue.record("\(note)")
            }
            switch Int.random(in: 0..<24, using: &source.generator) {
            case 0...2: bench.freeze()
            case 3...4: try bench.finishWriting()
            case 5:
                // Written, and read from before anybody takes notice.
                if bench.applier.isWriting {
                    try bench.write()
                    try compare(bench, model, &source, note + ", written")
                    bench.noticeWritten()
                }
            case 6: try bench.flush()
            case 7 where source.chance(20): try bench.restart()
            case 7...9: try compare(bench, model, &source, note)
            default: break
            }
        }
        try bench.flush()
        try compare(bench, model, &source, "seed \(seed), end")
        let summary = try TreeSummary(TreeReader(path: bench.path, as: .reader))
        #expect(summary.hash == model.hash, "the file, seed \(seed)")
        #expect(bench.store.state.hash == model.hash && bench.applier.state.hash == model.hash, "seed \(seed)")
        #expect(summary.nodes == model.tree.table.count && summary.orphans.isEmpty, "seed \(seed)")
    }

    @Test("A directory removed, made again and removed again in every distribution over the layers", arguments: 0..<81, [nil, 0, 2])
    func madeAgain(pattern: Int, countedMax: Int?) throws {
        let directory = try TemporaryDirectory()
        let bench = try TreeBench(directory.file("tree.db"), countedMax: countedMax)
        var model = Model()
        var index: UInt64 = 0
        func make(_ operation: Command.Operation, _ path: TreePath) throws {
            index += 1
            var command = Command(operation, path)
            command.isRecursive = true
            command.value = operation == .set ? Array("\(index)".utf8) : []
            if operation == .set, index % 2 == 0 { command.expiration = Int64(index) }
            let entry = LogEntry(
                index: Index(index), term: 1, payload: CommandCodec.encode(command, time: 1, client: [], request: index))
            _ = try model.apply(entry)
            _ = try bench.applier.apply(entry)
        }
        let steps: [(Command.Operation, TreePath)] = [
            (.set, "/d/x/1"), (.set, "/d/x/2"), (.set, "/d/y"), (.set, "/d0/z"), (.delete, "/d/x"), (.set, "/d/x/3"),
            (.delete, "/d"),
            (.set, "/d/x/1"),
        ]
        var rest = pattern
        for (number, (operation, path)) in steps.enumerated() {
            try make(operation, path)
            guard number % 2 == 1 else { continue }
            switch rest % 3 {
            case 0: break
            case 1: bench.freeze()
            default: try bench.flush()
            }
            rest /= 3
            for path in ["/", "/d", "/d/x"] as [TreePath] {
                #expect(
                    try bench.applier.tree.get(path, recursive: true) == model.tree.get(path, recursive: true),
                    "pattern \(pattern), step \(number)")
                #expect(
                    try bench.applier.tree.table.hasChildren(path) == model.tree.table.hasChildren(path), "pattern \(pattern)")
            }
            #expect(
                try bench.applier.tree.table.due(at: 100).map(\.path) == model.tree.table.due(at: 100).map(\.path),
                "pattern \(pattern)")
            if !bench.applier.isHashLate {
                #expect(bench.applier.tree.table.hash == model.hash, "pattern \(pattern), step \(number)")
            }
        }
        try bench.flush()
        #expect(try TreeSummary(TreeReader(path: bench.path, as: .reader)).hash == model.hash, "pattern \(pattern)")
        #expect(bench.store.state.hash == model.hash && bench.applier.state.hash == model.hash, "pattern \(pattern)")
    }

    @Test("A large directory: the apply thread looks at few of its nodes, whatever it holds", arguments: [true, false])
    func largeDirectory(isStored: Bool) throws {
        let directory = try TemporaryDirectory()
        let bench = try TreeBench(directory.file("tree.db"), countedMax: 100)
        var index: UInt64 = 0
        func apply(_ operation: Command.Operation, _ path: TreePath, recursive: Bool = false) throws -> AppliedOutcome {
            index += 1
            var command = Command(operation, path)
            (command.isRecursive, command.isDirectory) = (recursive, operation == .delete)
            return try bench.applier.apply(
                LogEntry(index: Index(index), term: 1, payload: CommandCodec.encode(command, time: 1, client: [], request: index)))
        }
        for number in 0..<5000 { _ = try apply(.set, TreePath("/d/\(number % 50)/\(number)")) }
        _ = try apply(.set, "/e")
        if isStored { try bench.flush() }
        // Only empty ones.
        guard case .refused(.directoryNotEmpty("/d"), _) = try apply(.delete, "/d") else {
            Issue.record("it was removed")
            return
        }
        guard case .event(let event) = try apply(.delete, "/d", recursive: true) else {
            Issue.record("it was not removed")
            return
        }
        #expect(event.path == "/d")
        #expect(bench.applier.isHashLate)
        #expect(try bench.applier.tree.table.node(at: "/d/7/7") == nil)
        #expect(bench.applier.gatheredChanges < (isStored ? 10 : 15_000))
        try bench.flush()
        #expect(!bench.applier.isHashLate)
        let summary = try TreeSummary(TreeReader(path: bench.path, as: .reader))
        #expect(summary.nodes == 1 && summary.hash == bench.store.state.hash && summary.hash == bench.applier.state.hash)
    }

    @Test("The same log gives the same file, row by row, wherever the layers are cut", arguments: 1...6)
    func deterministic(seed: UInt64) throws {
        let directory = try TemporaryDirectory()
        var source = CommandSource(seed: seed &* 7919)
        var entries = (0..<500).map { _ in source.entry() }
        let changes: [MembershipChange] = [
            .add(Member(id: MemberID(0xab), peerURLs: ["http://h:2380"])),
            .add(Member(id: MemberID(0x9), peerURLs: ["http://i:2380"])),
            .publish(MemberID(0xab), name: "one", clientURLs: ["http://h:2379"]), .remove(MemberID(0x9)),
            .clusterVersion("3.4.0"),
        ]
        for (number, change) in changes.enumerated() {
            entries[number * 90].payload = MembershipCodec.encode(change, time: entries[number * 90].payload.time, request: 1)
        }
        var dumps: [[String]] = []
        for period in [500, 1, 7, 100] {
            let path = directory.file("tree-\(period).db")
            let bench = try TreeBench(path, historyEvents: 60)
            for (number, entry) in entries.enumerated() {
                _ = try bench.applier.apply(entry)
                if number % period == period - 1 {
                    if period == 7 {
                        try bench.finishWriting()
                        bench.freeze()
                    } else {
                        try bench.flush()
                    }
                }
            }
            try bench.close()
            dumps.append(try dump(path))
        }
        #expect(dumps[0].count > 65)
        for other in dumps.dropFirst() { #expect(other == dumps[0], "seed \(seed)") }
    }

    @Test("Members and the cluster's version survive a restart; a removed member stays known")
    func members() throws {
        let directory = try TemporaryDirectory()
        let bench = try TreeBench(directory.file("tree.db"))
        let one = Member(
            id: MemberID(0xab), name: "one", peerURLs: ["http://h:2380", "http://h:2381"], clientURLs: ["http://h:2379"])
        let two = Member(id: MemberID(0x9), name: "", peerURLs: ["http://i:2380"], isLearner: true)
        let changes: [MembershipChange] = [
            .add(one), .add(two), .clusterVersion("3.4.0"), .remove(MemberID(0x9)), .remove(MemberID(0x77)),
        ]
        for (number, change) in changes.enumerated() {
            let payload = MembershipCodec.encode(change, time: 5, request: 1)
            _ = try bench.applier.apply(LogEntry(index: Index(UInt64(number) + 1), term: 1, payload: payload))
        }
        try bench.restart()
        var gone = two
        gone.isRemoved = true
        #expect(bench.applier.members == [gone, one])
        #expect(bench.applier.clusterVersion == "3.4.0")
        #expect(bench.applier.tree.index == 4, "each that happens takes an index of the keys")
        #expect(bench.applier.applied == LogPosition(index: 5, term: 1))
    }

    @Test("An entry of a kind or form that is not known stops the applier instead of being skipped")
    func unknownEntries() throws {
        let directory = try TemporaryDirectory()
        let bench = try TreeBench(directory.file("tree.db"))
        var entry = Logs.entry(1)
        entry.payload.kind = 9
        #expect(throws: StorageError.self) { try bench.applier.apply(entry) }
        entry = Logs.entry(1)
        entry.payload.version = 2
        #expect(throws: StorageError.self) { try bench.applier.apply(entry) }
        #expect(bench.applier.applied == .origin)
        _ = try bench.applier.apply(LogEntry(index: 1, term: 1, payload: .empty))
        #expect(bench.applier.applied.index == 1 && bench.applier.tree.index == 0)
    }
}
