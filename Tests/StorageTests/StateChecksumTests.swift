import Raft
import SQLite
import Storage
import TestSupport
import Testing
import Wire

@Suite("State, members and events of a tree file are of one moment")
struct StateChecksumTests {
    private let directory: TemporaryDirectory
    private let path: String

    private static let one = Member(id: MemberID(1), name: "one", peerURLs: ["http://a:1", "http://a:2"])
    private static let two = Member(id: MemberID(2), name: "two", peerURLs: ["http://b:1"])

    init() throws {
        directory = try TemporaryDirectory()
        path = directory.file("tree.db")
    }

    private func add(_ member: Member, to bench: TreeBench) throws {
        let payload = MembershipCodec.encode(.add(member), time: 1, request: 1)
        _ = try bench.applier.apply(LogEntry(index: bench.applier.applied.index.next, term: 1, payload: payload))
    }

    private func set(_ bench: TreeBench) throws { _ = try bench.applier.apply(Logs.entry(bench.applier.applied.index.value + 1)) }

    /// A member and ten keys, in the file.
    private func makeSmallTree() throws -> TreeBench {
        let bench = try TreeBench(path)
        try add(Self.one, to: bench)
        for _ in 0..<10 { try set(bench) }
        try bench.flush()
        return bench
    }

    private func edit(_ sql: String) throws {
        let connection = try Connection(path, as: .viewWriter)
        try connection.execute(sql)
        connection.close()
    }

    private func requireDamage(_ place: String, of file: String? = nil, _ body: () throws -> Void) throws {
        let error = try #require(throws: StorageError.self) { try body() }
        guard case .damaged(file ?? path, place, let reason) = error else {
            Issue.record("\(error)")
            return
        }
        #expect(reason.contains("etcliteutl replay"))
    }

    @Test("A WAL that lost its last transaction after a checkpoint had copied the members: the nodes agree, and the file is refused")
    func membersOfALaterMoment() throws {
        let bench = try makeSmallTree()
        #expect(try bench.store.checkpointIfDue(force: true))
        try set(bench)
        try bench.flush()
        guard case .sound(let kept) = try WALFile.inspect(path + "-wal") else {
            Issue.record("the WAL is not sound")
            return
        }
        try add(Self.two, to: bench)
        try set(bench)
        try bench.flush()
        // Only the newest transaction has the members; the older one, which is left, has the pages of state, nodes and events.
        #expect(try bench.store.checkpointIfDue(force: true))
        var image = try DiskImage(of: path)
        image.wal[32 + kept * (24 + 4096) + 1000] ^= 1
        let crashed = directory.file("crashed.db")
        try image.restore(to: crashed)
        let shown = try Connection(crashed, as: .reader)
        #expect(try shown.integer("SELECT applied_index FROM state") == 12)
        #expect(try shown.integer("SELECT count(*) FROM members") == 2)
        shown.close()
        try requireDamage("table state, checksum", of: crashed) { _ = try TreeStore(crashed, historyEvents: 1000) }
        try requireDamage("table state, checksum", of: crashed) { try TreeStore.prove(crashed, mayLackPageChecksums: false) }
    }

    @Test(
        "Whatever applying depends on is looked at at each start",
        arguments: [
            "UPDATE members SET learner = 1", "DELETE FROM members", "UPDATE members SET peer_urls = 'http://a:1'",
            "UPDATE members SET removed = 1", "INSERT INTO members VALUES ('2', '', '', '', 0, 0)",
            "UPDATE state SET applied_index = 12", "UPDATE state SET applied_term = 2", "UPDATE state SET applied_time = 3",
            "UPDATE state SET keys_index = 10", "UPDATE state SET cluster_version = '9.9.0'", "UPDATE state SET checksum = checksum + 1",
            "DELETE FROM events WHERE \"index\" = 1", "DELETE FROM events WHERE \"index\" = 11", "DELETE FROM events",
        ])
    func otherRows(sql: String) throws {
        try makeSmallTree().close()
        try edit(sql)
        try requireDamage("table state, checksum") { _ = try TreeStore(path, historyEvents: 1000) }
        try requireDamage("table state, checksum") { try TreeStore.prove(path) }
        try requireDamage("table state, checksum") { _ = try TreeReader(path: path, as: .reader).state() }
    }

    @Test("A gap within the events is found by the proof")
    func gap() throws {
        try makeSmallTree().close()
        try edit("DELETE FROM events WHERE \"index\" = 5")
        _ = try TreeStore(path, historyEvents: 1000)
        try requireDamage("table events") { try TreeStore.prove(path) }
    }

    @Test("The checksum follows each layer: members, keys, trimmed events, entries that change nothing")
    func follows() throws {
        let bench = try TreeBench(path, historyEvents: 5)
        try add(Self.one, to: bench)
        try bench.restart()
        for round in 0..<8 {
            if round == 3 { try add(Self.two, to: bench) }
            if round == 6 {
                let empty = EntryPayload(kind: .empty)
                _ = try bench.applier.apply(LogEntry(index: bench.applier.applied.index.next, term: 2, payload: empty))
            } else {
                for _ in 0..<round { try set(bench) }
            }
            try bench.restart()
            #expect(try bench.file.state() == bench.applier.state)
            #expect(try bench.file.members() == bench.applier.members)
        }
        try bench.close()
        try TreeStore.prove(path)
    }

    @Test("A file from before the column is read as it is, upgraded, and checked from its next layer on")
    func upgrade() throws {
        let old = try Connection(path, as: .viewWriter)
        _ = try Migrator.migrate(old, Schema.tree.filter { $0.number < 4 })
        let hash = TreeState().hash.hex
        try old.execute("INSERT INTO state VALUES (1, 3, 1, 7, 0, '\(hash)', '', 1000); INSERT INTO members VALUES ('1', '', 'http://a:1', '', 0, 0)")
        old.close()
        #expect(try TreeReader(path: path, as: .reader).state().applied.index == 3)
        try TreeStore.prove(path)
        let bench = try TreeBench(path)
        #expect(bench.store.state.applied.index == 3)
        try set(bench)
        try bench.close()
        try edit("UPDATE members SET learner = 1")
        try requireDamage("table state, checksum") { _ = try TreeStore(path, historyEvents: 1000) }
    }
}
