import Raft
import SQLite
import Storage
import Synchronization
import TestSupport
import Testing
import Wire

@Suite("Replacing the end of a log")
struct LogTruncateTests {
    private let directory: TemporaryDirectory
    private let path: String

    init() throws {
        directory = try TemporaryDirectory()
        path = directory.file("log.db")
        try Logs.createSmall(path)
    }

    @Test("The conflicting tail goes and others' entries follow, in one commit; the chain goes on from what was kept")
    func replace() throws {
        let store = try LogStore(path)
        try store.write(nil, Logs.entries(1...10, term: 3))
        try store.write(HardState(term: 6, commit: 4), truncateFrom: 6, Logs.entries(6...7, term: 6))
        let expected = Logs.entries(1...5, term: 3) + Logs.entries(6...7, term: 6)
        #expect(try Logs.contents(of: store) == expected)
        #expect(store.tail.position == LogPosition(index: 7, term: 6) && store.hardState.term == 6)
        try store.write(nil, truncateFrom: 6, [])
        #expect(store.tail.position == LogPosition(index: 5, term: 3))
        try store.write(nil, truncateFrom: 6, [])
        #expect(store.tail.position == LogPosition(index: 5, term: 3), "above the end it means nothing")
        try store.close()
        let again = try LogStore(path)
        #expect(try Logs.contents(of: again) == Logs.entries(1...5, term: 3))
        try again.write(HardState(term: 7), [Logs.entry(6, term: 7)])
        #expect(try Logs.contents(of: LogStore(path)).count == 6)
    }

    @Test("Several changes in one commit, where a later one removes what an earlier one wrote")
    func together() throws {
        let store = try LogStore(path)
        try store.write(nil, Logs.entries(1...3))
        try store.write([
            LogChange(hardState: HardState(term: 6), entries: Logs.entries(4...9, term: 2)),
            LogChange(truncateFrom: 5, entries: Logs.entries(5...6, term: 3)),
            LogChange(hardState: HardState(term: 7), truncateFrom: 3),
            LogChange(entries: [Logs.entry(3, term: 4)]),
        ])
        #expect(try Logs.contents(of: store) == Logs.entries(1...2) + [Logs.entry(3, term: 4)])
        #expect(store.hardState == HardState(term: 7))
    }

    @Test("Down to where the log was cut, and no further")
    func downToTheCut() throws {
        let store = try LogStore(path)
        try store.write(nil, Logs.entries(1...20))
        _ = try store.cutStep(upTo: 12)
        #expect(throws: StorageError.self) { try store.write(nil, truncateFrom: 12, []) }
        try store.write(nil, truncateFrom: 13, [])
        #expect(store.tail == store.cut)
        try store.write(nil, Logs.entries(13...14, term: 2))
        #expect(try Logs.contents(of: LogStore(path)).map(\.index) == [13, 14])
    }

    @Test("What is committed is never removed, whoever said so: hard state, owner, tree")
    func committed() throws {
        let store = try LogStore(path)
        try store.write(HardState(term: 5, commit: 3), Logs.entries(1...20))
        #expect(throws: StorageError.self) { try store.write(nil, truncateFrom: 3, []) }
        store.noteCommitted(7)
        #expect(throws: StorageError.self) { try store.write(nil, truncateFrom: 7, []) }
        let bench = try TreeBench(directory.file("tree.db"))
        for entry in Logs.entries(1...9) { _ = try bench.applier.apply(entry) }
        try bench.flush()
        try Verification.quick(log: store, tree: bench.store)
        #expect(throws: StorageError.self) { try store.write(nil, truncateFrom: 9, []) }
        #expect(store.tail.position.index == 20)
        try store.write(nil, truncateFrom: 10, Logs.entries(10...11, term: 4))
        try Verification.quick(log: store, tree: bench.store)
        #expect(store.tail.position.index == 11)
    }

    @Test("A crash inside leaves the old end, a crash after it the new one")
    func crash() throws {
        let store = try LogStore(path)
        try store.write(nil, Logs.entries(1...10))
        let crashes = Crashes(of: [path], into: directory)
        try crashes.observe { try store.write(nil, truncateFrom: 6, Logs.entries(6...6, term: 2)) }
        #expect(crashes.names == ["log.append.begin", "log.truncate.deleted", "log.append.before-commit", "log.append.after-commit"])
        for (name, files) in crashes.images {
            let contents = try Logs.contents(of: LogStore(files[0]))
            let isNew = name == "log.append.after-commit"
            #expect(contents == (isNew ? Logs.entries(1...5) + [Logs.entry(6, term: 2)] : Logs.entries(1...10)), "\(name)")
        }
    }
}

/// Copies files and their WALs at each failpoint that is passed: what a crash of the process just there would leave.
final class Crashes: Sendable {
    private let paths: [String]
    private let directory: TemporaryDirectory
    private let taken = Mutex<[(name: String, files: [String])]>([])

    init(of paths: [String], into directory: TemporaryDirectory) {
        self.paths = paths
        self.directory = directory
    }

    var images: [(name: String, files: [String])] { taken.withLock { $0 } }
    var names: [String] { images.map(\.name) }

    /// Runs `body`. The copies lie in a directory of their own each, under their own names.
    func observe(_ body: () throws -> Void) throws {
        try Failpoint.$observer.withValue({ [self] name in take(name) }, operation: body)
    }

    private func take(_ name: String) {
        taken.withLock { images in
            let target = directory.file("crash-\(images.count)")
            var files: [String] = []
            do {
                try FileOperations.makeDirectories(target)
                for path in paths {
                    let file = target + "/" + (path.split(separator: "/").last.map(String.init) ?? "")
                    files.append(file)
                    for suffix in ["", "-wal", "-shm"] where Files.exists(path + suffix) {
                        try Files.write(Files.read(path + suffix), to: file + suffix)
                    }
                }
            } catch {
                Issue.record("\(name): \(error)")
            }
            images.append((name, files))
        }
    }
}
