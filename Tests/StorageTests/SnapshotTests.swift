import Raft
import SQLite
import Storage
import TestSupport
import Testing
import Wire

/// Log and tree of a member, as a server has them open.
private final class MemberBench {
    let directory: DataDirectory
    let log: LogStore
    let tree: TreeBench

    init(_ path: String, create: Bool = true) throws {
        directory = DataDirectory(path: path)
        try FileOperations.makeDirectories(directory.member)
        if create { try Logs.createSmall(directory.log) }
        log = try LogStore(directory.log)
        tree = try TreeBench(directory.tree)
    }

    /// Applies what it writes, up to `applied`.
    func write(_ range: ClosedRange<UInt64>, applied: UInt64, term: Term = 1) throws {
        try log.write(nil, Logs.entries(range, term: term))
        for entry in try log.entries(after: tree.applier.applied.index, limit: .max) where entry.index.value <= applied {
            _ = try tree.applier.apply(entry)
        }
        try tree.flush()
    }

    func snapshot(to path: String) throws -> SnapshotManifest {
        try SnapshotFile.make(tree: directory.tree, log: directory.log, cluster: Logs.identity.cluster, to: path)
    }
}

@Suite("Snapshots of the tree for a peer")
struct SnapshotTests {
    private let place: TemporaryDirectory
    private let sender: MemberBench
    private let file: String

    init() throws {
        place = try TemporaryDirectory()
        sender = try MemberBench(place.file("sender"))
        try sender.write(1...100, applied: 90, term: 2)
        file = place.file("snapshot")
    }

    @Test("It says what it holds: position, chain, hash, members; a running log is cut and written meanwhile")
    func make() throws {
        let link = try sender.log.entries(after: 89, limit: 1)[0].position
        _ = try sender.log.cutStep(upTo: 50)
        let manifest = try sender.snapshot(to: file)
        #expect(manifest.position == link && manifest.cluster == Logs.identity.cluster)
        #expect(manifest.stateHash == sender.tree.applier.tree.table.hash.hex)
        #expect(manifest.configuration == Configuration(voters: []))
        #expect(try SnapshotFile.verify(file, cluster: Logs.identity.cluster) == manifest)
        let again = try sender.snapshot(to: file)
        #expect(again.link == manifest.link, "an older file is replaced")
        _ = try sender.log.cutStep(upTo: 90)
        #expect(try sender.snapshot(to: file).link == manifest.link, "the place of the cut will do")
        _ = try sender.log.cutStep(upTo: 91)
        guard case .refused = try #require(throws: StorageError.self, performing: { try sender.snapshot(to: file) }) else {
            Issue.record("not a refusal")
            return
        }
        #expect(!Files.exists(file))
    }

    @Test(
        "What was changed on the way is found, and nothing of it runs",
        arguments: [
            "UPDATE snapshot SET \"index\" = 91", "UPDATE snapshot SET term = 1", "UPDATE snapshot SET checksum = -1",
            "UPDATE snapshot SET state_hash = '00'", "UPDATE nodes SET value = 'x' WHERE name = '7'", "DELETE FROM nodes WHERE name = '7'",
            "UPDATE snapshot SET nodes = nodes + 1", "DELETE FROM snapshot", "DROP TABLE snapshot",
            "CREATE TRIGGER trap AFTER INSERT ON nodes BEGIN DELETE FROM nodes; END", "CREATE TABLE extra(x)",
            "UPDATE snapshot SET \"index\" = 9223372036854775807", "UPDATE members SET id = 'zz'; INSERT INTO members VALUES ('zz','','','',0,0)",
            "INSERT INTO schema_migrations VALUES (99, 'future', '')",
        ])
    func changed(sql: String) throws {
        _ = try sender.snapshot(to: file)
        let connection = try Connection(file, as: .scratch)
        try connection.execute(sql)
        connection.close()
        #expect(throws: StorageError.self) { try SnapshotFile.verify(file, cluster: Logs.identity.cluster) }
    }

    @Test("Another cluster's, half a file, no file", arguments: [0, 1, 2])
    func foreign(which: Int) throws {
        _ = try sender.snapshot(to: file)
        if which == 1 { try Files.write(Array(Files.read(file).dropLast(9000)), to: file) }
        if which == 2 { try FileOperations.remove(file) }
        #expect(throws: StorageError.self) {
            try SnapshotFile.verify(file, cluster: which == 0 ? MemberID(1) : Logs.identity.cluster)
        }
    }

    @Test("A crash at any point of an installation leaves the old state or the new one, and a start finishes it")
    func crashes() throws {
        let receiver = try MemberBench(place.file("receiver"))
        try receiver.write(1...20, applied: 15)
        try receiver.log.write(HardState(term: 5, vote: MemberID(3), commit: 12), [])
        let oldDump = try dump(receiver.directory.tree)
        let newDump = try dump(sender.directory.tree)
        let manifest = try sender.snapshot(to: file)
        // Something in the old tree's WAL that must not get into the new file.
        #expect(Files.size(receiver.directory.tree + "-wal") > 0)

        let crashes = Crashes(
            of: [receiver.directory.log, receiver.directory.tree, receiver.directory.incomingTree, file], into: place)
        try crashes.observe {
            try SnapshotInstall.stage(file, in: receiver.directory)
            try receiver.log.beginInstall(manifest)
            try SnapshotInstall.swap(in: receiver.directory)
            try receiver.log.finishInstall()
        }
        #expect(
            crashes.names == [
                "install.staged", "install.before-commit", "install.log-reset", "install.old-removed", "install.swapped",
                "install.finished",
            ])
        for (number, image) in crashes.images.enumerated() {
            let data = DataDirectory(path: place.file("after-\(number)"))
            try FileOperations.makeDirectories(data.path)
            try FileOperations.rename(FileOperations.directoryOf(image.files[0]), to: data.member)
            let isNew = number >= 2
            if isNew, number < 5 {
                #expect(throws: StorageError.self, "a tool that only looks is told to wait") { try DirectoryReader(data) }
            }
            let log = try LogStore(data.log)
            let resumed = try SnapshotInstall.resume(in: data, log: log)
            #expect(resumed == (isNew && number < 5 ? manifest.position : nil), "\(image.name)")
            #expect(try SnapshotInstall.resume(in: data, log: log) == nil, "once is enough")
            #expect(!Files.exists(data.incomingTree))
            let tree = try TreeBench(data.tree)
            try Verification.quick(log: log, tree: tree.store)
            #expect(try dump(data.tree) == (isNew ? newDump : oldDump), "\(image.name)")
            if isNew {
                #expect(log.cut == manifest.link && log.tail == manifest.link)
                #expect(log.hardState == HardState(term: 5, vote: MemberID(3), commit: 90))
                // It goes on as the sender does, with the same chain.
                try log.write(nil, sender.log.entries(after: 90, limit: .max))
                #expect(log.tail == sender.log.tail)
                for entry in try log.entries(after: 90, limit: .max) { _ = try tree.applier.apply(entry) }
                try tree.flush()
                try Verification.quick(log: log, tree: tree.store)
                #expect(FullVerification(data).findings.isEmpty)
            } else {
                #expect(log.tail.position.index == 20 && log.hardState.commit == 12)
                try log.write(nil, [Logs.entry(21)])
            }
        }
    }

    @Test("The term of a newer snapshot is not forgotten, and no vote is taken along into it")
    func newerTerm() throws {
        let receiver = try MemberBench(place.file("receiver"))
        try sender.log.write(HardState(term: 9), [Logs.entry(101, term: 9)])
        for entry in try sender.log.entries(after: 90, limit: .max) { _ = try sender.tree.applier.apply(entry) }
        try sender.tree.flush()
        try receiver.log.write(HardState(term: 5, vote: MemberID(3)), [])
        try receiver.log.beginInstall(sender.snapshot(to: file))
        #expect(receiver.log.hardState == HardState(term: 9, vote: .none, commit: 101))
        #expect(throws: StorageError.self, "what is committed here is not exchanged for less") {
            try receiver.log.beginInstall(sender.snapshot(to: file))
        }
    }

    @Test("A staged file without a plan is thrown away; a plan without its file is damage")
    func leftovers() throws {
        let receiver = try MemberBench(place.file("receiver"))
        let manifest = try sender.snapshot(to: file)
        try SnapshotInstall.stage(file, in: receiver.directory)
        #expect(try SnapshotInstall.resume(in: receiver.directory, log: receiver.log) == nil)
        #expect(!Files.exists(receiver.directory.incomingTree))
        try receiver.log.beginInstall(manifest)
        #expect(throws: StorageError.self) { try SnapshotInstall.resume(in: receiver.directory, log: receiver.log) }
    }
}
