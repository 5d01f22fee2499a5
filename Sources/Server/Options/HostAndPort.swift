/// `host`, `host:port` or `[ipv6]:port`, with either side possibly empty.
struct HostAndPort: Equatable {
    /// Without brackets.
    let host: String
    /// What follows the last colon; nil without a colon.
    let portText: String?

    /// Nil without a port, and for one that is not a number up to 65535.
    var port: UInt16? {
        guard let portText, portText.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else { return nil }
        return UInt16(portText)
    }

    /// Nil for characters that no host name or address has, and for unbalanced brackets.
    init?(_ text: some StringProtocol) {
        if text.hasPrefix("[") {
            guard let end = text.firstIndex(of: "]") else { return nil }
            host = String(text[text.index(after: text.startIndex)..<end])
            let rest = text[text.index(after: end)...]
            guard rest.isEmpty || rest.hasPrefix(":"), EndpointURL.isAddress(host) else { return nil }
            portText = rest.isEmpty ? nil : String(rest.dropFirst())
        } else {
            let parts = text.split(separator: ":", omittingEmptySubsequences: false)
            guard parts.count <= 2, let first = parts.first else { return nil }
            host = String(first)
            portText = parts.count == 2 ? parts.last.map { String($0) } : nil
            guard host.utf8.allSatisfy(Self.isHostByte) else { return nil }
        }
    }

    /// As it is written in a URL.
    static func bracketed(_ host: String) -> String { host.contains(":") ? "[\(host)]" : host }

    private static func isHostByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "-"), UInt8(ascii: "_"):
            true
        default:
            false
        }
    }
}
