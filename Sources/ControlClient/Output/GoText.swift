/// Escapes as Go's `net/url`, `path` and `encoding/json` write them, so that requests and output are etcdctl's.
enum GoText {
    /// Why a text is no peer URL, as etcd's own check of URLs says it; nil when it is one.
    static func problem(ofMemberURL text: String) -> String? {
        guard let scheme = text.firstRange(of: "://").map({ text[..<$0.lowerBound].lowercased() }),
            ["http", "https", "unix", "unixs"].contains(scheme)
        else { return "URL scheme must be http, https, unix, or unixs: \(text)" }
        let rest = text.dropFirst(scheme.count + 3)
        let address = rest.prefix { !"/?#".contains($0) }
        if scheme.hasPrefix("http"), !hasPort(address) { return "URL address does not have the form \"host:port\": \(text)" }
        return rest.count == address.count ? nil : "URL must not contain a path: \(text)"
    }

    /// `host:port`, an IPv6 address in brackets.
    private static func hasPort(_ address: Substring) -> Bool {
        guard let colon = address.lastIndex(of: ":"), UInt16(address[address.index(after: colon)...]) != nil else { return false }
        let host = address[..<colon]
        return host.hasPrefix("[") ? host.hasSuffix("]") : !host.isEmpty && !host.contains(":")
    }

    /// A value in a query or a form: blank becomes `+`.
    static func queryEscaped(_ bytes: some Sequence<UInt8>) -> String {
        escaped(bytes) { isUnreserved($0) ? true : $0 == 0x20 ? nil : false }
    }

    /// A path: these delimiters stay.
    static func pathEscaped(_ path: String) -> String {
        escaped(path.utf8) { isUnreserved($0) || "$&+,/:;=@".utf8.contains($0) }
    }

    /// A rooted path without empty, `.` and `..` parts; a slash at the end stays. `..` cannot leave the root.
    static func cleaned(path: String) -> String {
        var parts: [Substring] = []
        for part in path.split(separator: "/") where part != "." {
            if part == ".." { _ = parts.popLast() } else { parts.append(part) }
        }
        if parts.isEmpty { return "/" }
        return "/" + parts.joined(separator: "/") + (path.hasSuffix("/") ? "/" : "")
    }

    /// A JSON string with its quotes. `<`, `>` and `&` are escaped too.
    static func json(_ text: String) -> String {
        var result = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": result += "\\\""
            case "\\": result += "\\\\"
            case "\n": result += "\\n"
            case "\r": result += "\\r"
            case "\t": result += "\\t"
            case "<", ">", "&", "\u{2028}", "\u{2029}", "\u{0}"..<" ":
                let hex = String(scalar.value, radix: 16)
                result += "\\u" + String(repeating: "0", count: 4 - hex.count) + hex
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result + "\""
    }

    /// - Parameter keeps: true for itself, false for `%XX`, nil for `+`.
    private static func escaped(_ bytes: some Sequence<UInt8>, keeps: (UInt8) -> Bool?) -> String {
        var result = ""
        for byte in bytes {
            switch keeps(byte) {
            case true?: result.unicodeScalars.append(Unicode.Scalar(byte))
            case nil: result += "+"
            case false?:
                let hex = String(byte, radix: 16, uppercase: true)
                result += byte < 16 ? "%0\(hex)" : "%\(hex)"
            }
        }
        return result
    }

    private static func isUnreserved(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x30...0x39, 0x41...0x5a, 0x61...0x7a, 0x2d, 0x5f, 0x2e, 0x7e: true
        default: false
        }
    }
}
