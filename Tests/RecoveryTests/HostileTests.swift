import Foundation
import Keyspace
import Raft
import Recovery
import SQLite
import Storage
import TestSupport
import Testing
import Wire

/// A query that never ends: a file with it in the place of a table must be refused unread.
private let endless = "WITH RECURSIVE r(x) AS (VALUES(1) UNION ALL SELECT x + 1 FROM r) SELECT x AS number FROM r"

@Suite("Hostile files: refused by name, never a crash")
struct HostileTests {
    /// Does everything that reads, and returns what was refused.
    @discardableResult
    private func tryEverything(_ path: String, _ place: Workplace) -> [String] {
        var refusals: [String] = []
        func attempt(_ body: () throws -> Void) {
            do { try body() } catch { refusals.append("\(error)") }
        }
        attempt { _ = try DirectoryStatus(path) }
        attempt { try LogListing().visit(path) { _ in true } }
        attempt { try TreeListing(path).visit(.root, recursive: true, hidden: true) { _, _ in } }
        attempt { refusals += try Check.run(path).findings.map(\.description) }
        attempt { _ = try Backup.make(of: path, to: place("x-backup")) }
        attempt { _ = try Replay().run(path, into: place("x-replay")) }
        attempt { _ = try Compaction.run(path, into: place("x-compact")) }
        for name in ["x-backup", "x-replay", "x-compact"] { try? FileManager.default.removeItem(atPath: place(name)) }
        return refusals
    }

    private func edit(_ file: String, _ sql: String) throws {
        let connection = try Connection(file, as: .scratch)
        try connection.execute(sql)
        connection.close()
    }

    @Test(
        "Rows that no server writes",
        arguments: [
            "UPDATE identity SET member_id = 'xyz'", "UPDATE identity SET member_id = ''",
            "UPDATE identity SET cluster_id = '-1'",
            "DELETE FROM identity", "DELETE FROM hard_state", "UPDATE hard_state SET vote = 'zz'", "UPDATE hard_state SET vote = '1'",
            "UPDATE hard_state SET checksum = NULL", "UPDATE hard_state SET \"commit\" = -1",
            "UPDATE hard_state SET \"commit\" = 9223372036854775807", "UPDATE hard_state SET term = -5",
            "UPDATE hard_state SET term = 0", "UPDATE log SET \"index\" = -1 WHERE \"index\" = 7",
            "UPDATE log SET \"index\" = 9223372036854775807 WHERE \"index\" = 300",
            "UPDATE log SET \"index\" = 9223372036854775807 WHERE \"index\" = 7", "DELETE FROM log WHERE \"index\" = 100",
            "UPDATE log SET term = -1 WHERE \"index\" = 9", "UPDATE log SET checksum = -1 WHERE \"index\" = 9",
            "UPDATE log SET kind = 256 WHERE \"index\" = 9", "UPDATE log SET kind = -1",
            "UPDATE log SET version = 9 WHERE \"index\" = 300",
            "UPDATE log SET request = -1 WHERE \"index\" = 12", "UPDATE log SET time = -9223372036854775808 WHERE \"index\" = 12",
            "INSERT INTO snapshots VALUES (9223372036854775807, 9223372036854775807, 0, '', 0)",
            "INSERT INTO snapshots VALUES (-9, -9, -9, '', 0)", "INSERT INTO snapshots VALUES (100, 3, 4294967296, '', 0)",
            "INSERT INTO schema_migrations VALUES (99, 'from the future', '')",
            "INSERT INTO schema_migrations VALUES (9223372036854775807, '', '')", "DELETE FROM schema_migrations",
            "DROP TABLE schema_migrations", "DROP TABLE hard_state", "DROP TABLE log",
            "DROP TABLE log; CREATE VIEW log AS \(endless)",
            "DROP TABLE schema_migrations; CREATE VIEW schema_migrations AS \(endless)",
            "DROP TABLE identity; CREATE VIEW identity AS \(endless)",
            "ALTER TABLE log RENAME COLUMN time TO thyme", "CREATE TRIGGER t AFTER INSERT ON log BEGIN DELETE FROM log; END",
        ])
    func log(sql: String) throws {
        let place = Workplace()
        let sample = try SampleDirectory(place("d"))
        try edit(sample.directory.log, sql)
        #expect(!tryEverything(sample.path, place).isEmpty)
        // A server that starts on it stops with a reason too.
        _ = try? LogStore.hasIdentity(sample.directory.log)
        _ = try? LogStore(sample.directory.log)
    }

    @Test(
        "Nodes, events and states that no server writes",
        arguments: [
            "UPDATE state SET applied_index = -1", "UPDATE state SET applied_index = 9223372036854775807",
            "UPDATE state SET applied_index = 5", "UPDATE state SET applied_term = 9", "UPDATE state SET keys_index = -1",
            "UPDATE state SET keys_index = 9223372036854775807", "UPDATE state SET keys_index = 0",
            "UPDATE state SET history_events = -1",
            "UPDATE state SET state_hash = 'zz'", "UPDATE state SET state_hash = ''", "DELETE FROM state",
            "UPDATE nodes SET created = -1", "UPDATE nodes SET modified = 9223372036854775807",
            "UPDATE nodes SET expiration = -9223372036854775808", "UPDATE nodes SET expiration = 9223372036854775807",
            "UPDATE nodes SET value = 'other'", "UPDATE nodes SET dir = 1", "UPDATE nodes SET dir = 0",
            "INSERT INTO nodes VALUES ('', '', 1, '', 1, 1, NULL, NULL)", "INSERT INTO nodes VALUES ('x', 'y', 0, '', 1, 1, 1, NULL)",
            "INSERT INTO nodes VALUES ('/', '/', 1, '', 1, 1, 1, NULL)", "INSERT INTO nodes VALUES ('/a/', '', 1, '', 1, 1, 1, NULL)",
            "INSERT INTO nodes VALUES ('/no/such/parent', 'y', 0, 'v', 1, 1, NULL, NULL)", "DELETE FROM nodes WHERE parent = ''",
            "UPDATE events SET action = 77", "UPDATE events SET action = -1", "UPDATE events SET \"index\" = -\"index\"",
            "UPDATE events SET \"index\" = 9223372036854775807 WHERE \"index\" = 20", "DELETE FROM events WHERE \"index\" = 20",
            "UPDATE events SET path = 'no slash'", "UPDATE events SET value = value || 'x'", "UPDATE members SET id = 'zz'",
            "DELETE FROM members", "UPDATE members SET id = '1'", "DROP TABLE events", "DROP VIEW keys",
            "DROP TABLE nodes; CREATE VIEW nodes AS SELECT 1",
            "DROP TABLE state; CREATE VIEW state AS \(endless)", "CREATE TABLE mine(x)",
            "INSERT INTO schema_migrations VALUES (99, 'from the future', '')",
        ])
    func tree(sql: String) throws {
        let place = Workplace()
        let sample = try SampleDirectory(place("d"))
        try edit(sample.directory.tree, sql)
        #expect(!tryEverything(sample.path, place).isEmpty)
        let cut = try SampleDirectory(place("cut"), .init(cut: 200))
        try edit(cut.directory.tree, sql)
        tryEverything(cut.path, place)
        _ = try? TreeStore(cut.directory.tree, historyEvents: 1000)
    }

    @Test("A number of events that nobody can keep does no harm")
    func historyEvents() throws {
        let place = Workplace()
        let sample = try SampleDirectory(place("d"))
        try edit(sample.directory.tree, "UPDATE state SET history_events = 9223372036854775807")
        #expect(tryEverything(sample.path, place).isEmpty)
        #expect(try DirectoryStatus(sample.path).stateHash == sample.hash)
    }

    @Test("Entries with a right checksum and a strange payload")
    func entries() throws {
        let seed = UInt64.random(in: 0...UInt64.max)
        var generator = SeededGenerator(seed: seed)
        func bytes(_ count: ClosedRange<Int>) -> [UInt8] {
            (0..<Int.random(in: count, using: &generator)).map { _ in .random(in: 0...255, using: &generator) }
        }
        for round in 0..<28 {
            let place = Workplace()
            let sample = try SampleDirectory(place("d"), .init(entries: 30, unstored: 5))
            let log = try LogStore(sample.directory.log)
            var strange: [LogEntry] = []
            for number in 1...20 as ClosedRange<UInt64> {
                let paths = [
                    "", "/", "//", "no slash", "/a/", "/a//b", "/..", "/a/./b", "/_x", "/\0",
                ].map { Array($0.utf8) }
                var payload = EntryPayload(
                    rawKind: round % 3 == 0 ? .random(in: 0...3, using: &generator) : 1, version: round % 5 == 0 ? 2 : 1,
                    operation: .random(in: 0...9, using: &generator), path: paths.randomElement(using: &generator) ?? [],
                    value: bytes(0...20), options: [], time: .random(in: .min ... .max, using: &generator),
                    client: bytes(0...5), request: .random(in: 0...UInt64.max, using: &generator))
                if round % 4 == 0 { payload.options = bytes(0...20) }
                if round % 7 == 0 { payload.options = [8] + [UInt8](repeating: 0xff, count: 7) + [0x7f] }
                strange.append(LogEntry(index: Index(30 + number), term: 3, payload: payload))
            }
            try log.write(nil, strange)
            try log.close()
            withKnownSeed(seed) { tryEverything(sample.path, place) }
        }
    }

    private func withKnownSeed(_ seed: UInt64, _ body: () -> Void) {
        // Printed before, because a trap leaves no time after.
        print("hostile entries, seed \(seed)")
        body()
    }

    @Test("Random bytes in the place of each file", arguments: ["log.db", "tree.db", "log.db-wal", "tree.db-wal"])
    func randomBytes(name: String) throws {
        let seed = UInt64.random(in: 0...UInt64.max)
        print("random bytes in \(name), seed \(seed)")
        var generator = SeededGenerator(seed: seed)
        let place = Workplace()
        let sample = try SampleDirectory(place("d"), .init(entries: 60, unstored: 5, killed: true))
        let file = sample.directory.member + "/" + name
        let original = try #require(FileManager.default.contents(atPath: file))
        for round in 0..<12 {
            let count = Int.random(in: 0...20_000, using: &generator)
            var bytes = Data((0..<count).map { _ in .random(in: 0...255, using: &generator) })
            // With the right beginning it gets further.
            if round % 2 == 0 { bytes = original.prefix(Int.random(in: 16...200, using: &generator)) + bytes }
            if round % 5 == 0 {
                bytes = original
                for _ in 0..<50 {
                    let position = Int.random(in: 16..<bytes.count, using: &generator)
                    bytes[position] = .random(in: 0...255, using: &generator)
                }
            }
            for shm in ["log.db-shm", "tree.db-shm"] {
                try? FileManager.default.removeItem(atPath: sample.directory.member + "/" + shm)
            }
            try bytes.write(to: URL(fileURLWithPath: file))
            tryEverything(sample.path, place)
        }
    }

    @Test("Links, directories and pipes in the place of files", arguments: ["log.db", "tree.db", "log.db-wal", "tree.db-wal"])
    func kinds(name: String) throws {
        let files = FileManager.default
        for kind in 0..<4 {
            let place = Workplace()
            let sample = try SampleDirectory(place("d"), .init(entries: 40, killed: true))
            let file = sample.directory.member + "/" + name
            try files.moveItem(atPath: file, toPath: place("moved"))
            switch kind {
            case 0: try files.createSymbolicLink(atPath: file, withDestinationPath: place("moved"))
            case 1: try files.createDirectory(atPath: file, withIntermediateDirectories: true)
            case 2: mkfifo(file, 0o600)
            default: try files.createSymbolicLink(atPath: file, withDestinationPath: file)
            }
            #expect(!tryEverything(sample.path, place).isEmpty, "\(name), kind \(kind)")
        }
    }

    @Test(
        "Backups that are none, or are traps",
        arguments: [
            "DROP TABLE backup", "DELETE FROM backup", "UPDATE backup SET applied_index = -1", "UPDATE backup SET nodes = -1",
            "UPDATE backup SET keys_index = 9223372036854775807", "UPDATE backup SET member_id = 'q'",
            "UPDATE backup SET time = 1",
            "UPDATE backup SET schema = 9223372036854775807", "UPDATE backup SET state_hash = ''",
            "UPDATE backup SET applied_term = 1",
            "UPDATE state SET keys_index = 9223372036854775807; UPDATE backup SET keys_index = 9223372036854775807",
            "UPDATE state SET applied_index = 9223372036854775807; UPDATE backup SET applied_index = 9223372036854775807",
            "DELETE FROM state", "UPDATE nodes SET value = 'x'", "DELETE FROM nodes WHERE name = 'a'",
            "CREATE TRIGGER t AFTER DELETE ON events BEGIN DELETE FROM nodes; END", "CREATE TABLE more(x)",
            "INSERT INTO schema_migrations VALUES (99, 'from the future', '')",
            "DROP TABLE backup; CREATE VIEW backup AS SELECT 1",
            "DROP VIEW keys; CREATE VIEW keys AS SELECT 1", "DROP INDEX nodes_expiration",
        ])
    func backups(sql: String) throws {
        let place = Workplace()
        let sample = try SampleDirectory(place("d"))
        _ = try Backup.make(of: sample.path, to: place("b"))
        try edit(place("b"), sql)
        let restore = Restore(name: "n", peerURLs: ["http://localhost:2380"], token: "t")
        #expect(throws: RecoveryError.self) { try restore.run(place("b"), into: place("n")) }
        #expect(!FileManager.default.fileExists(atPath: place("n")))
        #expect(!FileManager.default.fileExists(atPath: place("n.partial")))
    }

    @Test("What is no backup at all is refused by name")
    func noBackup() throws {
        let place = Workplace()
        let restore = Restore(name: "n", peerURLs: ["http://localhost:2380"], token: "t")
        let sample = try SampleDirectory(place("d"))
        try Data("no database, but long enough to be taken for one".utf8).write(to: URL(fileURLWithPath: place("text")))
        try Data().write(to: URL(fileURLWithPath: place("empty")))
        mkfifo(place("pipe"), 0o600)
        let strangers = ["text", "empty", "pipe", "missing"].map { place($0) }
        for file in strangers + [sample.path, sample.directory.tree, sample.directory.log] {
            do {
                _ = try restore.run(file, into: place("n"))
                Issue.record("\(file) was restored")
            } catch { #expect(error.description.contains(file), "\(error)") }
        }
    }
}
