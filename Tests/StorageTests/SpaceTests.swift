import Keyspace
import Raft
import SQLite
import TestSupport
import Testing
import Wire

@testable import Storage

@Suite("Space that is not needed any more")
struct SpaceTests {
    private let directory: TemporaryDirectory
    private let path: String

    init() throws {
        directory = try TemporaryDirectory()
        path = directory.file("tree.db")
    }

    /// 8 MiB of values, of which nearly all go again.
    private func shrunkTree() throws -> TreeBench {
        let bench = try TreeBench(path, historyEvents: 1)
        for index in UInt64(1)...2048 {
            _ = try bench.applier.apply(Logs.entry(index, value: Array(repeating: UInt8(ascii: "v"), count: 4096)))
            if index % 512 == 0 { try bench.flush() }
        }
        for index in UInt64(1)...2000 {
            let payload = CommandCodec.encode(Command(.delete, TreePath("/key/\(index)")), time: 1, client: [], request: 1)
            _ = try bench.applier.apply(LogEntry(index: Index(2048 + index), term: 1, payload: payload))
        }
        try bench.flush()
        return bench
    }

    private func pages(_ store: TreeStore) throws -> (all: Int64, free: Int64) {
        (try store.connection.integer("PRAGMA page_count") ?? 0, try store.connection.integer("PRAGMA freelist_count") ?? 0)
    }

    @Test("At rest it goes back to the file system, a step at a time; nothing else changes")
    func atRest() throws {
        let bench = try shrunkTree()
        let store = bench.store
        #expect(try store.cutWAL())
        #expect(store.durable == store.state.applied)
        let before = FileOperations.size(path) ?? 0
        #expect(before > 8 << 20)
        let content = try dump(path)
        var steps = 0
        while try store.giveBackStep(isAtRest: true) {
            steps += 1
            if steps % 3 == 0 { _ = try store.checkpointIfDue(force: true) }
        }
        #expect(steps > 4, "one step is a moment's work")
        #expect(try store.cutWAL())
        #expect(FileOperations.size(path) ?? 0 < 2 << 20)
        #expect(FileOperations.size(path + "-wal") == 0)
        #expect(try dump(path) == content)
        #expect(try store.connection.text("PRAGMA integrity_check(1)") == "ok")
        // And it goes on.
        _ = try bench.applier.apply(Logs.entry(4049))
        try bench.restart()
        #expect(try TreeSummary(bench.file).hash == bench.store.state.hash)
    }

    @Test("Under load what is free is kept for what comes, up to half of the file")
    func underLoad() throws {
        let store = try shrunkTree().store
        #expect(try pages(store).free > pages(store).all / 2)
        #expect(try !store.giveBackStep(isAtRest: false), "it is not even 16 MiB")
    }

    @Test("With a reader in the way the WAL is cut later")
    func reader() throws {
        let bench = try shrunkTree()
        let reader = try TreeReader(path: path, as: .reader)
        try reader.hold()
        _ = try reader.state()
        _ = try bench.applier.apply(Logs.entry(4049))
        try bench.flush()
        #expect(try !bench.store.cutWAL())
        try reader.release()
        #expect(try bench.store.cutWAL())
    }

    @Test("A file that was made without the means for it gets them when it is opened, and keeps what it holds")
    func conversion() throws {
        let bench = try shrunkTree()
        try bench.close()
        let content = try dump(path)
        let old = try Connection(path, as: .viewWriter)
        try old.execute("PRAGMA auto_vacuum=NONE; VACUUM")
        try old.checkpoint(.truncate)
        #expect(try old.integer("PRAGMA auto_vacuum") == 0)
        old.close()
        let store = try TreeStore(path, historyEvents: 1)
        #expect(try store.connection.integer("PRAGMA auto_vacuum") == 2)
        #expect(try dump(path) == content)
    }

    @Test("The log knows what it could do without")
    func log() throws {
        let path = directory.file("log.db")
        try LogStore.create(path, identity: Logs.identity, hardState: HardState(term: 5))
        let store = try LogStore(path)
        let fresh = try store.bytesToSpare()
        for start in stride(from: UInt64(1), to: 6000, by: 500) {
            try store.write(
                nil, (start..<start + 500).map { Logs.entry($0, value: Array(repeating: UInt8(ascii: "v"), count: 4096)) })
            try store.checkpointIfDue()
        }
        #expect(try store.bytesToSpare() < fresh + 4 << 20)
        while try !store.cutStep(upTo: 5900) {}
        #expect(try store.bytesToSpare() > 20 << 20)
        try store.close()
    }
}
