import Raft
import SQLite
import Storage
import TestSupport
import Testing
import Wire

@Suite("Reading the log for peers")
struct LogReaderTests {
    private let directory: TemporaryDirectory
    private let path: String

    init() throws {
        directory = try TemporaryDirectory()
        path = directory.file("log.db")
        try Logs.createSmall(path)
    }

    private static func headers(_ entries: [LogEntry]) -> ArraySlice<EntryHeader> {
        entries.map { EntryHeader(position: $0.position) }[...]
    }

    @Test("What the log thread has written is there at once, bounded by count and by bytes, at least one entry")
    func entries() throws {
        let store = try LogStore(path)
        let reader = try LogReader(path)
        #expect(try reader.entries(from: 1, count: 5, bytes: 1 << 20) == nil)
        let all = Logs.entries(1...20, term: 2)
        try store.write(nil, all)
        #expect(try reader.entries(from: 1, count: 5, bytes: 1 << 20) == Array(all[..<5]))
        #expect(try reader.entries(from: 18, count: 50, bytes: 1 << 20) == Array(all[17...]))
        #expect(try reader.entries(from: 21, count: 5, bytes: 1 << 20) == nil)
        #expect(try reader.entries(from: 0, count: 5, bytes: 1 << 20) == nil)
        #expect(try reader.entries(from: 7, count: 5, bytes: 0) == [all[6]])
        #expect(try reader.entries(from: 7, count: 5, bytes: 2 * all[6].payload.size + 10) == Array(all[6..<8]))
        #expect(try reader.payloads(of: Self.headers(Array(all[4..<9])), bytes: 1 << 20) == all[4..<9].map(\.payload))
        #expect(try reader.link(at: 20) == store.tail)
        #expect(try reader.link(at: 21) == nil && reader.link(at: 0) == .origin)
    }

    @Test("What was cut is gone, what follows the cut is not")
    func cut() throws {
        let store = try LogStore(path)
        let reader = try LogReader(path)
        try store.write(nil, Logs.entries(1...20))
        _ = try store.cutStep(upTo: 10)
        #expect(try reader.entries(from: 10, count: 5, bytes: 1 << 20) == nil)
        #expect(try reader.entries(from: 11, count: 2, bytes: 1 << 20) == Logs.entries(11...12))
        #expect(try reader.link(at: 10) == store.cut)
        #expect(try reader.link(at: 9) == nil && reader.link(at: 0) == nil)
    }

    @Test("Entries that were replaced are not those that the core asked for")
    func replaced() throws {
        let store = try LogStore(path)
        let reader = try LogReader(path)
        let old = Logs.entries(1...20)
        try store.write(nil, old)
        try store.write(nil, truncateFrom: 15, Logs.entries(15...16, term: 2))
        #expect(try reader.payloads(of: Self.headers(Array(old[9..<14])), bytes: 1 << 20) != nil)
        #expect(try reader.payloads(of: Self.headers(Array(old[9..<15])), bytes: 1 << 20) == nil)
        #expect(try reader.payloads(of: Self.headers([old[18]]), bytes: 1 << 20) == nil)
    }

    @Test("A changed row is damage, not an answer")
    func damage() throws {
        let store = try LogStore(path)
        try store.write(nil, Logs.entries(1...20))
        try store.close()
        let connection = try Connection(path, as: .durableWriter)
        try connection.execute("UPDATE log SET value = 'x' WHERE \"index\" = 8")
        connection.close()
        let reader = try LogReader(path)
        #expect(try reader.entries(from: 1, count: 7, bytes: 1 << 20)?.count == 7)
        let error = try #require(throws: StorageError.self) { try reader.entries(from: 5, count: 7, bytes: 1 << 20) }
        #expect(error.description.contains("index 8"), "\(error)")
    }
}

@Suite("What a consensus core asks a stored log")
struct LogShapeTests {
    private let directory: TemporaryDirectory
    private let path: String

    init() throws {
        directory = try TemporaryDirectory()
        path = directory.file("log.db")
        try Logs.createSmall(path)
    }

    @Test("Where the terms begin, as one would count them", arguments: 1...20)
    func runs(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        let store = try LogStore(path)
        var entries: [LogEntry] = []
        var term: Term = 1
        for index in 1...UInt64.random(in: 1...300, using: &generator) {
            if Int.random(in: 0..<(seed % 3 == 0 ? 2 : 40), using: &generator) == 0 {
                term = Term(term.value + UInt64.random(in: 1...3, using: &generator))
            }
            entries.append(Logs.entry(index, term: term))
        }
        try store.write(HardState(term: term), entries)
        let cut = UInt64.random(in: 0...UInt64(entries.count), using: &generator)
        _ = try store.cutStep(upTo: Index(cut))
        var expected: [LogPosition] = []
        for entry in entries.dropFirst(Int(cut)) where expected.last?.term != entry.term { expected.append(entry.position) }
        let shape = try store.shape()
        #expect(shape.runs.map { LogPosition(index: $0.first, term: $0.term) } == expected, "seed \(seed)")
        #expect(shape.cut == store.cut.position && shape.last == store.tail.position, "seed \(seed)")
    }

    @Test("The changes of the configuration behind an index, and no other entries")
    func changes() throws {
        let store = try LogStore(path)
        func membership(_ index: UInt64, _ change: MembershipChange, isVoid: Bool = false) -> LogEntry {
            let payload = MembershipCodec.encode(change, time: 1, request: index)
            return LogEntry(index: Index(index), term: 1, payload: isVoid ? MembershipCodec.voided(payload) : payload)
        }
        let one = MemberID(1)
        let two = MemberID(2)
        try store.write(
            nil,
            [
                membership(1, .add(Member(id: one, peerURLs: ["http://a:1"]))), Logs.entry(2),
                membership(3, .add(Member(id: two, peerURLs: ["http://b:1"], isLearner: true))),
                membership(4, .publish(one, name: "a", clientURLs: [])), membership(5, .remove(one), isVoid: true),
                membership(6, .update(two, peerURLs: ["http://c:1"])), membership(7, .remove(two)),
                membership(8, .clusterVersion("3.4.0")),
            ])
        for applied: Index in [0, 3, 5, 8] {
            let all = try store.configurationChanges(applied: applied)
            #expect(all.map(\.0) == [1, 3, 7])
            #expect(all.map(\.1) == [.addVoter(one), .addLearner(two), .remove(two)])
        }
        _ = try store.cutStep(upTo: 3)
        #expect(try store.configurationChanges(applied: 3).map(\.0) == [7])
    }

    @Test("Founders write the same log, whatever the order in which they know each other; one who joins has none")
    func founders() throws {
        let members = (1...3).map { Member(id: MemberID(UInt64($0) * 7 % 5), name: "m\($0)", peerURLs: ["http://m\($0):2380"]) }
        var tails: [ChainLink] = []
        for (number, member) in members.enumerated() {
            let file = directory.file("founder-\(number).db")
            try LogStore.found(
                file, identity: Identity(member: member.id, cluster: MemberID(9), origin: "new cluster"),
                members: number == 1 ? members.reversed() : members)
            let store = try LogStore(file)
            #expect(store.hardState == HardState(term: 1, commit: 3) && store.committed == 3)
            #expect(try store.configurationChanges(applied: 0).map(\.1) == members.map(\.id).sorted().map { .addVoter($0) })
            tails.append(store.tail)
            let bench = try TreeBench(directory.file("tree-\(number).db"))
            for entry in try Logs.contents(of: store) { _ = try bench.applier.apply(entry) }
            try bench.flush()
            #expect(try bench.file.configuration() == Configuration(voters: members.map(\.id)))
        }
        #expect(tails.count == 3 && Set(tails.map(\.checksum)).count == 1)
        let file = directory.file("joiner.db")
        try LogStore.join(file, identity: Logs.identity)
        #expect(try LogStore(file).tail == .origin)
        #expect(try LogStore(file).hardState == HardState())
    }
}
