/// One spelling for all spellings of a host, and of a member's URL: `[::1]` and `[0:0:0:0:0:0:0:1]` are one place.
///
/// For comparing only. What was written stays as it was written: ids of members are computed from it. A name is not its address, not
/// even `localhost`; who knows a name server may compare further.
package enum HostSpelling {
    /// Of `scheme://host:port`; other texts, such as paths of sockets, are themselves.
    package static func canonical(url: String) -> String {
        let bytes = Array(url.utf8)
        guard let colon = bytes.firstIndex(of: UInt8(ascii: ":")), bytes[colon...].starts(with: "://".utf8),
            let last = bytes.lastIndex(of: UInt8(ascii: ":")), last > colon
        else { return url }
        let scheme = lowercased(bytes[..<colon])
        guard scheme == "http" || scheme == "https", let port = UInt16(String(decoding: bytes[(last + 1)...], as: UTF8.self)) else {
            return url
        }
        var host = bytes[(colon + 3)..<last]
        if host.first == UInt8(ascii: "["), host.last == UInt8(ascii: "]") { host = host.dropFirst().dropLast() }
        return scheme + "://" + canonical(host: String(decoding: host, as: UTF8.self)) + ":\(port)"
    }

    /// - Parameter host: IPv6 without brackets.
    /// - Returns: `a.b.c.d` for IPv4, also when it is written as an IPv6 address; eight groups in brackets for IPv6; else the name in lower
    ///   case without the dot that may end it.
    package static func canonical(host: String) -> String {
        let bytes = Array(host.utf8)
        if let address = ipv4(bytes[...], isExact: false) { return dotted(address) }
        if let address = ipv6(bytes) {
            if address.prefix(5).allSatisfy({ $0 == 0 }), address[5] == 0xffff {
                return dotted([address[6] >> 8, address[6] & 0xff, address[7] >> 8, address[7] & 0xff].map { UInt8($0) })
            }
            return "[" + address.map { String($0, radix: 16) }.joined(separator: ":") + "]"
        }
        return lowercased(bytes.last == UInt8(ascii: ".") ? bytes.dropLast() : bytes[...])
    }

    private static func dotted(_ bytes: [UInt8]) -> String { bytes.map { String($0) }.joined(separator: ".") }

    private static func lowercased(_ bytes: ArraySlice<UInt8>) -> String {
        String(decoding: bytes.map { (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains($0) ? $0 | 0x20 : $0 }, as: UTF8.self)
    }

    /// The forms that a resolver reads (inet_aton(3)): one to four numbers, decimal, octal with a leading 0 or hexadecimal with 0x; the last
    /// one fills the bytes that are left.
    ///
    /// - Parameter isExact: four decimal numbers, as they end an IPv6 address.
    private static func ipv4(_ text: ArraySlice<UInt8>, isExact: Bool) -> [UInt8]? {
        let parts = text.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        guard isExact ? parts.count == 4 : (1...4).contains(parts.count), let last = parts.last else { return nil }
        var address: [UInt8] = []
        for part in parts.dropLast() {
            guard let value = number(part, isDecimal: isExact), let byte = UInt8(exactly: value) else { return nil }
            address.append(byte)
        }
        guard let rest = number(last, isDecimal: isExact) else { return nil }
        let room = 4 - address.count
        guard rest >> (8 * UInt64(room)) == 0 else { return nil }
        for place in (0..<room).reversed() { address.append(UInt8(truncatingIfNeeded: rest >> (8 * UInt64(place)))) }
        return address
    }

    /// Up to 32 bits.
    private static func number(_ text: ArraySlice<UInt8>, isDecimal: Bool) -> UInt64? {
        var digits = text
        var radix: UInt64 = 10
        if digits.first == UInt8(ascii: "0"), digits.count > 1 {
            if isDecimal { return nil }
            digits = digits.dropFirst()
            radix = 8
            if digits.first.map({ $0 | 0x20 }) == UInt8(ascii: "x") {
                digits = digits.dropFirst()
                radix = 16
            }
        }
        guard !digits.isEmpty, digits.count <= 16 else { return nil }
        var value: UInt64 = 0
        for byte in digits {
            guard let digit = hexadecimal(byte), digit < radix else { return nil }
            value = value &* radix &+ digit
            guard value <= UInt64(UInt32.max) else { return nil }
        }
        return value
    }

    /// Eight groups (RFC 4291 §2.2).
    private static func ipv6(_ text: [UInt8]) -> [UInt16]? {
        let colon = UInt8(ascii: ":")
        guard text.contains(colon) else { return nil }
        var gap: Int?
        for place in text.indices.dropLast() where text[place] == colon && text[place + 1] == colon {
            if gap != nil { return nil }
            gap = place
        }
        guard let gap else { return groups(text[...]).flatMap { $0.count == 8 ? $0 : nil } }
        guard let head = groups(text[..<gap]), let tail = groups(text[(gap + 2)...]), head.count + tail.count < 8 else { return nil }
        return head + [UInt16](repeating: 0, count: 8 - head.count - tail.count) + tail
    }

    private static func groups(_ text: ArraySlice<UInt8>) -> [UInt16]? {
        guard !text.isEmpty else { return [] }
        var groups: [UInt16] = []
        let parts = text.split(separator: UInt8(ascii: ":"), omittingEmptySubsequences: false)
        for (position, part) in parts.enumerated() {
            if position == parts.count - 1, part.contains(UInt8(ascii: ".")) {
                guard let bytes = ipv4(part, isExact: true) else { return nil }
                groups += [UInt16(bytes[0]) << 8 | UInt16(bytes[1]), UInt16(bytes[2]) << 8 | UInt16(bytes[3])]
            } else {
                guard (1...4).contains(part.count) else { return nil }
                var value: UInt16 = 0
                for byte in part {
                    guard let digit = hexadecimal(byte) else { return nil }
                    value = value << 4 | UInt16(digit)
                }
                groups.append(value)
            }
        }
        return groups
    }

    private static func hexadecimal(_ byte: UInt8) -> UInt64? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): UInt64(byte - UInt8(ascii: "0"))
        case UInt8(ascii: "a")...UInt8(ascii: "f"): UInt64(byte - UInt8(ascii: "a")) + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): UInt64(byte - UInt8(ascii: "A")) + 10
        default: nil
        }
    }
}
