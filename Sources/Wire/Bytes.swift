/// Appends numbers and byte strings in the project's one form: little-endian words, lengths as variable-length integers.
package struct ByteWriter: Sendable {
    package private(set) var bytes: [UInt8] = []

    package init() {}

    package var count: Int { bytes.count }

    /// Forgets what was written; the memory is kept for the next use unless there is more of it than `capacityMax`.
    package mutating func removeAll(keepingUpTo capacityMax: Int) {
        bytes.removeAll(keepingCapacity: bytes.capacity <= capacityMax)
    }

    package mutating func write(_ byte: UInt8) { bytes.append(byte) }

    /// Seven bits a byte, lowest first, high bit set on all but the last.
    package mutating func writeVarint(_ value: UInt64) {
        var rest = value
        while rest >= 0x80 {
            bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        bytes.append(UInt8(truncatingIfNeeded: rest))
    }

    package mutating func write(_ value: UInt64) {
        withUnsafeBytes(of: value.littleEndian) { bytes.append(contentsOf: $0) }
    }

    /// Length, then the bytes.
    package mutating func write(_ string: [UInt8]) {
        writeVarint(UInt64(string.count))
        bytes.append(contentsOf: string)
    }
}

/// Reads what `ByteWriter` wrote. Trusts no length: whatever does not fit is nil.
package struct ByteReader: Sendable {
    private let bytes: [UInt8]
    private var position: Int

    /// - Parameter start: where to begin to read; the end when it lies beyond.
    package init(_ bytes: [UInt8], from start: Int = 0) {
        self.bytes = bytes
        position = min(max(0, start), bytes.count)
    }

    package var isAtEnd: Bool { position == bytes.count }
    /// Bytes not yet read.
    package var remaining: Int { bytes.count - position }

    package mutating func readByte() -> UInt8? {
        guard position < bytes.count else { return nil }
        defer { position += 1 }
        return bytes[position]
    }

    package mutating func readVarint() -> UInt64? {
        var value: UInt64 = 0
        for shift in stride(from: UInt64(0), to: 64, by: 7) {
            guard let byte = readByte() else { return nil }
            // The tenth byte has room for one bit.
            guard shift < 63 || byte <= 1 else { return nil }
            value |= UInt64(byte & 0x7f) << shift
            if byte & 0x80 == 0 { return value }
        }
        return nil
    }

    package mutating func readWord() -> UInt64? {
        guard bytes.count - position >= 8 else { return nil }
        var value: UInt64 = 0
        for offset in 0..<8 { value |= UInt64(bytes[position + offset]) << (UInt64(offset) * 8) }
        position += 8
        return value
    }

    package mutating func readString() -> [UInt8]? {
        guard let count = readVarint(), count <= UInt64(bytes.count - position) else { return nil }
        defer { position += Int(count) }
        return Array(bytes[position..<(position + Int(count))])
    }
}
