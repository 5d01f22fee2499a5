import HTTPTransport
import NIOCore
import NIOHTTP1

/// Which header fields pass a proxy (RFC 9110 §7.6.1): those of a connection end with it.
enum ForwardedFields {
    private static let ofConnection: Set<String> = [
        "connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "proxy-connection", "te", "trailer", "trailers",
        "transfer-encoding", "upgrade", "content-length", "expect",
    ]
    /// The proxy speaks for itself there: a browser refuses an answer that says it twice.
    private static let ofAnswer: Set<String> = [
        "date", "access-control-allow-headers", "access-control-allow-methods", "access-control-allow-origin",
    ]

    /// What a member is sent.
    static func head(of request: HTTPRequest, bodyBytes: Int) -> HTTPRequestHead {
        let fields = request.allFields
        let named = named(in: fields.map { ($0.name, $0.value) })
        var headers = HTTPHeaders()
        var forwardedFor: [String] = []
        for (name, value) in fields {
            let plain = name.lowercased()
            if plain == "x-forwarded-for" {
                forwardedFor.append(value)
            } else if !ofConnection.contains(plain), !named.contains(plain) {
                headers.add(name: name, value: value)
            }
        }
        if let client = address(of: request.remoteAddress) { forwardedFor.append(client) }
        if !forwardedFor.isEmpty { headers.add(name: "X-Forwarded-For", value: forwardedFor.joined(separator: ", ")) }
        switch request.verb {
        case .get, .head, .delete, .options: if bodyBytes > 0 { headers.add(name: "Content-Length", value: String(bodyBytes)) }
        case .put, .post, .other: headers.add(name: "Content-Length", value: String(bodyBytes))
        }
        return HTTPRequestHead(version: .http1_1, method: HTTPMethod(rawValue: request.method), uri: target(of: request), headers: headers)
    }

    /// As it came, but for bytes that no target has (RFC 3986 §2): a server of etcd takes them, and means their escapes.
    private static func target(of request: HTTPRequest) -> String {
        request.withTarget { bytes in
            var text: [UInt8] = []
            text.reserveCapacity(bytes.count)
            for place in bytes.indices {
                let byte = bytes[place]
                if byte > 0x20, byte < 0x7f, !"\"<>\\^`{|}".utf8.contains(byte) {
                    text.append(byte)
                } else {
                    text.append(UInt8(ascii: "%"))
                    for digit in [byte >> 4, byte & 15] { text.append(digit < 10 ? 48 + digit : 55 + digit) }
                }
            }
            return String(decoding: text, as: UTF8.self)
        }
    }

    /// Writes what a client is sent of an answer's fields.
    static func write(_ headers: HTTPHeaders, into lines: inout ByteBuffer) {
        let named = named(in: headers.map { ($0.name, $0.value) })
        for (name, value) in headers {
            let plain = name.lowercased()
            if ofConnection.contains(plain) || ofAnswer.contains(plain) || named.contains(plain) { continue }
            // The parser of answers lets no line end pass; that nothing else may end a line is not its word alone to give.
            guard !value.utf8.contains(where: { $0 == 10 || $0 == 13 || $0 == 0 }) else { continue }
            lines.writeString(name)
            lines.writeStaticString(": ")
            lines.writeString(value)
            lines.writeStaticString("\r\n")
        }
    }

    /// Fields that `Connection` names are of the connection, too.
    private static func named(in fields: [(String, String)]) -> Set<String> {
        var names: Set<String> = []
        for (name, value) in fields where name.lowercased() == "connection" {
            for word in value.split(separator: ",") { names.insert(word.filter { $0 != " " && $0 != "\t" }.lowercased()) }
        }
        // A client could make the member take the request for another's.
        names.subtract(["host", "authorization", "content-type", "x-forwarded-for"])
        return names
    }

    /// `127.0.0.1:1234` and `[::1]:1234` without the port; nil for a client of a socket file.
    private static func address(of client: [UInt8]) -> String? {
        guard let colon = client.lastIndex(of: UInt8(ascii: ":")) else { return nil }
        return String(decoding: client[..<colon].filter { $0 != UInt8(ascii: "[") && $0 != UInt8(ascii: "]") }, as: UTF8.self)
    }
}
