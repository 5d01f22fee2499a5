/// A user and a password as HTTP Basic sends them (RFC 7617).
struct BasicCredentials: Equatable {
    var user: [UInt8]
    var password: [UInt8]

    /// Nil for another scheme, and for what is not base64 of `user:password`. The scheme may be in any case.
    init?(_ field: [UInt8]) {
        let scheme = Array("basic ".utf8)
        guard field.count > scheme.count,
            zip(field, scheme).allSatisfy({ $0 == $1 || ($0 | 0x20) == $1 && $1 != UInt8(ascii: " ") }),
            let text = BasicCredentials.decode(field.dropFirst(scheme.count)), let colon = text.firstIndex(of: UInt8(ascii: ":"))
        else { return nil }
        user = Array(text[..<colon])
        password = Array(text[(colon + 1)...])
    }

    /// Base64 with its padding (RFC 4648 §4); nil when there is anything else.
    private static func decode(_ text: ArraySlice<UInt8>) -> [UInt8]? {
        guard text.count % 4 == 0 else { return nil }
        let padding = text.reversed().prefix { $0 == UInt8(ascii: "=") }.count
        guard padding <= 2 else { return nil }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(text.count / 4 * 3)
        var bits: UInt32 = 0
        var count = 0
        for byte in text.dropLast(padding) {
            guard let value = value(byte) else { return nil }
            bits = bits << 6 | value
            count += 6
            if count >= 8 {
                count -= 8
                bytes.append(UInt8(truncatingIfNeeded: bits >> UInt32(count)))
            }
        }
        return bytes
    }

    private static func value(_ byte: UInt8) -> UInt32? {
        switch byte {
        case UInt8(ascii: "A")...UInt8(ascii: "Z"): UInt32(byte - UInt8(ascii: "A"))
        case UInt8(ascii: "a")...UInt8(ascii: "z"): UInt32(byte - UInt8(ascii: "a")) + 26
        case UInt8(ascii: "0")...UInt8(ascii: "9"): UInt32(byte - UInt8(ascii: "0")) + 52
        case UInt8(ascii: "+"): 62
        case UInt8(ascii: "/"): 63
        default: nil
        }
    }
}
