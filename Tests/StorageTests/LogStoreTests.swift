import Raft
import SQLite
import Storage
import TestSupport
import Testing
import Wire

@Suite("The log on real files")
struct LogStoreTests {
    private let directory: TemporaryDirectory
    private let path: String

    init() throws {
        directory = try TemporaryDirectory()
        path = directory.file("log.db")
        #expect(try !LogStore.hasIdentity(path))
        try LogStore.create(path, identity: Logs.identity, hardState: HardState(term: 5))
        #expect(try LogStore.hasIdentity(path))
    }

    @Test("A new log is empty, knows whose it is, and has the WAL at its full size already")
    func new() throws {
        let store = try LogStore(path)
        #expect(store.identity == Logs.identity)
        #expect(store.hardState == HardState(term: 5))
        #expect(store.cut == .origin && store.tail == .origin)
        #expect(try Logs.contents(of: store).isEmpty)
        let size = Files.size(path + "-wal")
        #expect(size > 7 << 20)
        try store.write(nil, [Logs.entry(1)])
        try store.checkpointIfDue()
        let once = Files.size(path + "-wal")
        for index: UInt64 in 2...50 { try store.write(nil, [Logs.entry(index)]) }
        #expect(once - size < 10 * 4120)
        #expect(Files.size(path + "-wal") == once, "commits overwrite it in place")
        try store.close()
        #expect(Files.size(path + "-wal") == once)
    }

    @Test("What was written is there after a close and after a crash, with the chain and the hard state")
    func reopen() throws {
        let store = try LogStore(path)
        let odd = Logs.entry(4, term: 2, value: [0, 0xff, 0xfe, 0x27, 0])
        let large = Logs.entry(5, term: 2, value: [UInt8](repeating: 0x78, count: 300_000))
        let state = HardState(term: 6, vote: Logs.identity.member, commit: 3)
        try store.write(nil, Logs.entries(1...3))
        try store.write(state, [odd, large])
        let expected = Logs.entries(1...3) + [odd, large]
        let crashed = directory.file("crashed.db")
        try DiskImage(of: path).restore(to: crashed)
        let tail = store.tail
        try store.close()
        for file in [path, crashed] {
            let again = try LogStore(file)
            #expect(try Logs.contents(of: again) == expected)
            #expect(again.hardState == state)
            #expect(again.tail == tail && tail.position == LogPosition(index: 5, term: 2))
            try again.write(nil, [Logs.entry(6, term: 3)])
            #expect(try again.entries(after: 4, limit: 10).map(\.index) == [5, 6])
            #expect(try again.entries(after: 2, limit: 2).map(\.index) == [3, 4])
            #expect(try again.entries(after: 6, limit: 10).isEmpty)
            #expect(try again.entries(after: 2, limit: 10, bytes: 1).map(\.index) == [3], "one at least")
        }
    }

    @Test("Checkpoints keep the WAL within its size, whatever is written")
    func checkpoints() throws {
        let store = try LogStore(path)
        let size = Files.size(path + "-wal")
        for batch: UInt64 in 0..<400 {
            try store.write(nil, (1...30).map { Logs.entry(batch * 30 + $0, value: [UInt8](repeating: 1, count: 600)) })
            try store.checkpointIfDue()
        }
        #expect(Files.size(path + "-wal") - size < 100 * 4120)
        #expect(store.tail.position.index == 12_000)
        try store.close()
        #expect(try LogStore(path).entries(after: 0, limit: .max).count == 12_000)
    }

    @Test(
        "Rows that somebody changed are found and named",
        arguments: [
            ("DELETE FROM log WHERE \"index\" = 7", "index 7"), ("UPDATE log SET value = 'x' WHERE \"index\" = 5", "index 5"),
            ("UPDATE log SET term = 0 WHERE \"index\" = 9", "index 9"),
            ("UPDATE log SET time = time + 1 WHERE \"index\" = 20", "index 20"),
            ("UPDATE log SET checksum = checksum + 1 WHERE \"index\" = 3", "index 3"),
            ("UPDATE log SET kind = 256 WHERE \"index\" = 4", "index 4"),
            ("UPDATE log SET checksum = -1 WHERE \"index\" = 6", "index 6"),
            ("UPDATE log SET \"index\" = 100 WHERE \"index\" = 20", "index 20"), ("DELETE FROM identity", "table identity"),
            ("UPDATE identity SET member_id = 'xyz'", "table identity"), ("UPDATE hard_state SET term = -1", "table hard_state"),
            ("DELETE FROM hard_state", "table hard_state"), ("INSERT INTO snapshots VALUES (5, 1, -7, '', 0)", "table snapshots"),
            ("INSERT INTO snapshots VALUES (5, 1, 12345, '', 0)", "table snapshots, index 5"),
            ("UPDATE hard_state SET term = 0", "table hard_state, checksum"),
            ("UPDATE hard_state SET \"commit\" = 21", "table hard_state, checksum"),
        ])
    func changedRows(sql: String, place: String) throws {
        let store = try LogStore(path)
        try store.write(nil, Logs.entries(1...20))
        try store.close()
        let connection = try Connection(path, as: .durableWriter)
        try connection.execute(sql)
        connection.close()
        let error = try #require(throws: StorageError.self) { try Logs.contents(of: LogStore(path)) }
        guard case .damaged(let file, let named, _) = error else {
            Issue.record("\(error)")
            return
        }
        #expect(file == path)
        #expect(named.contains(place), "\(error)")
    }

    @Test("A change far behind the end does not slow the start, and is found when it is read")
    func quickCheckIsBounded() throws {
        let store = try LogStore(path)
        try store.write(nil, Logs.entries(1...(LogStore.quickCheckRows + 100)))
        try store.close()
        let connection = try Connection(path, as: .durableWriter)
        try connection.execute("UPDATE log SET value = 'x' WHERE \"index\" = 50")
        connection.close()
        let again = try LogStore(path)
        #expect(throws: StorageError.self) { try Logs.contents(of: again) }
        #expect(try again.entries(after: 50, limit: .max).count == Int(LogStore.quickCheckRows) + 50)
    }

    @Test("A file of a newer version is refused with its number")
    func newerSchema() throws {
        let connection = try Connection(path, as: .durableWriter)
        try connection.execute("INSERT INTO schema_migrations VALUES (99, 'future', '')")
        connection.close()
        let error = try #require(throws: StorageError.self) { try LogStore(path) }
        guard case .refused(let text) = error else {
            Issue.record("\(error)")
            return
        }
        #expect(text.contains(path) && text.contains("99"))
    }

    @Test("Something else than a database is damage, and stays as it is")
    func notADatabase() throws {
        let other = directory.file("other.db")
        try Files.write(Array(repeating: 0x41, count: 9000), to: other)
        let error = try #require(throws: StorageError.self) { try LogStore(other) }
        #expect(error.description.contains(other))
        #expect(try Files.read(other) == Array(repeating: 0x41, count: 9000))
    }
}

@Suite("Cutting the log")
struct LogCutTests {
    private let directory: TemporaryDirectory
    private let path: String

    init() throws {
        directory = try TemporaryDirectory()
        path = directory.file("log.db")
        try Logs.createSmall(path)
    }

    @Test("In steps; a crash after any of them leaves a shorter log whose chain goes on")
    func steps() throws {
        let store = try LogStore(path)
        let total = 2 * LogStore.cutStepRows + 500
        try store.write(nil, Logs.entries(1...total))
        let target = Index(2 * LogStore.cutStepRows + 100)
        var steps = 0
        var isDone = false
        while !isDone {
            isDone = try store.cutStep(upTo: target)
            steps += 1
            let crashed = directory.file("crashed-\(steps).db")
            try DiskImage(of: path).restore(to: crashed)
            let again = try LogStore(crashed)
            #expect(again.cut == store.cut)
            #expect(again.cut.position.index.value == min(UInt64(steps) * LogStore.cutStepRows, target.value))
            #expect(again.tail == store.tail)
            #expect(try Logs.contents(of: again) == Logs.entries((again.cut.position.index.value + 1)...total))
            try again.write(nil, [Logs.entry(total + 1)])
            // The rest of the cut may go on where it stopped.
            while try !again.cutStep(upTo: target) {}
            #expect(again.cut.position.index == target)
        }
        #expect(steps == 3)
        #expect(try store.cutStep(upTo: 5), "what is gone is gone")
        #expect(store.cut.position.index == target)
        #expect(throws: StorageError.self) { try store.entries(after: 10, limit: 1) }
    }

    @Test("Everything may be cut; then the next entry follows the cut, after a restart too")
    func everything() throws {
        var store = try LogStore(path)
        try store.write(nil, Logs.entries(1...10, term: 3))
        let tail = store.tail
        #expect(try store.cutStep(upTo: 1000))
        #expect(store.cut == tail)
        try store.close()
        store = try LogStore(path)
        #expect(store.tail == tail && store.cut == tail)
        try store.write(nil, [Logs.entry(11, term: 3)])
        try store.close()
        store = try LogStore(path)
        #expect(try Logs.contents(of: store).map(\.index) == [11])
    }
}
