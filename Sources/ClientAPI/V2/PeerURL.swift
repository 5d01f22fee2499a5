/// The checks of a peer URL that comes by the API, with etcd's words (cluster.md §5).
///
/// What passes is printable ASCII, so it can stand in a line of the log's entries and of anybody's log file.
enum PeerURL {
    static func trimmed(_ text: String) -> String {
        let rest = text.drop(while: \.isWhitespace)
        guard let last = rest.lastIndex(where: { !$0.isWhitespace }) else { return "" }
        return String(rest[...last])
    }

    /// Nil when the URL will do.
    static func refusal(_ url: String) -> String? {
        let bytes = Array(url.utf8)
        if bytes.contains(where: { $0 < 0x20 || $0 == 0x7f }) {
            return "parse \(quoted(url)): net/url: invalid control character in URL"
        }
        let scheme = String(decoding: bytes.prefix { isSchemeByte($0) }, as: UTF8.self).lowercased()
        let afterScheme = bytes.dropFirst(scheme.utf8.count)
        let isScheme = afterScheme.first == colon && bytes.first.map { ($0 | 0x20) >= UInt8(ascii: "a") } == true
        guard isScheme else {
            let isPath = bytes.prefix { $0 != slash }.contains(colon)
            if isPath { return "parse \(quoted(url)): first path segment in URL cannot contain colon" }
            return "URL scheme must be http, https, unix, or unixs: \(url)"
        }
        guard ["http", "https", "unix", "unixs"].contains(scheme) else {
            return "URL scheme must be http, https, unix, or unixs: \(url)"
        }
        let formProblem = "URL address does not have the form \"host:port\": \(url)"
        guard afterScheme.starts(with: "://".utf8) else { return formProblem }
        let rest = afterScheme.dropFirst(3)
        let address = Array(rest.prefix { !"/?#".utf8.contains($0) })
        if !address.allSatisfy(isAddressByte) { return "parse \(quoted(url)): invalid character in host name" }
        if scheme.hasPrefix("http") {
            guard let (host, port) = split(address), !host.isEmpty, !port.isEmpty else { return formProblem }
            guard let number = UInt16(port), number > 0, port.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else {
                return "parse \(quoted(url)): invalid port \(quoted(":" + port)) after host"
            }
        }
        return rest.count == address.count ? nil : "URL must not contain a path: \(url)"
    }

    private static let colon = UInt8(ascii: ":")
    private static let slash = UInt8(ascii: "/")

    /// `host:port`, with an IPv6 address in brackets; nil when it is not of that form.
    private static func split(_ address: [UInt8]) -> (host: String, port: String)? {
        guard let last = address.lastIndex(of: colon) else { return nil }
        let host = address[..<last]
        let isBracketed = host.first == UInt8(ascii: "[") && host.last == UInt8(ascii: "]")
        guard isBracketed || !host.contains(colon) else { return nil }
        return (String(decoding: host, as: UTF8.self), String(decoding: address[(last + 1)...], as: UTF8.self))
    }

    private static func isSchemeByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "+"), UInt8(ascii: "-"), UInt8(ascii: "."):
            true
        default: false
        }
    }

    private static func isAddressByte(_ byte: UInt8) -> Bool { (0x21..<0x7f).contains(byte) && byte != UInt8(ascii: "\"") }

    private static func quoted(_ text: String) -> String {
        var result = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"", "\\": result += "\\" + String(scalar)
            case "\n": result += "\\n"
            case "\r": result += "\\r"
            case "\t": result += "\\t"
            case _ where scalar.value < 0x20 || scalar.value == 0x7f:
                result += (scalar.value < 0x10 ? "\\x0" : "\\x") + String(scalar.value, radix: 16)
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result + "\""
    }
}
