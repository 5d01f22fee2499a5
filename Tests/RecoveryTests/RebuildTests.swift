import Foundation
import Keyspace
import Raft
import Recovery
import SQLite
import Storage
import Testing

@Suite("New directories and files from old ones")
struct RebuildTests {
    /// Opens a directory as a server does and returns its applier.
    private func start(_ path: String) throws -> (log: LogStore, tree: TreeStore, applier: EntryApplier) {
        let directory = DataDirectory(path: path)
        _ = try directory.openForServing()
        let log = try LogStore(directory.log)
        let tree = try TreeStore(directory.tree, historyEvents: 1000)
        try Verification.quick(log: log, tree: tree)
        let applier = try EntryApplier(file: tree.reader(), historyEvents: 1000)
        for entry in try log.entries(after: applier.applied.index, limit: .max) { _ = try applier.apply(entry) }
        return (log, tree, applier)
    }

    private func expectSameTree(_ path: String, _ sample: SampleDirectory) throws {
        var found = MemoryNodeTable()
        try TreeListing(path).visit(.root, recursive: true, hidden: true) { path, node in found.put(node, at: path) }
        #expect(found == sample.model.table)
    }

    @Test("A backup has everything acknowledged, and plain SQLite opens it", arguments: [false, true])
    func backup(killed: Bool) throws {
        let place = Workplace()
        let sample = try SampleDirectory(place("d"), .init(killed: killed))
        let before = contents(sample.path)
        let manifest = try Backup.make(of: sample.path, to: place("b"))
        #expect(contents(sample.path) == before)
        #expect(manifest.stateHash == sample.hash.hex)
        #expect(manifest.applied == LogPosition(index: 300, term: 3))
        #expect(manifest.keysIndex == sample.model.index)
        #expect(manifest.nodes == sample.model.table.count)
        #expect(try BackupFile.verify(place("b")) == manifest)
        #expect(Set(try FileManager.default.contentsOfDirectory(atPath: place.path)) == ["b", "d"])
        let connection = try Connection(place("b"), as: .immutable)
        #expect(try connection.integer("SELECT count(*) FROM keys") == Int64(sample.model.table.count))
        // Bytes 18 and 19 are 1 when the file wants no WAL (sqlite.org/fileformat2.html#the_database_header).
        #expect(try #require(FileManager.default.contents(atPath: place("b")))[18...19] == Data([1, 1]))
        let hot = try BackupFile.make(
            tree: sample.directory.tree, identity: Identity(member: manifest.member, cluster: manifest.cluster, origin: ""),
            to: place("hot"))
        #expect(hot.applied.index == 260)
        #expect(try #require(FileManager.default.contents(atPath: place("hot")))[18...19] == Data([1, 1]))
        #expect(throws: RecoveryError.self) { try Backup.make(of: sample.path, to: place("b")) }
        #expect(throws: RecoveryError.self) { try Backup.make(of: sample.path, to: sample.directory.tree) }
    }

    @Test("A server starts from a restored directory: other identities, the same keys and indexes, older watchers get 401")
    func restore() throws {
        let place = Workplace()
        let sample = try SampleDirectory(place("d"))
        _ = try Backup.make(of: sample.path, to: place("b"))
        let restore = Restore(name: "new", peerURLs: ["http://10.0.0.1:2380"], token: "t")
        let report = try restore.run(place("b"), into: place("n"))
        #expect(report.identity.member != SampleDirectory.member)
        #expect(report.identity.cluster != SampleDirectory.cluster)
        #expect(report.keysIndex == sample.model.index)
        try expectSameTree(place("n"), sample)
        #expect(try Check.run(place("n")).findings == [])
        let server = try start(place("n"))
        #expect(server.log.identity == report.identity)
        #expect(server.applier.applied == LogPosition(index: 300, term: 3))
        #expect(server.applier.tree.index == sample.model.index)
        #expect(server.applier.members.map(\.id) == [report.identity.member])
        #expect(server.applier.members.map(\.peerURLs) == [["http://10.0.0.1:2380"]])
        guard case .cleared = try server.applier.past(of: TreePath("/a"), recursive: true, since: sample.model.index) else {
            Issue.record("a watcher of the old cluster must be told that its index is cleared")
            return
        }
        guard case .nothing = try server.applier.past(of: TreePath("/a"), recursive: true, since: sample.model.index + 1) else {
            Issue.record("the next index is still to come")
            return
        }
        #expect(try restore.run(place("b"), into: place("same")).identity == report.identity)
        var other = restore
        other.token = "u"
        other.indexesSkipped = 1000
        let bumped = try other.run(place("b"), into: place("other"))
        #expect(bumped.identity.member != report.identity.member)
        #expect(try TreeListing(place("other")).index == sample.model.index + 1000)
        other.indexesSkipped = .max
        #expect(throws: RecoveryError.self) { try other.run(place("b"), into: place("far")) }
        #expect(throws: RecoveryError.self) { try restore.run(place("b"), into: place("n")) }
        #expect(!FileManager.default.fileExists(atPath: place("far.partial")))
    }

    @Test("A replay from the first entry makes the same tree, and proves it", arguments: [1, 2, 3] as [UInt64])
    func replay(seed: UInt64) throws {
        let place = Workplace()
        let sample = try SampleDirectory(place("d"), .init(seed: seed))
        let before = contents(sample.path)
        let report = try Replay().run(sample.path, into: place("n"))
        #expect(contents(sample.path) == before)
        #expect(report.start == .empty)
        #expect(report.replayed == 300)
        #expect(report.isSameAsSource == true)
        #expect(report.state.hash == sample.hash)
        let check = try Check.run(place("n"))
        #expect(check.findings == [])
        #expect(check.isProvenByLog)
        try expectSameTree(place("n"), sample)
        #expect(try start(place("n")).log.identity.member == SampleDirectory.member)
    }

    @Test("A replay up to an entry is the state of that time")
    func replayPast() throws {
        let place = Workplace()
        let sample = try SampleDirectory(place("d"))
        let early = try SampleDirectory(place("early"), .init(entries: 120))
        let report = try Replay(to: 120).run(sample.path, into: place("n"))
        #expect(report.isSameAsSource == nil)
        #expect(report.state.hash == early.hash)
        try expectSameTree(place("n"), early)
        #expect(try DirectoryStatus(place("n")).last == 120)
        #expect(try Replay(to: 280).run(sample.path, into: place("m")).isSameAsSource == true)
        #expect(try Replay(to: 0).run(sample.path, into: place("zero")).state.keysIndex == 0)
        #expect(throws: RecoveryError.self) { try Replay(to: 301).run(sample.path, into: place("o")) }
        #expect(throws: RecoveryError.self) { try Replay(to: .max).run(sample.path, into: place("o")) }
    }

    @Test("A lost or damaged tree is made anew")
    func replayWithoutTree() throws {
        let place = Workplace()
        let sample = try SampleDirectory(place("d"))
        try Data("nonsense".utf8).write(to: URL(fileURLWithPath: sample.directory.tree))
        let report = try Replay().run(sample.path, into: place("n"))
        #expect(report.isSameAsSource == nil)
        #expect(report.state.hash == sample.hash)
    }

    @Test("Of a log that was cut only the end can be replayed")
    func replayCut() throws {
        let place = Workplace()
        let sample = try SampleDirectory(place("d"), .init(cut: 200))
        let report = try Replay().run(sample.path, into: place("n"))
        #expect(report.start == .storedTree(260))
        #expect(report.replayed == 40)
        #expect(report.state.hash == sample.hash)
        #expect(try Check.run(place("n")).findings == [])
        try expectSameTree(place("n"), sample)
        #expect(throws: RecoveryError.self) { try Replay(to: 250).run(sample.path, into: place("m")) }
        #expect(throws: RecoveryError.self) { try Replay(to: 100).run(sample.path, into: place("m")) }
        #expect(!FileManager.default.fileExists(atPath: place("m.partial")))
    }

    @Test("A compacted directory has the same tree and identity and no log", arguments: [nil, 100] as [UInt64?])
    func compact(cut: UInt64?) throws {
        let place = Workplace()
        let sample = try SampleDirectory(place("d"), .init(cut: cut, killed: true))
        let before = contents(sample.path)
        let report = try Compaction.run(sample.path, into: place("n"))
        #expect(contents(sample.path) == before)
        #expect(report.state.hash == sample.hash)
        #expect(report.entriesCut == 300 - (cut ?? 0))
        #expect(try #require(FileOperations.size(DataDirectory(path: place("n")).log)) < 200_000)
        let status = try DirectoryStatus(place("n"))
        #expect(status.entries == 0)
        #expect(status.applied == LogPosition(index: 300, term: 3))
        #expect(status.identity.member == SampleDirectory.member)
        #expect(status.events == sample.model.index)
        try expectSameTree(place("n"), sample)
        #expect(try Check.run(place("n")).findings == [])
        #expect(try start(place("n")).applier.tree.index == sample.model.index)
        #expect(throws: RecoveryError.self) { try Compaction.run(sample.path, into: place("n")) }
        #expect(throws: RecoveryError.self) { try Compaction.run(sample.path, into: place("no/such/place")) }
    }

    @Test("What a crash left of an earlier attempt is cleared away, and what is not ours is kept")
    func leftovers() throws {
        let place = Workplace()
        let sample = try SampleDirectory(place("d"))
        let files = FileManager.default
        try files.createDirectory(atPath: place("n.partial/member"), withIntermediateDirectories: true)
        _ = files.createFile(atPath: place("n.partial/member/tree.db"), contents: Data("half".utf8))
        _ = try Compaction.run(sample.path, into: place("n"))
        #expect(!files.fileExists(atPath: place("n.partial")))
        try files.createDirectory(atPath: place("m.partial"), withIntermediateDirectories: true)
        _ = files.createFile(atPath: place("m.partial/mine"), contents: Data("keep".utf8))
        #expect(throws: RecoveryError.self) { try Compaction.run(sample.path, into: place("m")) }
        #expect(files.contents(atPath: place("m.partial/mine")) == Data("keep".utf8))
    }

    @Test("A backup that arrives damaged or short leaves nothing behind")
    func incoming() throws {
        let place = Workplace()
        let sample = try SampleDirectory(place("d"))
        let manifest = try Backup.make(of: sample.path, to: place("b"))
        let bytes = [UInt8](try #require(FileManager.default.contents(atPath: place("b"))))
        func receive(_ bytes: [UInt8], _ hash: String?) throws -> BackupManifest {
            let incoming = try IncomingBackup(to: place("c"))
            try incoming.append(Array(bytes.prefix(1000)))
            try incoming.append(Array(bytes.dropFirst(1000)))
            return try incoming.finish(stateHash: hash)
        }
        #expect(throws: RecoveryError.self) { try receive(Array(bytes.dropLast(4096)), nil) }
        #expect(throws: RecoveryError.self) { try receive(bytes, "another hash") }
        #expect(throws: RecoveryError.self) { try receive([], nil) }
        #expect(Set(try FileManager.default.contentsOfDirectory(atPath: place.path)) == ["b", "d"])
        #expect(try receive(bytes, manifest.stateHash) == manifest)
        #expect(throws: RecoveryError.self) { try IncomingBackup(to: place("c")) }
    }
}
