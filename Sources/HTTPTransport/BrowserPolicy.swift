import NIOCore

/// Which pages of which sites may call: CORS and the check of `Host` (server.md §5.4).
package struct BrowserPolicy {
    /// Nil: every origin.
    private let origins: [[UInt8]]?
    /// Nil: every host. Lower case.
    private let hosts: [[UInt8]]?
    private let everyOrigin: ByteBuffer

    /// - Parameters:
    ///   - list: `*`, or nothing, for all.
    ///   - names: `*`, or nothing, for all.
    package init(origins list: [String], hosts names: [String]) {
        origins = list.isEmpty || list.contains("*") ? nil : list.map { Array($0.utf8) }
        hosts = names.isEmpty || names.contains("*") ? nil : names.map { Array($0.lowercased().utf8) }
        everyOrigin = Self.lines(origin: [UInt8(ascii: "*")])
    }

    /// The CORS lines for this request; none when its origin is not on the list.
    package func fields(for request: HTTPRequest) -> ByteBuffer {
        guard let origins else { return everyOrigin }
        guard let origin = request.bytes(of: .origin), origins.contains(origin) else { return ByteBuffer() }
        return Self.lines(origin: origin)
    }

    /// The host that is not on the list; nil when all is well.
    package func unknownHost(in request: HTTPRequest) -> [UInt8]? {
        guard let hosts, !request.isEncrypted else { return nil }
        let name = Self.withoutPort(request.bytes(of: .host) ?? [])
        return hosts.contains(name.map(Token.lowercased)) ? nil : name
    }

    private static func lines(origin: [UInt8]) -> ByteBuffer {
        var lines = ByteBuffer()
        lines.writeStaticString("Access-Control-Allow-Headers: accept, content-type, authorization\r\n")
        lines.writeStaticString("Access-Control-Allow-Methods: POST, GET, OPTIONS, PUT, DELETE\r\n")
        lines.writeStaticString("Access-Control-Allow-Origin: ")
        lines.writeBytes(origin)
        lines.writeStaticString("\r\n")
        return lines
    }

    /// `[::1]:2379` is `::1`, `a.example:80` is `a.example`.
    private static func withoutPort(_ host: [UInt8]) -> [UInt8] {
        if host.first == UInt8(ascii: "["), let end = host.firstIndex(of: UInt8(ascii: "]")) {
            return Array(host[1..<end])
        }
        guard let colon = host.lastIndex(of: UInt8(ascii: ":")) else { return host }
        return Array(host[..<colon])
    }
}
