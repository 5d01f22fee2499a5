import Raft
import SQLite
import Storage
import TestSupport
import Testing

@Suite("Files with a reader that holds on")
struct ReaderTests {
    private let directory: TemporaryDirectory
    private let path: String

    init() throws {
        directory = try TemporaryDirectory()
        path = directory.file("log.db")
    }

    /// A connection with a transaction open since now.
    private func reader(_ path: String) throws -> Connection {
        let reader = try Connection(path, as: .reader)
        try reader.execute("BEGIN")
        _ = try reader.integer("SELECT count(*) FROM log")
        return reader
    }

    @Test("No commit and no checkpoint waits for it, and checkpoints are tried ever more seldom")
    func nobodyWaits() throws {
        try LogStore.create(path, identity: Logs.identity)
        let store = try LogStore(path)
        let reader = try reader(path)
        let passages = Passages()
        var next: UInt64 = 1
        try Failpoint.$observer.withValue({ passages.note($0) }) {
            // 160 MiB of WAL. A wait of 100 ms for each of the later ones came to minutes.
            for _ in 0..<3200 {
                try store.write(nil, [Logs.entry(next, value: [UInt8](repeating: 0x76, count: 48_000))])
                try store.checkpointIfDue()
                next += 1
            }
        }
        #expect(store.bytesHeldUp > 150 << 20)
        #expect(passages.count(of: "log.checkpoint.begin") < 40)
        #expect(passages.count(of: "log.append.before-commit") == 3200)
        reader.close()
        for _ in 0..<400 where store.bytesHeldUp > 0 {
            try store.write(nil, [Logs.entry(next, value: [UInt8](repeating: 0x76, count: 48_000))])
            try store.checkpointIfDue()
            next += 1
        }
        #expect(store.bytesHeldUp == 0, "nobody is in the way any more")
        try store.write(nil, [Logs.entry(next)])
        #expect(Files.size(path + "-wal") <= 65 << 20, "and the WAL is cut")
    }

    @Test("A log that is replaced holds the same, and goes on; what was written meanwhile is in it")
    func replacedLog() throws {
        try LogStore.create(path, identity: Logs.identity, hardState: HardState(term: 5))
        var store = try LogStore(path)
        try store.write(HardState(term: 7, vote: Logs.identity.member, commit: 3000), Logs.entries(1...4000))
        let reader = try reader(path)
        try LogReplacement.prepare(path, upTo: 3500)
        // A tail is replaced, the log is cut, and it grows.
        try store.write(HardState(term: 8, vote: .none, commit: 3500), truncateFrom: 3801, Logs.entries(3801...5000, term: 8))
        _ = try store.cutStep(upTo: 1000)
        let expected = try Logs.contents(of: store)
        store.noteCommitted(4200)
        #expect(try LogReplacement.bringUp(from: store))
        try LogReplacement.takePlace(of: store)
        store = try LogReplacement.open(path, committed: store.committed)
        #expect(try Logs.contents(of: store) == expected)
        #expect(store.hardState == HardState(term: 8, vote: .none, commit: 3500) && store.committed == 4200)
        #expect(store.cut.position.index == 1000 && store.identity == Logs.identity)
        try store.write(nil, Logs.entries(5001...5100, term: 8))
        try store.close()
        #expect(try LogStore(path).tail.position.index == 5100)
        // Of its moment.
        #expect(try reader.integer("SELECT count(*) FROM log") == 4000)
        reader.close()
        #expect(Files.exists(path + "-wal"), "the reader took the new WAL for its own")
    }

    /// A hundred entries, of which ninety are in a copy.
    private func copiedLog() throws -> LogStore {
        try LogStore.create(path, identity: Logs.identity)
        let store = try LogStore(path)
        try store.write(HardState(term: 1, commit: 90), Logs.entries(1...100))
        try LogReplacement.prepare(path, upTo: 90)
        return store
    }

    @Test("A copy of a log that was replaced by a snapshot is of no use")
    func uselessCopy() throws {
        let store = try copiedLog()
        _ = try store.cutStep(upTo: 95)
        #expect(try !LogReplacement.bringUp(from: store))
        #expect(try LogReplacement.bringUp(from: store) == false)
        #expect(store.tail.position.index == 100)
    }

    @Test("A copy that lacks too much is given up where nobody is in the way")
    func lateCopy() throws {
        let store = try copiedLog()
        #expect(try !LogReplacement.bringUp(from: store, lagMax: 9))
        #expect(try LogReplacement.bringUp(from: store, lagMax: 10))
    }

    @Test("An unfinished copy goes; a finished one takes the place, whatever was reached")
    func resumed() throws {
        func files() throws -> [String] {
            try FileOperations.names(in: directory.path).map { "\($0) \(String(decoding: try Files.read(directory.file($0)), as: UTF8.self))" }
        }
        for name in ["log.db", "log.db-wal", "log.db-shm", "log.db.next.partial", "log.db.next.partial-wal"] {
            try Files.write(Array("old".utf8), to: directory.file(name))
        }
        try FileReplacement.resume(path)
        #expect(try files() == ["log.db old", "log.db-shm old", "log.db-wal old"])
        try Files.write(Array("new".utf8), to: path + ".next")
        try FileReplacement.resume(path)
        #expect(try files() == ["log.db new"])
    }
}

/// How often each failpoint was passed.
final class Passages: @unchecked Sendable {
    // One thread.
    private var counts: [String: Int] = [:]
    func note(_ name: String) { counts[name, default: 0] += 1 }
    func count(of name: String) -> Int { counts[name] ?? 0 }
}
