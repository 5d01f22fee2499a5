import TestSupport
import Testing
import Wire

@Suite("Numbers and strings as bytes")
struct BytesTests {
    @Test("Golden bytes of words, variable-length integers and strings")
    func golden() {
        var writer = ByteWriter()
        writer.write(UInt8(7))
        writer.write(UInt64(0x0102_0304_0506_0708))
        for number: UInt64 in [0, 127, 128, 300, .max] { writer.writeVarint(number) }
        writer.write(Array("ab".utf8))
        #expect(
            writer.bytes == [
                7, 8, 7, 6, 5, 4, 3, 2, 1, 0, 0x7f, 0x80, 0x01, 0xac, 0x02, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
                0x01, 2, 0x61, 0x62,
            ])
    }

    @Test("What was written is read back, and then there is nothing more", arguments: 1...20)
    func roundTrip(seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        let numbers = (0..<50).map { _ in
            UInt64.random(in: 0...(.max >> UInt64.random(in: 0..<64, using: &generator)), using: &generator)
        }
        var writer = ByteWriter()
        for number in numbers {
            writer.writeVarint(number)
            writer.write(number)
            writer.write([UInt8](repeating: UInt8(truncatingIfNeeded: number), count: Int(number % 40)))
        }
        var reader = ByteReader(writer.bytes)
        for number in numbers {
            #expect(reader.readVarint() == number, "seed \(seed)")
            #expect(reader.readWord() == number, "seed \(seed)")
            #expect(reader.readString()?.count == Int(number % 40), "seed \(seed)")
        }
        #expect(reader.isAtEnd)
        #expect(reader.readByte() == nil && reader.readVarint() == nil && reader.readWord() == nil && reader.readString() == nil)
    }

    @Test("An integer of more than 64 bits, or without an end, is none")
    func hostileIntegers() {
        let ones = [UInt8](repeating: 0xff, count: 9)
        for bytes in [ones + [0x02], ones + [0x7f], ones + [0x81, 0x00], [0x80], []] {
            var reader = ByteReader(bytes)
            #expect(reader.readVarint() == nil, "\(bytes)")
        }
        var most = ByteReader(ones + [0x01])
        #expect(most.readVarint() == .max)
    }

    @Test("A length beyond the end is no string, be it ever so large")
    func hostileLengths() {
        for length: UInt64 in [3, 255, UInt64(Int.max), .max] {
            var writer = ByteWriter()
            writer.writeVarint(length)
            var reader = ByteReader(writer.bytes + [1, 2])
            #expect(reader.readString() == nil, "\(length)")
        }
    }
}
