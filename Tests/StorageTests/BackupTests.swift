import Keyspace
import Raft
import SQLite
import Storage
import TestSupport
import Testing
import Wire

@Suite("Backup files")
struct BackupTests {
    private let directory: TemporaryDirectory
    private let bench: TreeBench
    private let file: String

    init() throws {
        directory = try TemporaryDirectory()
        bench = try TreeBench(directory.file("tree.db"))
        for entry in Logs.entries(1...200) { _ = try bench.applier.apply(entry) }
        try bench.flush()
        file = directory.file("backup.db")
    }

    private func backUp() throws -> BackupManifest {
        try BackupFile.make(tree: bench.path, identity: Logs.identity, to: file)
    }

    @Test("One file that says where it comes from and holds what the tree held, its history too")
    func make() throws {
        let manifest = try backUp()
        #expect(manifest.member == Logs.identity.member && manifest.cluster == Logs.identity.cluster)
        #expect(manifest.applied == LogPosition(index: 200, term: 1))
        #expect(manifest.keysIndex == 200 && manifest.nodes == 201)
        #expect(manifest.time == 200_000_000_000)
        #expect(manifest.stateHash == bench.applier.tree.table.hash.hex)
        #expect(try BackupFile.verify(file) == manifest)
        #expect(try dump(file) == dump(bench.path))
        #expect(!FileOperations.exists(file + ".partial") && !FileOperations.exists(file + "-wal"))
    }

    @Test("Changes that come while and after it is made are not in it, and go on")
    func besideAWriter() throws {
        let before = try dump(bench.path)
        _ = try backUp()
        _ = try bench.applier.apply(Logs.entry(201))
        try bench.flush()
        #expect(try dump(file) == before)
        #expect(try BackupFile.verify(file).applied.index == 200)
    }

    @Test("Copies that nobody wants any more end early and leave nothing")
    func abandoned() throws {
        for entry in Logs.entries(201...3000) { _ = try bench.applier.apply(entry) }
        try bench.flush()
        let abandonment = Abandonment()
        abandonment.abandon()
        #expect(throws: StorageError.self) {
            try BackupFile.make(tree: bench.path, identity: Logs.identity, to: file, abandonment: abandonment)
        }
        #expect(throws: StorageError.self) {
            try SnapshotFile.make(tree: bench.path, log: "", cluster: Logs.identity.cluster, to: file, abandonment: abandonment)
        }
        for suffix in ["", ".partial", "-wal", "-journal"] { #expect(FileOperations.kind(file + suffix) == nil) }
        _ = try backUp()
        #expect(throws: StorageError.self, "and so does their verification") { try BackupFile.verify(file, abandonment) }
    }

    @Test("A name that is taken is refused, and what has it stays")
    func nameTaken() throws {
        try Files.write([1, 2, 3], to: file)
        let error = try #require(throws: StorageError.self) { try backUp() }
        #expect(error.description.contains(file))
        #expect(try Files.read(file) == [1, 2, 3])
    }

    @Test("An unfinished copy of an earlier try is in nobody's way")
    func leftover() throws {
        try Files.write([1, 2, 3], to: file + ".partial")
        _ = try backUp()
        #expect(!FileOperations.exists(file + ".partial"))
    }

    @Test("A tree that cannot be read makes no backup, not even half of one")
    func damagedTree() throws {
        try bench.close()
        var bytes = try Files.read(bench.path)
        bytes[bytes.count - 100] ^= 1
        try Files.write(bytes, to: bench.path)
        #expect(throws: StorageError.self) { try backUp() }
        #expect(!FileOperations.exists(file) && !FileOperations.exists(file + ".partial"))
    }

    @Test("A flipped bit anywhere, or a lost end, is found", arguments: 1...3)
    func damaged(seed: UInt64) throws {
        _ = try backUp()
        let sound = try Files.read(file)
        var generator = SeededGenerator(seed: seed)
        let copy = directory.file("copy.db")
        func check(_ bytes: [UInt8], _ note: String) throws {
            try Files.write(bytes, to: copy)
            let error = try #require(throws: StorageError.self, "\(note), seed \(seed)") { try BackupFile.verify(copy) }
            #expect(error.description.contains(copy), "\(note), seed \(seed): \(error)")
        }
        for _ in 0..<60 {
            let place = Int.random(in: sound.indices, using: &generator)
            var bytes = sound
            bytes[place] ^= UInt8(1) << UInt8.random(in: 0..<8, using: &generator)
            try check(bytes, "byte \(place)")
        }
        for size in [0, 10, 100, 4096, sound.count / 2, sound.count - 4096, sound.count - 1] {
            try check(Array(sound[..<size]), "\(size) bytes of \(sound.count)")
        }
        try check((0..<5000).map { _ in UInt8.random(in: 0...255, using: &generator) }, "noise")
    }

    @Test(
        "A backup that somebody has changed rightly, as SQLite sees it, is refused by its own words",
        arguments: [
            ("UPDATE nodes SET value = 'x' WHERE name = '5'", "state_hash"),
            ("DELETE FROM nodes WHERE name = '5'", "backup.nodes"),
            ("UPDATE backup SET applied_index = 199", "backup.applied_index"),
            ("UPDATE backup SET keys_index = 1", "backup.keys_index"),
            ("UPDATE backup SET state_hash = 'x'", "backup.state_hash"), ("UPDATE backup SET nodes = 5", "backup.nodes"),
            ("UPDATE state SET state_hash = '00000000000000000000000000000001'", "table state, checksum"),
            ("UPDATE state SET state_hash = 'short'", "table state"), ("UPDATE backup SET member_id = 'x y'", "table backup"),
            ("UPDATE backup SET applied_index = -4", "table backup"), ("DELETE FROM backup", "table backup"),
            ("DROP TABLE backup", "no table backup"), ("INSERT INTO schema_migrations VALUES (99, 'future', '')", "99"),
        ])
    func changed(sql: String, place: String) throws {
        _ = try backUp()
        let connection = try Connection(file, as: .scratch)
        try connection.execute(sql)
        connection.close()
        let error = try #require(throws: StorageError.self) { try BackupFile.verify(file) }
        #expect(error.description.contains(file) && error.description.contains(place), "\(error)")
    }

    @Test("What is no backup gets a sentence, not a crash")
    func noBackup() throws {
        #expect(
            try #require(throws: StorageError.self) { try BackupFile.verify(directory.file("none")) }.description.contains("none")
        )
        try bench.close()
        let text = try #require(throws: StorageError.self) { try BackupFile.verify(bench.path) }.description
        #expect(text.contains("backup") && text.contains(bench.path))
    }
}
