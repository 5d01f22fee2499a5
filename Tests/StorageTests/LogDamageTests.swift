import Raft
import SQLite
import Storage
import TestSupport
import Testing
import Wire

/// A log whose last transactions are in the WAL only, taken as a crash leaves it.
private struct CrashedLog {
    let image: DiskImage
    let entries: [LogEntry]
    let cut: ChainLink
    /// After each transaction: bytes of the WAL that it needs, and the last index it brought.
    let commits: [(walBytes: Int, last: Index)]
    let checkpointed: Index

    static let frameBytes = 24 + 4096

    init(in directory: TemporaryDirectory) throws {
        let path = directory.file("source.db")
        try Logs.createSmall(path)
        var store = try LogStore(path)
        try store.write(HardState(term: 5, vote: Logs.identity.member, commit: 0), Logs.entries(1...400))
        _ = try store.cutStep(upTo: 100)
        try store.close()
        let connection = try Connection(path, as: .durableWriter)
        try connection.checkpoint(.truncate)
        connection.close()

        store = try LogStore(path)
        checkpointed = store.tail.position.index
        var commits: [(Int, Index)] = []
        var next: UInt64 = 401
        // Small ones, many rows, and one that needs pages of its own.
        for sizes in [[5], [5], [700, 700, 700, 700, 700, 700, 700], [5], [9000], [5, 5], [3000], [5]] {
            try store.write(
                nil,
                sizes.enumerated().map { offset, size in
                    Logs.entry(next + UInt64(offset), value: [UInt8](repeating: 0x76, count: size))
                })
            next += UInt64(sizes.count)
            commits.append((Files.size(path + "-wal"), Index(next - 1)))
        }
        image = try DiskImage(of: path)
        entries = try Logs.contents(of: store)
        cut = store.cut
        self.commits = commits
    }

    /// The last index that must survive when the WAL is right up to `bytes`.
    func safe(_ bytes: Int) -> Index { commits.last { $0.walBytes <= bytes }?.last ?? checkpointed }
}

@Suite("A log that was being written when everything stopped")
struct TornTailTests {
    private let directory: TemporaryDirectory
    private let log: CrashedLog
    private let path: String

    init() throws {
        directory = try TemporaryDirectory()
        log = try CrashedLog(in: directory)
        path = directory.file("torn.db")
    }

    private func open(_ wal: [UInt8]) throws -> (entries: [LogEntry], verdict: WALFile.Verdict) {
        var image = log.image
        image.wal = wal
        try image.restore(to: path)
        let verdict = try WALFile.inspect(path + "-wal")
        let store = try LogStore(path)
        return (try Logs.contents(of: store), verdict)
    }

    /// Every frame boundary, just before and behind it, within the frame's header, and in the middle of its page.
    private var places: [Int] {
        let frames = (log.image.wal.count - 32) / CrashedLog.frameBytes
        var places = [0, 1, 31, 32]
        for frame in 0..<frames {
            let start = 32 + frame * CrashedLog.frameBytes
            places += [
                start + 4, start + 23, start + 24, start + 2000, start + CrashedLog.frameBytes - 1, start + CrashedLog.frameBytes,
            ]
        }
        return places
    }

    @Test("Cut off at any place: what was complete before is there, nothing else, and it is no damage")
    func truncated() throws {
        #expect(places.count > 60)
        for place in places {
            let (entries, verdict) = try open(Array(log.image.wal[..<place]))
            let safe = log.safe(place)
            #expect(entries == log.entries.filter { $0.index <= safe }, "cut at \(place)")
            if place % 5 == 0 {
                // It goes on from there.
                let store = try LogStore(path)
                try store.write(nil, [Logs.entry(safe.value + 1, value: [1])])
                #expect(try LogStore(path).tail.position.index == safe.next, "cut at \(place)")
            }
            if case .damaged = verdict { Issue.record("cut at \(place): \(verdict)") }
        }
    }

    @Test("Garbage from any place on: what was complete before is there, or damage is reported", arguments: [0x00, 0x5a])
    func garbage(byte: UInt8) throws {
        for place in places.dropFirst(4) {
            let wal = Array(log.image.wal[..<place]) + [UInt8](repeating: byte, count: log.image.wal.count - place)
            let safe = log.safe(place)
            do {
                let (entries, _) = try open(wal)
                #expect(entries == log.entries.filter { $0.index <= safe }, "garbage from \(place)")
            } catch let error as StorageError {
                #expect(error.description.contains(path + "-wal is damaged at frame"), "\(error)")
            }
        }
    }

    @Test("A transaction that was only half written is dropped, and said to be")
    func tornTransaction() throws {
        // The frames of the third transaction are there but for its last one.
        let end = log.commits[2].walBytes - CrashedLog.frameBytes
        let (_, verdict) = try open(Array(log.image.wal[..<end]))
        guard case .torn(let frames, let dropped) = verdict else {
            Issue.record("\(verdict)")
            return
        }
        #expect(32 + frames * CrashedLog.frameBytes == log.commits[1].walBytes)
        #expect(32 + (frames + dropped) * CrashedLog.frameBytes == end)
    }

    @Test("The header of an election's frame before the page that lay there is a torn write, though they differ in one word only")
    func tornElection() throws {
        let source = directory.file("election.db")
        try Logs.createSmall(source)
        let store = try LogStore(source)
        try store.write(HardState(term: 6, vote: Logs.identity.member, commit: 0), Logs.entries(1...3))
        try store.write(HardState(term: 7, vote: Logs.identity.member, commit: 0), [])
        var image = try DiskImage(of: source)
        let frames = (image.wal.count - 32) / CrashedLog.frameBytes
        let last = try #require((0..<frames).last { image.wal[32 + $0 * CrashedLog.frameBytes + 3] == UInt8(WALFile.hardStatePage) })
        // The row ends the page's cells: its term is the one byte of value 7 that had been a 6.
        let start = 32 + last * CrashedLog.frameBytes + 24
        let page = image.wal[start..<(start + 4096)]
        let term = try #require(page.indices.filter { image.wal[$0] == 7 }.last)
        image.wal[term] = 6
        try image.restore(to: path)
        guard case .torn(_, 1) = try WALFile.inspect(path + "-wal") else {
            Issue.record("\(try WALFile.inspect(path + "-wal"))")
            return
        }
        let opened = try LogStore(path)
        #expect(opened.hardState.term == 6 && opened.tail.position.index == 3)

        let connection = try Connection(path, as: .reader)
        defer { connection.close() }
        let root = try connection.integer("SELECT rootpage FROM sqlite_schema WHERE name = 'hard_state'")
        #expect(root == Int64(WALFile.hardStatePage))
    }

    @Test("After a loss of power, a page of an earlier round before its new header is a torn write, however little they differ")
    func almostTheSamePage() throws {
        let start = log.commits[log.commits.count - 2].walBytes
        for place in stride(from: start + 24, to: log.image.wal.count, by: 97) where (place - 32) % CrashedLog.frameBytes >= 24 {
            var image = log.image
            image.wal[place] ^= 1
            try image.restore(to: path)
            #expect(try WALFile.inspect(path + "-wal").isDamaged, "byte \(place): no power was lost, so it is a flipped bit")
            guard case .torn = try WALFile.inspect(path + "-wal", afterPowerLoss: true) else {
                Issue.record("byte \(place): \(try WALFile.inspect(path + "-wal", afterPowerLoss: true))")
                continue
            }
            // The file is older than the life of this machine.
            try Files.setTime(of: path + "-wal", secondsSince1970: 1_000_000_000)
            #expect(try Logs.contents(of: LogStore(path)) == log.entries.filter { $0.index <= log.safe(start) }, "byte \(place)")
        }
    }

    @Test("What a transaction that failed has left behind the torn one is no damage, though it has the salts of the round")
    func leftovers() throws {
        let source = directory.file("leftovers.db")
        try Logs.createSmall(source)
        let store = try LogStore(source)
        try store.write(nil, [Logs.entry(1)])
        let start = Files.size(source + "-wal")
        // Of these frames only the last one ends a transaction.
        try store.write(nil, [Logs.entry(2, value: [UInt8](repeating: 0x76, count: 9000))])
        var image = try DiskImage(of: source)
        #expect(image.wal.count >= start + 3 * CrashedLog.frameBytes)
        // It failed, the disk was too full to begin the WAL anew, and of the next one, of a single page, only the header was written.
        image.wal.replaceSubrange((start + 4)..<(start + 8), with: [0, 0, 0, 9])
        image.wal.replaceSubrange((start + 16)..<(start + 24), with: [1, 2, 3, 4, 5, 6, 7, 8])
        try image.restore(to: path)
        for afterPowerLoss in [false, true] {
            let verdict = try WALFile.inspect(path + "-wal", afterPowerLoss: afterPowerLoss)
            #expect(!verdict.isDamaged, "\(verdict)")
        }
        #expect(try LogStore(path).tail.position.index == 1)
    }

    @Test("Frames of an earlier round behind the end are no damage")
    func earlierRound() throws {
        let source = directory.file("rounds.db")
        try Logs.createSmall(source)
        let store = try LogStore(source)
        for index: UInt64 in 1...30 { try store.write(nil, [Logs.entry(index)]) }
        try store.close()
        let again = try LogStore(source)
        for index: UInt64 in 31...35 { try again.write(nil, [Logs.entry(index)]) }
        let wal = try Files.read(source + "-wal")
        #expect(wal.count > 32 + 20 * CrashedLog.frameBytes, "the old frames are still there")
        #expect(try WALFile.inspect(source + "-wal") == .sound(frames: 5))
        try DiskImage(of: source).restore(to: path)
        #expect(try Logs.contents(of: LogStore(path)).count == 35)
    }
}

@Suite("A log in which a byte has flipped")
struct FlippedByteTests {
    private let directory: TemporaryDirectory
    private let log: CrashedLog
    private let path: String

    init() throws {
        directory = try TemporaryDirectory()
        log = try CrashedLog(in: directory)
        path = directory.file("flipped.db")
    }

    /// Opens and reads everything; nil when it is all there as it was.
    private func damage(_ change: (inout DiskImage) -> Void) throws -> StorageError? {
        var image = log.image
        change(&image)
        try image.restore(to: path)
        do {
            let store = try LogStore(path)
            let entries = try Logs.contents(of: store)
            #expect(entries == log.entries, "it was opened, and the entries differ")
            #expect(store.cut == log.cut)
            return nil
        } catch let error as StorageError {
            return error
        }
    }

    @Test("In the WAL: any byte of its header and of a frame is found, in the last transaction too", arguments: 1...2)
    func wal(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        let frames = (log.image.wal.count - 32) / CrashedLog.frameBytes
        var places = Array(0..<32)
        for frame in 0..<frames {
            let start = 32 + frame * CrashedLog.frameBytes
            places += (0..<24).map { start + $0 }
            places += (0..<6).map { _ in start + Int.random(in: 24..<CrashedLog.frameBytes, using: &generator) }
        }
        for place in places {
            let bit = UInt8(1) << UInt8.random(in: 0..<8, using: &generator)
            let error = try damage { $0.wal[place] ^= bit }
            let isNamed = error.map { $0.description.contains(path + "-wal is damaged at") } ?? false
            // A header whose numbers of pages or of the checkpoint differ in nothing that is read is still refused.
            #expect(isNamed, "byte \(place), bit \(bit), seed \(seed): \(error?.description ?? "opened")")
        }
    }

    @Test("A whole byte of the last transaction, which nobody has read yet, is found", arguments: 1...2)
    func lastTransaction(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        let start = log.commits[log.commits.count - 2].walBytes
        for _ in 0..<60 {
            let place = Int.random(in: start..<log.image.wal.count, using: &generator)
            let error = try damage { $0.wal[place] ^= UInt8.random(in: 1...255, using: &generator) }
            #expect(error != nil, "byte \(place), seed \(seed)")
        }
    }

    @Test("In the file: refused with its name, or everything is as it was", arguments: 1...3)
    func main(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        var found = 0
        for _ in 0..<60 {
            let place = Int.random(in: log.image.main.indices, using: &generator)
            let bit = UInt8(1) << UInt8.random(in: 0..<8, using: &generator)
            guard let error = try damage({ $0.main[place] ^= bit }) else { continue }
            found += 1
            #expect(error.description.contains(path), "byte \(place), bit \(bit), seed \(seed): \(error)")
        }
        #expect(found > 10, "most bytes of a page with rows count")
    }
}
