import Keyspace
import Raft
import SQLite
import Storage
import TestSupport
import Wire

extension TreePath: ExpressibleByStringLiteral {
    public init(stringLiteral text: String) { self.init(text) }
}

/// Logs and what is in them.
enum Logs {
    static let identity = Identity(member: MemberID(0xab), cluster: MemberID(0xcd), origin: "test")

    static func entry(_ index: UInt64, term: Term = 1, value: [UInt8]? = nil) -> LogEntry {
        var command = Command(.set, TreePath("/key/\(index)"))
        command.value = value ?? Array("value \(index)".utf8)
        return LogEntry(
            index: Index(index), term: term,
            payload: CommandCodec.encode(
                command, time: Int64(index) * 1_000_000_000, client: Array("1.2.3.4:5".utf8), request: index))
    }

    static func entries(_ range: ClosedRange<UInt64>, term: Term = 1) -> [LogEntry] { range.map { entry($0, term: term) } }

    /// A new log without the room that a server's log is given, so that copies are small.
    static func createSmall(_ path: String) throws {
        try LogStore.create(path, identity: identity, hardState: HardState(term: 5))
        let connection = try Connection(path, as: .durableWriter)
        try connection.execute("VACUUM")
        try connection.checkpoint(.truncate)
        connection.close()
    }

    /// Everything that is kept, read through the chain from the cut.
    static func contents(of store: LogStore) throws -> [LogEntry] {
        try store.entries(after: store.cut.position.index, limit: .max)
    }
}

/// A database and its WAL, as they lie on the disk at one moment: what a crash of the process leaves.
struct DiskImage {
    var main: [UInt8]
    var wal: [UInt8]

    init(main: [UInt8], wal: [UInt8]) {
        self.main = main
        self.wal = wal
    }

    /// Takes the picture while the file is open.
    init(of path: String) throws {
        main = try Files.read(path)
        wal = Files.exists(path + "-wal") ? try Files.read(path + "-wal") : []
    }

    func restore(to path: String) throws {
        try? FileOperations.remove(path + "-shm")
        try Files.write(main, to: path)
        try Files.write(wal, to: path + "-wal")
    }
}

/// A tree file with the applier over it, as the apply thread has them.
final class TreeBench {
    let path: String
    let historyEvents: Int
    private(set) var store: TreeStore
    private(set) var file: TreeReader
    private(set) var applier: EntryApplier
    private var waiting: TreeLayer?
    private var counted = StateHash()
    private let countedMax: Int?

    init(_ path: String, historyEvents: Int = 1000, countedMax: Int? = nil) throws {
        self.path = path
        self.countedMax = countedMax
        self.historyEvents = historyEvents
        store = try TreeStore(path, historyEvents: historyEvents)
        file = try TreeReader(path: path, as: .reader)
        applier = try EntryApplier(file: file, historyEvents: historyEvents, countedMax: countedMax)
    }

    /// Gives the gathered changes out to be written; nothing when a layer is out already.
    func freeze() { if waiting == nil { waiting = applier.freeze() } }

    /// The layer that is out reaches the file, and the applier does not know yet.
    func write() throws {
        guard let layer = waiting else { return }
        counted = try store.write(layer)
    }

    func noticeWritten() {
        if waiting != nil { _ = applier.written(counted: counted) }
        waiting = nil
    }

    func finishWriting() throws {
        try write()
        noticeWritten()
    }

    func flush() throws {
        if waiting != nil { try finishWriting() }
        try applier.flush(to: store)
    }

    /// Stops in order and starts again.
    func restart() throws {
        try flush()
        try store.close()
        store = try TreeStore(path, historyEvents: historyEvents)
        file = try TreeReader(path: path, as: .reader)
        let watched = applier.watched
        applier = try EntryApplier(file: file, historyEvents: historyEvents, countedMax: countedMax)
        applier.watched = watched
    }

    func close() throws {
        try flush()
        try store.close()
    }
}

/// Every row of a tree file as text.
func dump(_ path: String) throws -> [String] {
    let connection = try Connection(path, as: .reader)
    var lines: [String] = []
    for table in ["nodes", "change_values", "past_values", "events", "state", "members"] {
        let columns =
            try connection.text(
                "SELECT group_concat('quote(\"' || name || '\")', ' || '','' || ') FROM pragma_table_info('\(table)')") ?? ""
        let rows = try connection.prepare("SELECT \(columns) FROM \(table) ORDER BY 1")
        while try rows.step() { lines.append("\(table): \(rows.text(0))") }
    }
    return lines
}

/// Random commands over few names, so that they meet: deep paths, hidden ones, directories, TTLs, conditions.
struct CommandSource {
    var generator: SeededGenerator
    /// Time of the next entry, seconds.
    private(set) var now: Int64 = 1_000
    private(set) var nextIndex: UInt64

    init(seed: UInt64, firstIndex: UInt64 = 1) {
        generator = SeededGenerator(seed: seed)
        nextIndex = firstIndex
    }

    mutating func chance(_ percent: Int) -> Bool { Int.random(in: 0..<100, using: &generator) < percent }

    mutating func path(depthMax: Int = 4) -> TreePath {
        let names = ["a", "b", "c", "_h", "a0", "a!"]
        var path = TreePath.root
        for _ in 0..<Int.random(in: 1...depthMax, using: &generator) {
            path = path.child(Array((names.randomElement(using: &generator) ?? "a").utf8))
        }
        return path
    }

    mutating func entry() -> LogEntry {
        now += Int64.random(in: 0...2, using: &generator)
        let operations: [Command.Operation] = [
            .set, .set, .set, .set, .create, .create, .createInOrder, .update, .compareAndSwap, .delete, .delete,
            .compareAndDelete, .expire,
        ]
        var command = Command(operations.randomElement(using: &generator) ?? .set, path())
        if command.operation == .delete { command.path = path(depthMax: 2) }
        if command.operation != .delete, command.operation != .expire {
            // Some stand in the row of their node, some beside it, and one may come after the other.
            let lengthMax = chance(70) ? 12 : 300
            command.value = (0..<Int.random(in: 0...lengthMax, using: &generator)).map { _ in
                UInt8.random(in: 0...255, using: &generator)
            }
            if chance(25) { command.expiration = (now + Int64.random(in: 0...40, using: &generator)) * 1_000_000_000 }
        }
        command.isDirectory = chance(35)
        command.isRecursive = chance(60)
        if [.set, .update, .compareAndSwap].contains(command.operation) { command.isRefresh = chance(10) }
        if [.compareAndSwap, .compareAndDelete].contains(command.operation), chance(50) {
            command.previousIndex = UInt64.random(in: 1...50, using: &generator)
        }
        if command.operation == .expire { command = Command(.expire, .root) }
        defer { nextIndex += 1 }
        return LogEntry(
            index: Index(nextIndex), term: 1,
            payload: CommandCodec.encode(command, time: now * 1_000_000_000, client: [], request: nextIndex))
    }
}
