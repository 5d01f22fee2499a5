import Keyspace
import Raft
import SQLite
import TestSupport
import Testing
import Wire

@testable import Storage

@Suite("Long values, each stored once")
struct ChangeValueTests {
    private let directory: TemporaryDirectory
    private let bench: TreeBench

    init() throws {
        directory = try TemporaryDirectory()
        bench = try TreeBench(directory.file("tree.db"), historyEvents: 5)
    }

    private func apply(_ command: Command) throws {
        let index = bench.applier.applied.index.next
        let payload = CommandCodec.encode(command, time: Int64(index.value), client: [], request: 1)
        _ = try bench.applier.apply(LogEntry(index: index, term: 1, payload: payload))
    }

    private func set(_ path: TreePath, _ value: String) throws {
        var command = Command(.set, path)
        command.value = Array(value.utf8)
        try apply(command)
    }

    private func delete(_ path: TreePath) throws {
        var command = Command(.delete, path)
        (command.isDirectory, command.isRecursive) = (true, true)
        try apply(command)
    }

    private func long(_ letter: Character, _ count: Int = ChangeValues.inlineMax + 1) -> String { String(repeating: letter, count: count) }

    /// Enough short changes elsewhere that the history moves past all that was before.
    private func forgetHistory() throws {
        for _ in 0..<5 { try set("/other", "x") }
        try bench.flush()
    }

    private func count(_ table: String = "change_values") throws -> Int64 { try integer("SELECT count(*) FROM \(table)") }

    private func integer(_ sql: String) throws -> Int64 {
        let connection = try Connection(bench.path, as: .reader)
        defer { connection.close() }
        return try connection.integer(sql) ?? -1
    }

    private func problem() throws -> String? {
        let reader = try TreeReader(path: bench.path, as: .reader)
        defer { reader.close() }
        return try ChangeValues.problem(reader)
    }

    private func value(_ path: TreePath) throws -> String? {
        let reader = try TreeReader(path: bench.path, as: .reader)
        defer { reader.close() }
        return try reader.node(at: path).map { String(decoding: $0.value, as: UTF8.self) }
    }

    @Test("A value stands in one place, short ones in the row of the node; a shell sees both alike")
    func places() throws {
        try set("/short", long("s", ChangeValues.inlineMax))
        try set("/long", long("l"))
        try set("/long", long("m"))
        try set("/d/huge", long("h", 1 << 20))
        try bench.flush()
        #expect(try count() == 3)
        #expect(try integer("SELECT count(*) FROM nodes WHERE value_index = modified AND value = ''") == 2)
        #expect(try integer("SELECT count(*) FROM keys WHERE path = '/long' AND value = '\(long("m"))'") == 1)
        #expect(try integer("SELECT sum(length(value)) FROM keys") == Int64(2 * ChangeValues.inlineMax + 1 + 1 << 20))
        #expect(try integer("SELECT count(*) FROM history WHERE value = '\(long("m"))' AND previous_value = '\(long("l"))'") == 1)
        for (path, expected) in [("/short", long("s", ChangeValues.inlineMax)), ("/long", long("m")), ("/d/huge", long("h", 1 << 20))] {
            #expect(try value(TreePath(path)) == expected)
        }
        #expect(try value("/d") == "")
        let reader = try TreeReader(path: bench.path, as: .reader)
        try reader.hold()
        var lengths: [Int] = []
        let walk = try reader.walk(.root, recursive: true)
        while let line = try walk.next() { lengths.append(line.node.value.count) }
        #expect(lengths == [0, 1 << 20, ChangeValues.inlineMax + 1, ChangeValues.inlineMax])
        #expect(try TreeSummary(reader).hash == bench.store.state.hash)
        var events: [[Int?]] = []
        try reader.events(from: 2) { event in
            events.append([event.node.value.count, event.previous?.value.count])
            return true
        }
        #expect(events == [[ChangeValues.inlineMax + 1, nil], [ChangeValues.inlineMax + 1, ChangeValues.inlineMax + 1], [1 << 20, nil]])
    }

    @Test("It goes with the last that names it: node, its event, or the event that ended it", arguments: ["together", "apart", "after a start"])
    func goes(layers: String) throws {
        func next() throws {
            if layers == "apart" { try bench.flush() }
            if layers == "after a start" { try bench.restart() }
        }
        try set("/a", long("1"))
        try next()
        try set("/a", long("2"))
        try next()
        try delete("/a")
        try bench.flush()
        #expect(try count() == 2 && problem() == nil)
        try set("/other", "x")
        try set("/other", "x")
        try set("/other", "x")
        try bench.flush()
        // The event of the first is gone, the one that replaced it is there.
        #expect(try count() == 2 && problem() == nil)
        try set("/other", "x")
        try bench.flush()
        #expect(try count() == 1 && problem() == nil)
        try set("/other", "x")
        try bench.flush()
        #expect(try count() == 0 && problem() == nil)
    }

    @Test("What goes with its directory stays as long as its event, and no longer", arguments: [false, true])
    func directories(inOneLayer: Bool) throws {
        for path in ["/d/a", "/d/e/b", "/d!/x", "/d0"] { try set(TreePath(path), long("1")) }
        if !inOneLayer { try bench.flush() }
        try set("/d/a", long("2"))
        try delete("/d")
        try bench.flush()
        #expect(try problem() == nil)
        // "/d/a" at first is gone from the history, and named by the event that replaced it.
        #expect(try count() == 5 && count("past_values") == 2)
        try forgetHistory()
        #expect(try count() == 2 && count("past_values") == 0 && problem() == nil)
        #expect(try value("/d!/x") == long("1") && value("/d0") == long("1") && value("/d/a") == nil)
    }

    @Test("A node that lives keeps its value when the history is past it; a refreshed one has it under a new index")
    func kept() throws {
        try set("/a", long("1"))
        try bench.flush()
        try forgetHistory()
        #expect(try count() == 1 && value("/a") == long("1") && problem() == nil)
        var refresh = Command(.set, "/a")
        (refresh.isRefresh, refresh.expiration) = (true, .max)
        try apply(refresh)
        try bench.flush()
        #expect(try value("/a") == long("1") && problem() == nil)
        try forgetHistory()
        #expect(try count() == 1 && value("/a") == long("1") && problem() == nil)
        try set("/a", "short")
        try bench.flush()
        try forgetHistory()
        #expect(try count() == 0 && value("/a") == "short")
    }

    @Test("Whatever is done, each row is named by somebody, and nobody names one that is not there", arguments: 1...20)
    func random(seed: UInt64) throws {
        var source = CommandSource(seed: seed)
        for round in 0..<12 {
            for _ in 0..<Int.random(in: 1...40, using: &source.generator) { _ = try bench.applier.apply(source.entry()) }
            if round % 4 == 3 { try bench.restart() } else { try bench.flush() }
            #expect(try problem() == nil, "seed \(seed), round \(round)")
            let reader = try TreeReader(path: bench.path, as: .reader)
            #expect(try TreeSummary(reader).hash == bench.applier.tree.table.hash, "seed \(seed), round \(round)")
            reader.close()
        }
        try delete("/a")
        try delete("/b")
        try delete("/c")
        for path in ["/_h", "/a0", "/a!"] as [TreePath] { try delete(path) }
        try forgetHistory()
        #expect(try count() == 0 && count("past_values") == 0, "seed \(seed)")
    }

    @Test(
        "A value whose row is gone is damage, not an empty value", arguments: ["node", "children", "walk", "everything", "events", "previous"])
    func missing(way: String) throws {
        try set("/d/a", long("1"))
        try set("/d/a", way == "previous" ? "short" : long("2"))
        try bench.close()
        let connection = try Connection(bench.path, as: .viewWriter)
        if way == "previous" { try connection.execute("DELETE FROM events WHERE \"index\" = 1") }
        try connection.execute("DELETE FROM change_values")
        let reader = try TreeReader(connection)
        let error = try #require(throws: StorageError.self) {
            switch way {
            case "node": _ = try reader.node(at: "/d/a")
            case "children": try reader.visitChildren(of: "/d") { _, _ in true }
            case "walk": _ = try reader.walk("/d", recursive: false).next()
            case "events", "previous": try reader.events(from: 0) { _ in true }
            default: _ = try TreeSummary(reader)
            }
        }
        guard case .damaged(bench.path, "table change_values", "a value is missing") = error else {
            Issue.record("\(error)")
            return
        }
    }

    @Test(
        "Rows that belong to nobody, or to the wrong one, are reported",
        arguments: [
            ("INSERT INTO change_values VALUES (77, 'x')", "1 values belong to nobody"),
            ("DELETE FROM change_values WHERE \"index\" = 1", "1 values are missing"),
            ("INSERT INTO past_values VALUES (77)", "1 rows of past_values belong to no event"),
            ("UPDATE nodes SET value_index = 1 WHERE name = 'b'", "1 nodes name a value that is not theirs, or have two"),
            ("UPDATE nodes SET value = 'x' WHERE name = 'a'", "1 nodes name a value that is not theirs, or have two"),
            ("UPDATE events SET value_index = 1 WHERE value_index = 2", "1 events name a value that is not theirs"),
        ])
    func strays(sql: String, expected: String) throws {
        try set("/a", long("1"))
        try set("/b", long("1"))
        try bench.close()
        let connection = try Connection(bench.path, as: .viewWriter)
        try connection.execute(sql)
        #expect(try ChangeValues.problem(TreeReader(connection)) == expected)
    }

    @Test("A file of the schema before is read as it is, and its values go beside when they change")
    func older() throws {
        let path = directory.file("old.db")
        let old = try Connection(path, as: .viewWriter)
        _ = try Migrator.migrate(old, Schema.tree.filter { $0.number < ChangeValues.schema })
        try old.execute("INSERT INTO nodes VALUES ('', 'a', 0, '\(long("1"))', 1, 1, NULL), ('', 'b', 0, '\(long("2"))', 2, 2, NULL)")
        try old.execute("INSERT INTO events VALUES (2, 1, '/b', 0, '\(long("2"))', 2, NULL, 0, '\(long("0"))', 2, 1, NULL, 5, 0)")
        let before = try TreeReader(old)
        #expect(try before.node(at: "/b")?.value.count == ChangeValues.inlineMax + 1)
        #expect(try ChangeValues.problem(before) == nil)
        let summary = try TreeSummary(before)
        try old.execute(
            """
            INSERT INTO state(only, applied_index, applied_term, applied_time, keys_index, state_hash, cluster_version, history_events)
            VALUES (1, 2, 1, 2, 2, '\(summary.hash.hex)', '', 5)
            """)
        old.close()

        let store = try TreeStore(path, historyEvents: 5)
        let reader = try store.reader()
        #expect(try reader.node(at: "/a")?.value == Array(long("1").utf8))
        #expect(try store.connection.integer("SELECT count(*) FROM change_values") == 0)
        let applier = try EntryApplier(file: reader, historyEvents: 5)
        var command = Command(.set, "/a")
        command.value = Array(long("3").utf8)
        _ = try applier.apply(
            LogEntry(index: 3, term: 1, payload: CommandCodec.encode(command, time: 3, client: [], request: 1)))
        try applier.flush(to: store)
        #expect(try store.connection.integer("SELECT count(*) FROM change_values") == 2, "with the one before, as the event names it")
        #expect(try reader.node(at: "/a")?.value == Array(long("3").utf8) && reader.node(at: "/b")?.value == Array(long("2").utf8))
        #expect(try TreeSummary(reader).hash == store.state.hash && ChangeValues.problem(reader) == nil)
        var values: [String] = []
        try reader.events(from: 0) { event in
            values += [String(decoding: event.node.value, as: UTF8.self), String(decoding: event.previous?.value ?? [], as: UTF8.self)]
            return true
        }
        #expect(values == [long("2"), long("0"), long("3"), long("1")])
    }
}
