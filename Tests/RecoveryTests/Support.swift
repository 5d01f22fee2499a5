import Foundation
import Keyspace
import Raft
import Storage
import TestSupport
import Testing
import Wire

/// A folder for one test, removed at its end.
final class Workplace {
    let path: String

    init() {
        // In memory where that is possible: the tests write gigabytes.
        let memory = "/dev/shm"
        let root = access(memory, W_OK) == 0 ? memory : FileManager.default.temporaryDirectory.path
        path = root + "/etclite-recovery-\(UUID().uuidString)"
        try? FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    func callAsFunction(_ name: String) -> String { path + "/" + name }
}

/// A data directory made from a seed, by the code that a server uses, and a model of what it holds.
struct SampleDirectory {
    struct Shape {
        var seed: UInt64 = 1
        var entries = 300
        /// Entries at the end that are in the log only.
        var unstored = 40
        /// Cut the log up to here.
        var cut: UInt64?
        /// Leave everything in the WAL files, as a killed process does.
        var killed = false
        var historyEvents = 1000
    }

    static let member = MemberID(0x8e9e_05c5_2164_694d)
    static let cluster = MemberID(0xcdf8_1818_e3e9_6666)
    static let startTime: Int64 = 1_700_000_000_000_000_000

    let path: String
    var model = KeyTree(table: MemoryNodeTable(), index: 0)
    var hash = StateHash()
    var last: UInt64 = 0

    var directory: DataDirectory { DataDirectory(path: path) }

    init(_ path: String, _ shape: Shape = Shape()) throws {
        self.path = path
        let building = shape.killed ? path + ".running" : path
        let directory = DataDirectory(path: building)
        try FileOperations.makeDirectories(directory.member)
        try LogStore.create(
            directory.log,
            identity: Identity(member: SampleDirectory.member, cluster: SampleDirectory.cluster, origin: "new cluster"))
        let log = try LogStore(directory.log)
        let tree = try TreeStore(directory.tree, historyEvents: shape.historyEvents)
        let applier = try EntryApplier(file: tree.reader(), historyEvents: shape.historyEvents)
        var generator = SeededGenerator(seed: shape.seed)
        var batch: [LogEntry] = []
        for number in 1...UInt64(shape.entries) {
            batch.append(
                LogEntry(index: Index(number), term: Term(number <= 150 ? 2 : 3), payload: payload(number, &generator)))
            guard batch.count == 10 || number == UInt64(shape.entries) else { continue }
            try log.write(HardState(term: 3, vote: SampleDirectory.member, commit: log.tail.position.index), batch)
            try log.checkpointIfDue()
            for entry in batch where entry.index.value <= UInt64(shape.entries - shape.unstored) {
                _ = try applier.apply(entry)
            }
            if number % 50 == 0 { try applier.flush(to: tree) }
            if number == 200, shape.killed { _ = try tree.checkpointIfDue(force: true) }
            for entry in batch { follow(entry) }
            batch = []
        }
        try applier.flush(to: tree)
        last = UInt64(shape.entries)
        for entry in model.table.all { hash.add(entry.path, entry.node) }
        if let cut = shape.cut { while try !log.cutStep(upTo: Index(cut)) {} }
        if shape.killed { try copyAsKilled(from: directory) }
        try log.close()
        try tree.close()
        if shape.killed { try FileManager.default.removeItem(atPath: building) }
    }

    private func copyAsKilled(from running: DataDirectory) throws {
        try FileOperations.makeDirectories(directory.member)
        for name in ["log.db", "log.db-wal", "tree.db", "tree.db-wal"] {
            try FileOperations.copy(running.member + "/" + name, to: directory.member + "/" + name)
        }
    }

    private mutating func follow(_ entry: LogEntry) {
        guard let command = CommandCodec.decode(entry.payload) else {
            if entry.payload.kind == EntryKind.membership.rawValue { _ = model.skipIndex() }
            return
        }
        let time = entry.payload.time
        if command.operation == .expire {
            _ = model.expire(at: time, watched: WatchedPaths())
        } else {
            _ = model.apply(command, at: time, watched: WatchedPaths())
        }
    }

    private func payload(_ number: UInt64, _ generator: inout SeededGenerator) -> EntryPayload {
        let time = SampleDirectory.startTime + Int64(number) * 1_000_000_000
        switch number {
        case 1, 151: return .empty
        case 2:
            return MembershipCodec.encode(
                .add(Member(id: SampleDirectory.member, peerURLs: ["http://localhost:2380"])), time: time, request: 0)
        case 3:
            return MembershipCodec.encode(
                .publish(SampleDirectory.member, name: "default", clientURLs: ["http://localhost:2379"]), time: time, request: 0)
        case 4: return MembershipCodec.encode(.clusterVersion("2.3.0"), time: time, request: 0)
        default:
            return CommandCodec.encode(
                command(time, &generator), time: time, client: Array("127.0.0.1:\(4000 + number)".utf8), request: number)
        }
    }

    private func command(_ time: Int64, _ generator: inout SeededGenerator) -> Command {
        let names = ["a", "b", "_hidden", "c", "ü"]
        var path = ""
        for _ in 0...Int.random(in: 0...2, using: &generator) {
            path += "/" + (names.randomElement(using: &generator) ?? "a")
        }
        let number = UInt64.random(in: 0...999_999, using: &generator)
        // One in four is too long for the row of its node.
        let value = Array("value \(number)".utf8) + Array(repeating: UInt8(ascii: "+"), count: number % 4 == 0 ? 300 : 0)
        var command = Command(.set, TreePath(path))
        switch Int.random(in: 0..<20, using: &generator) {
        case 0..<10: command.value = value
        case 10:
            command.value = value
            command.expiration = time + Int64.random(in: 1...50, using: &generator) * 1_000_000_000
        case 11: command.isDirectory = true
        case 12, 13:
            command.operation = .createInOrder
            command.value = value
        case 14:
            command.operation = .update
            command.value = value
        case 15: command.operation = .delete
        case 16:
            command.operation = .delete
            command.isDirectory = true
            command.isRecursive = true
        case 17:
            command.operation = .compareAndSwap
            command.value = value + [0, 255]
            command.previousIndex = UInt64.random(in: 1...60, using: &generator)
        case 18: command = Command(.expire, .root)
        default:
            command.operation = .create
            command.value = value
        }
        return command
    }
}

/// The bytes of every file below, but for the index that SQLite makes beside a WAL to read it.
func contents(_ path: String) -> [String: Data] {
    var contents: [String: Data] = [:]
    for name in FileManager.default.enumerator(atPath: path)?.compactMap({ $0 as? String }) ?? [] where !name.hasSuffix("-shm") {
        contents[name] = FileManager.default.contents(atPath: path + "/" + name) ?? Data()
    }
    return contents
}
