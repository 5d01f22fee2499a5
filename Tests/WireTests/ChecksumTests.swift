import Raft
import TestSupport
import Testing
import Wire

@Suite("CRC-32C")
struct ChecksumTests {
    private static func crc(_ bytes: [UInt8], seed: UInt32 = 0) -> UInt32 {
        var crc = CRC32C(seed: seed)
        crc.update(bytes)
        return crc.value
    }

    /// A bit at a time, as the polynomial says.
    private static func slow(_ bytes: [UInt8], seed: UInt32 = 0) -> UInt32 {
        var state = ~seed
        for byte in bytes {
            state ^= UInt32(byte)
            for _ in 0..<8 { state = state & 1 == 1 ? (state >> 1) ^ 0x82F6_3B78 : state >> 1 }
        }
        return ~state
    }

    @Test("The check value and the vectors of RFC 3720 §B.4")
    func knownVectors() {
        #expect(Self.crc(Array("123456789".utf8)) == 0xE306_9283)
        #expect(Self.crc([]) == 0)
        #expect(Self.crc([UInt8](repeating: 0, count: 32)) == 0x8A91_36AA)
        #expect(Self.crc([UInt8](repeating: 0xff, count: 32)) == 0x62A8_AB43)
        #expect(Self.crc(Array(0..<32)) == 0x46DD_794E)
        #expect(Self.crc(Array((0..<32).reversed())) == 0x113F_DB5C)
    }

    @Test("Every length, in one piece, in two, and word by word, is what the polynomial says")
    func allLengths() {
        var generator = SeededGenerator(seed: 7)
        for length in 0...70 {
            let bytes = (0..<length).map { _ in UInt8.random(in: 0...255, using: &generator) }
            let seed = UInt32.random(in: 0...UInt32.max, using: &generator)
            let expected = Self.slow(bytes, seed: seed)
            #expect(Self.crc(bytes, seed: seed) == expected, "\(length) bytes")
            let cut = Int.random(in: 0...length, using: &generator)
            #expect(Self.crc(Array(bytes[cut...]), seed: Self.crc(Array(bytes[..<cut]), seed: seed)) == expected)
        }
        let word: UInt64 = 0x0807_0605_0403_0201
        var crc = CRC32C()
        crc.update(word)
        #expect(crc.value == Self.slow([1, 2, 3, 4, 5, 6, 7, 8]))
    }
}

@Suite("The chain of checksums over the log")
struct ChainTests {
    private static let entry = LogEntry(
        index: 7, term: 3,
        payload: EntryPayload(
            kind: .keys, operation: 6, path: Array("/a/b".utf8), value: [0x76, 0x00, 0xff],
            options: [0x3a, 0x00, 0x00, 0x2a, 0x36, 0xfe, 0x9c, 0x97, 0x17, 0x02, 0x6f, 0x6c, 0xac, 0x02],
            time: 1_700_000_000_000_000_001, client: Array("127.0.0.1:4711".utf8), request: 42))

    @Test("Golden values: a log that is written today is read for ever")
    func golden() {
        #expect(Self.entry.checksum(after: 0xDEAD_BEEF) == 0x75D8_AC98)
        #expect(LogEntry(index: 1, term: 1, payload: .empty).checksum(after: 0) == 0x91C2_521B)
    }

    @Test("A change of any field, and a byte that moves from one field to the next, changes the checksum")
    func everyFieldCounts() {
        let changes: [(String, (inout LogEntry) -> Void)] = [
            ("index", { $0.index = 8 }), ("term", { $0.term = 4 }), ("kind", { $0.payload.kind = 2 }),
            ("version", { $0.payload.version = 2 }), ("operation", { $0.payload.operation = 7 }),
            ("path", { $0.payload.path[1] ^= 1 }), ("value", { $0.payload.value[2] ^= 0x80 }),
            ("options", { $0.payload.options[0] ^= 4 }), ("time", { $0.payload.time += 1 }),
            ("client", { $0.payload.client[0] ^= 1 }), ("request", { $0.payload.request = 43 }),
            ("path and value", { $0.payload.value.insert($0.payload.path.removeLast(), at: 0) }),
            ("value and options", { $0.payload.options.insert($0.payload.value.removeLast(), at: 0) }),
            ("options and client", { $0.payload.client.insert($0.payload.options.removeLast(), at: 0) }),
        ]
        let original = Self.entry.checksum(after: 1)
        for (name, change) in changes {
            var changed = Self.entry
            change(&changed)
            #expect(changed.checksum(after: 1) != original, "\(name)")
        }
        #expect(Self.entry.checksum(after: 2) != original, "the predecessor counts")
    }

    /// The position of the first entry whose stored checksum does not fit.
    private static func firstDamage(_ log: [(entry: LogEntry, checksum: UInt32)]) -> Int? {
        var previous: UInt32 = 0
        for (position, row) in log.enumerated() {
            guard row.entry.checksum(after: previous) == row.checksum else { return position }
            previous = row.checksum
        }
        return nil
    }

    @Test("A hole, a swap, a repetition and a flipped bit are found at the first row they concern", arguments: 1...20)
    func chainFindsDamage(seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        var log: [(entry: LogEntry, checksum: UInt32)] = []
        for number in 1...30 {
            let payload = EntryPayload(
                kind: .keys, operation: 1, path: Array("/k\(number % 3)".utf8), value: Array("v".utf8), time: 1, request: 1)
            let entry = LogEntry(index: Index(UInt64(number)), term: 1, payload: payload)
            log.append((entry, entry.checksum(after: log.last?.checksum ?? 0)))
        }
        #expect(Self.firstDamage(log) == nil)

        let place = Int.random(in: 0..<28, using: &generator)
        var hole = log
        hole.remove(at: place)
        #expect(Self.firstDamage(hole) == place, "hole, seed \(seed)")
        var swap = log
        swap.swapAt(place, place + 1)
        #expect(Self.firstDamage(swap) == place, "swap, seed \(seed)")
        var twice = log
        twice.insert(log[place], at: place + 1)
        #expect(Self.firstDamage(twice) == place + 1, "repetition, seed \(seed)")
        var flipped = log
        flipped[place].entry.payload.value[0] ^= 1 << UInt8.random(in: 0..<8, using: &generator)
        #expect(Self.firstDamage(flipped) == place, "bit of a value, seed \(seed)")
        var sum = log
        sum[place].checksum ^= 1 << UInt32.random(in: 0..<32, using: &generator)
        #expect(Self.firstDamage(sum) == place, "bit of a checksum, seed \(seed)")
    }
}
