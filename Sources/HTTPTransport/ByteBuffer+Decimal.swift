import NIOCore

extension ByteBuffer {
    /// Writes the number in decimal digits, without going through a `String`.
    package mutating func writeDecimal(_ number: UInt64) {
        var count = 1
        var rest = number / 10
        while rest > 0 {
            count += 1
            rest /= 10
        }
        writeWithUnsafeMutableBytes(minimumWritableBytes: count) { bytes in
            // The loop ends with `count` places filled, and at least that many were asked for.
            var rest = number
            for place in stride(from: count - 1, through: 0, by: -1) {
                bytes[place] = UInt8(ascii: "0") + UInt8(truncatingIfNeeded: rest % 10)
                rest /= 10
            }
            return count
        }
    }

    package mutating func writeDecimal(_ number: Int64) {
        if number < 0 { writeInteger(UInt8(ascii: "-")) }
        writeDecimal(number.magnitude)
    }

    /// Without leading zeros, as etcd writes its ids.
    package mutating func writeHexadecimal(_ number: UInt64) {
        let digits = max(1, (67 - number.leadingZeroBitCount) / 4)
        for place in stride(from: digits - 1, through: 0, by: -1) {
            let digit = UInt8(truncatingIfNeeded: number >> UInt64(place * 4)) & 0xf
            writeInteger(digit < 10 ? UInt8(ascii: "0") + digit : UInt8(ascii: "a") + digit - 10)
        }
    }
}
