import Keyspace
import Raft
import SQLite
import Storage
import TestSupport
import Testing
import Wire

/// A tree file with a hundred keys in it.
private func makeTree(_ path: String, entries: UInt64 = 100) throws -> TreeBench {
    let bench = try TreeBench(path)
    for entry in Logs.entries(1...entries) { _ = try bench.applier.apply(entry) }
    try bench.flush()
    return bench
}

@Suite("The tree file")
struct TreeStoreTests {
    private let directory: TemporaryDirectory
    private let path: String

    init() throws {
        directory = try TemporaryDirectory()
        path = directory.file("tree.db")
    }

    @Test("A layer is written whole, with the position it has come to")
    func layer() throws {
        let bench = try makeTree(path)
        let reader = try TreeReader(path: path, as: .reader)
        #expect(try reader.state().applied == LogPosition(index: 100, term: 1))
        #expect(try reader.state().keysIndex == 100)
        #expect(try reader.state().hash == bench.applier.tree.table.hash)
        #expect(try reader.counts() == (101, 1))
        #expect(try reader.node(at: "/key/7")?.value == Array("value 7".utf8))
        #expect(bench.store.state == bench.applier.state)
    }

    @Test("Only what a complete checkpoint has copied counts as durable; a reader in the way holds it back")
    func durable() throws {
        let bench = try makeTree(path)
        #expect(bench.store.durable == .origin)
        let reader = try TreeReader(path: path, as: .reader)
        try reader.hold()
        _ = try reader.state()
        _ = try bench.applier.apply(Logs.entry(101))
        try bench.flush()
        #expect(try !bench.store.checkpointIfDue(force: true))
        #expect(bench.store.durable == .origin)
        #expect(try !bench.store.checkpointIfDue(), "little was written, so none is due by itself")
        try reader.release()
        #expect(try bench.store.checkpointIfDue(force: true))
        #expect(bench.store.durable.index == 101)
    }

    @Test("A crash leaves the last layer that was committed")
    func crash() throws {
        let bench = try makeTree(path)
        let before = try DiskImage(of: path)
        for entry in Logs.entries(101...150) { _ = try bench.applier.apply(entry) }
        try bench.flush()
        let after = try DiskImage(of: path)
        let crashed = directory.file("crashed.db")
        // Anywhere within the second transaction the first one counts, and the tree and its position agree.
        for size in stride(from: before.wal.count, through: after.wal.count, by: 1000) {
            try DiskImage(main: after.main, wal: Array(after.wal[..<size])).restore(to: crashed)
            let reader = try TreeReader(path: crashed, as: .reader)
            let state = try reader.state()
            #expect(state.applied.index == (size == after.wal.count ? 150 : 100), "\(size)")
            #expect(try TreeSummary(reader).hash == state.hash, "\(size)")
        }
    }

    @Test("A start that ended between the schema and the first row is made good")
    func crashWhileMaking() throws {
        let connection = try Connection(path, as: .viewWriter)
        _ = try Migrator.migrate(connection, Schema.tree)
        connection.close()
        #expect(try TreeStore(path, historyEvents: 10).state == TreeState())
    }

    @Test("A file that has lost its one row of state is damaged, not new")
    func lostState() throws {
        try makeTree(path).close()
        let connection = try Connection(path, as: .viewWriter)
        try connection.execute("DELETE FROM state")
        connection.close()
        let error = try #require(throws: StorageError.self) { try TreeStore(path, historyEvents: 10) }
        #expect(error.description.contains("table state"))
    }

    @Test("A file of a newer version is refused, by reader and writer")
    func newer() throws {
        try makeTree(path).close()
        let connection = try Connection(path, as: .viewWriter)
        try connection.execute("INSERT INTO schema_migrations VALUES (99, 'future', '')")
        connection.close()
        for open in [{ _ = try TreeStore(self.path, historyEvents: 10) }, { _ = try TreeReader(path: self.path, as: .reader) }] {
            let error = try #require(throws: StorageError.self) { try open() }
            guard case .refused(let text) = error, text.contains("99"), text.contains(path) else {
                Issue.record("\(error)")
                return
            }
        }
    }

    @Test("A flipped bit is found before it is served, or everything is as it was; the page is named", arguments: 1...3)
    func flippedByte(seed: UInt64) throws {
        try makeTree(path, entries: 300).close()
        let sound = try DiskImage(of: path)
        let expected = try dump(path)
        var generator = SeededGenerator(seed: seed)
        let copy = directory.file("copy.db")
        var places = (0..<40).map { _ in Int.random(in: sound.main.indices, using: &generator) }
        places += (0..<10).map { _ in Int.random(in: 0..<100, using: &generator) }
        for place in places {
            var image = sound
            image.main[place] ^= UInt8(1) << UInt8.random(in: 0..<8, using: &generator)
            try image.restore(to: copy)
            do {
                let reader = try TreeReader(path: copy, as: .reader)
                let summary = try TreeSummary(reader)
                #expect(try summary.hash == reader.state().hash, "byte \(place), seed \(seed)")
                #expect(try dump(copy) == expected, "byte \(place), seed \(seed)")
            } catch let error as StorageError {
                guard case .damaged(let file, _, let reason) = error else {
                    Issue.record("byte \(place), seed \(seed): \(error)")
                    continue
                }
                #expect(file == copy)
                if place >= 100 {
                    #expect(reason == "the checksum of page \(place / 4096 + 1) is wrong", "byte \(place), seed \(seed)")
                }
            } catch let error as SQLiteError {
                #expect(error.isDamage, "byte \(place), seed \(seed): \(error)")
            }
        }
    }

    @Test("A bit that flips in the WAL after a checkpoint never mixes the states before and after its last transaction")
    func flippedBitBehindACheckpoint() throws {
        let bench = try makeTree(path, entries: 300)
        // The next transaction begins the WAL anew, so that it shows few pages.
        #expect(try bench.store.checkpointIfDue(force: true))
        for entries in [301...302, 303...380] as [ClosedRange<UInt64>] {
            for entry in Logs.entries(entries) { _ = try bench.applier.apply(entry) }
            try bench.flush()
        }
        #expect(try bench.store.checkpointIfDue(force: true))
        let sound = try DiskImage(of: path)
        guard case .sound(let frames) = try WALFile.inspect(path + "-wal") else {
            Issue.record("the WAL is not sound")
            return
        }
        try bench.close()
        let copy = directory.file("copy.db")
        var found = 0
        for frame in 0..<frames {
            var image = sound
            image.wal[32 + frame * (24 + 4096) + 24 + 1000] ^= 1
            try image.restore(to: copy)
            if try WALFile.inspect(copy + "-wal").isDamaged { continue }
            do {
                let store = try TreeStore(copy, historyEvents: 1000)
                let reader = try TreeReader(path: copy, as: .reader)
                #expect(try TreeSummary(reader).hash == reader.state().hash, "frame \(frame + 1) of \(frames)")
                reader.close()
                try store.close()
            } catch {
                guard case .damaged = error else {
                    Issue.record("frame \(frame + 1) of \(frames): \(error)")
                    continue
                }
                found += 1
            }
        }
        #expect(found > 0)
    }

    @Test("A proof for the sake of the WAL does not forgive a page with a wrong checksum, one for a foreign hand does")
    func proofAndChecksums() throws {
        let bench = try makeTree(path, entries: 300)
        #expect(try bench.store.checkpointIfDue(force: true))
        try bench.close()
        var image = try DiskImage(of: path)
        // A checksum alone, in the reserved bytes at the end of page 2; no node is touched.
        image.main[2 * 4096 - 1] ^= 1
        let copy = directory.file("copy.db")
        try image.restore(to: copy)
        let error = try #require(throws: StorageError.self) { try TreeStore.prove(copy, mayLackPageChecksums: false) }
        guard case .damaged = error else {
            Issue.record("\(error)")
            return
        }
        try image.restore(to: copy)
        try TreeStore.prove(copy)
    }

    @Test(
        "The views are for a plain shell", .enabled(if: Shell.path != nil, "needs the sqlite3 command (apt-get install sqlite3)"))
    func shell() throws {
        let bench = try makeTree(path, entries: 2)
        #expect(
            try Shell.run(path, "SELECT path, value, dir, created, modified, ttl, expiration FROM keys")
                == "/key||1|1|1||\n/key/1|value 1|0|1|1||\n/key/2|value 2|0|2|2||\n")
        #expect(
            try Shell.run(path, "SELECT \"index\", action, path, value, time FROM history WHERE \"index\" = 2")
                == "2|set|/key/2|value 2|1970-01-01T00:00:02.000000000Z\n")
        try bench.close()
        let log = directory.file("log.db")
        try Logs.createSmall(log)
        let store = try LogStore(log)
        try store.write(nil, [Logs.entry(1)])
        #expect(
            try Shell.run(log, "SELECT * FROM entries")
                == "1|1|keys|set|/key/1|value 1|1970-01-01T00:00:01.000000000Z|1.2.3.4:5\n")
    }
}

@Suite("A tree file that a plain shell has written to after a crash")
struct ProofTests {
    private let directory: TemporaryDirectory
    private let data: DataDirectory

    /// A data directory as a killed server leaves it: the WAL not yet copied, the pid in the lock file.
    init() throws {
        directory = try TemporaryDirectory()
        data = DataDirectory(path: directory.file("data"))
        let server = DataDirectory(path: directory.file("server"))
        _ = try server.openForServing()
        _ = try data.openForServing()
        data.unlock()
        let bench = try makeTree(server.tree)
        try DiskImage(of: server.tree).restore(to: data.tree)
        try bench.close()
    }

    private func crashedAndOpened() throws -> DataDirectory {
        let opened = DataDirectory(path: data.path)
        _ = try opened.openForServing()
        return opened
    }

    @Test("Without such a shell nothing has to be proven")
    func nobodyElse() throws {
        #expect(try !crashedAndOpened().mayLackPageChecksums)
        _ = try TreeStore(data.tree, historyEvents: 10)
    }

    @Test("A server that stopped in order needs no proof either")
    func cleanStop() throws {
        let first = try crashedAndOpened()
        #expect(first.endedUncleanly)
        try TreeStore(data.tree, historyEvents: 10).close()
        first.unlock(isClean: true)
        let second = try crashedAndOpened()
        #expect(!second.endedUncleanly && !second.mayLackPageChecksums)
    }

    @Test(
        "The shell's pages have no checksums: refused as they are, right after the proof",
        .enabled(if: Shell.path != nil, "needs the sqlite3 command (apt-get install sqlite3)"))
    func shellCheckpointed() throws {
        #expect(try Shell.run(data.tree, "SELECT count(*) FROM nodes") == "101\n")
        #expect(FileOperations.size(data.tree + "-wal") ?? 0 == 0, "the shell was the last one, and has copied the WAL")
        #expect(try crashedAndOpened().mayLackPageChecksums)
        #expect(throws: StorageError.self) {
            let store = try TreeStore(data.tree, historyEvents: 10)
            _ = try TreeSummary(store.reader())
        }
        try TreeStore.prove(data.tree)
        let store = try TreeStore(data.tree, historyEvents: 10)
        #expect(store.state.applied.index == 100)
        #expect(try TreeSummary(store.reader()).hash == store.state.hash)
    }

    @Test(
        "A proof that was interrupted is made again",
        .enabled(if: Shell.path != nil, "needs the sqlite3 command (apt-get install sqlite3)"))
    func interrupted() throws {
        // The first frames of a large transaction.
        var wal = try DiskImage(of: data.tree).wal
        _ = try Shell.run(data.tree, "SELECT count(*) FROM nodes")
        wal = Array(wal[..<(32 + 24 + 4096)])
        try Files.write(wal, to: data.tree + "-wal")
        guard case .torn(frames: 0, _) = try WALFile.inspect(data.tree + "-wal") else {
            Issue.record("the first transaction has more than one frame")
            return
        }
        #expect(try crashedAndOpened().mayLackPageChecksums)
        try TreeStore.prove(data.tree)
        #expect(try TreeStore(data.tree, historyEvents: 10).state.applied.index == 100)
    }

    @Test(
        "What the shell has changed is found by the state hash",
        .enabled(if: Shell.path != nil, "needs the sqlite3 command (apt-get install sqlite3)"),
        arguments: [
            "UPDATE nodes SET value = 'other' WHERE name = '50'", "DELETE FROM nodes WHERE name = '50'",
            "INSERT INTO nodes VALUES ('', 'new', 0, 'v', 1, 1, NULL, NULL)", "UPDATE nodes SET expiration = 1 WHERE name = '3'",
            "UPDATE state SET state_hash = '00000000000000000000000000000001', checksum = NULL",
        ])
    func tampered(sql: String) throws {
        _ = try Shell.run(data.tree, sql)
        let error = try #require(throws: StorageError.self) { try TreeStore.prove(data.tree) }
        guard case .damaged(let file, let place, _) = error else {
            Issue.record("\(error)")
            return
        }
        #expect(file == data.tree && place == "table nodes")
    }
}
