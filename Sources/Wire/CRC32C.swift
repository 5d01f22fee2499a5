/// CRC-32C (Castagnoli, reflected polynomial 0x82F63B78; RFC 3720 §B.4), eight bytes a step.
package struct CRC32C: Sendable {
    private var state: UInt32

    /// `seed` is the checksum of what went before; 0 at the beginning.
    package init(seed: UInt32 = 0) { state = ~seed }

    package var value: UInt32 { ~state }

    package mutating func update(_ word: UInt64) {
        CRC32C.tables.withUnsafeBufferPointer { tables in state = CRC32C.step(state, word, tables) }
    }

    package mutating func update(_ bytes: [UInt8]) {
        guard !bytes.isEmpty else { return }
        bytes.withUnsafeBytes { update($0) }
    }

    package mutating func update(_ bytes: UnsafeRawBufferPointer) {
        CRC32C.tables.withUnsafeBufferPointer { tables in
            var position = 0
            while bytes.count - position >= 8 {
                let word = UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: position, as: UInt64.self))
                state = CRC32C.step(state, word, tables)
                position += 8
            }
            while position < bytes.count {
                state = tables[Int((state ^ UInt32(bytes[position])) & 0xff)] ^ (state >> 8)
                position += 1
            }
        }
    }

    private static func step(_ state: UInt32, _ word: UInt64, _ tables: UnsafeBufferPointer<UInt32>) -> UInt32 {
        let mixed = word ^ UInt64(state)
        var result: UInt32 = 0
        for byte in 0..<8 {
            result ^= tables[(7 - byte) * 256 + Int((mixed >> (UInt64(byte) * 8)) & 0xff)]
        }
        return result
    }

    /// Eight tables of 256: the effect of a byte that has 0 to 7 bytes behind it.
    private static let tables: [UInt32] = {
        var tables = [UInt32](repeating: 0, count: 8 * 256)
        for byte in 0..<256 {
            var crc = UInt32(byte)
            for _ in 0..<8 { crc = crc & 1 == 1 ? (crc >> 1) ^ 0x82F6_3B78 : crc >> 1 }
            tables[byte] = crc
        }
        for table in 1..<8 {
            for byte in 0..<256 {
                let previous = tables[(table - 1) * 256 + byte]
                tables[table * 256 + byte] = tables[Int(previous & 0xff)] ^ (previous >> 8)
            }
        }
        return tables
    }()
}
