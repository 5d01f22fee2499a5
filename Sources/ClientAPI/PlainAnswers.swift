import HTTPTransport
import NIOCore

/// Answers of the HTTP layer that every path shares (v2-keys.md §1, 2).
enum PlainAnswers {
    static let notFoundBody = ByteBuffer(string: "404 page not found\n")
    static let methodBody = ByteBuffer(string: "Method Not Allowed\n")
    static let badRequestBody = ByteBuffer(string: "400 Bad Request")

    static func notFound(_ exchange: HTTPExchange) {
        exchange.respond(.notFound, .text, body: notFoundBody, fields: addNoSniff)
    }

    /// - Parameter allowed: Nil where etcd sends no `Allow`.
    static func methodNotAllowed(_ exchange: HTTPExchange, allowed: StaticString?, clusterID: ByteBuffer? = nil) {
        exchange.respond(.methodNotAllowed, .text, body: methodBody) { fields in
            if let allowed {
                fields.writeStaticString("Allow: ")
                fields.writeStaticString(allowed)
                fields.writeStaticString("\r\n")
            }
            if let clusterID { fields.writeImmutableBuffer(clusterID) }
            addNoSniff(&fields)
        }
    }

    static func badRequest(_ exchange: HTTPExchange) {
        exchange.respondAndClose(.badRequest, .text, body: badRequestBody)
    }

    /// Only GET gets a body, only GET and HEAD a content type (v2-keys.md §2).
    static func redirect(_ exchange: HTTPExchange, verb: HTTPVerb, to location: [UInt8]) {
        var body = ByteBuffer()
        if verb == .get || verb == .head {
            body.writeStaticString("<a href=\"")
            for byte in location {
                switch byte {
                case UInt8(ascii: "&"): body.writeStaticString("&amp;")
                case UInt8(ascii: "<"): body.writeStaticString("&lt;")
                case UInt8(ascii: ">"): body.writeStaticString("&gt;")
                case UInt8(ascii: "\""): body.writeStaticString("&#34;")
                case UInt8(ascii: "'"): body.writeStaticString("&#39;")
                default: body.writeInteger(byte)
                }
            }
            body.writeStaticString("\">Moved Permanently</a>.\n\n")
        }
        exchange.respond(.movedPermanently, verb == .get || verb == .head ? .html : nil, body: body) { fields in
            // The path is escaped, and the target of a request has no blank and no control character.
            fields.writeStaticString("Location: ")
            fields.writeBytes(location)
            fields.writeStaticString("\r\n")
        }
    }

    /// The `Host` is not on the list (server.md §5.4): a page of another site may have been tricked into calling us.
    static func unknownHost(_ exchange: HTTPExchange, host: [UInt8]) {
        var body = ByteBuffer()
        body.writeStaticString("\netcd received your request, but the Host header was unrecognized.\n\n")
        body.writeStaticString("To fix this, choose one of the following options:\n")
        body.writeStaticString("- Enable TLS, then any HTTPS request will be allowed.\n")
        body.writeStaticString("- Add the hostname you want to use to the whitelist in settings.\n")
        body.writeStaticString("  - e.g. etcd --host-whitelist \"")
        body.writeBytes(host.filter { $0 > 0x20 && $0 < 0x7f && $0 != UInt8(ascii: "\"") })
        body.writeStaticString("\"\n\nThis requirement has been added to help prevent \"DNS Rebinding\" attacks ")
        body.writeStaticString("(CVE-2018-5702).\n\n")
        exchange.respond(.misdirectedRequest, .text, body: body, fields: addNoSniff)
    }

    /// Without the cluster's id, as etcd answers whoever lacks the rights (v2-keys.md §16).
    static func insufficientCredentials(_ exchange: HTTPExchange) {
        message(exchange, .unauthorized, "Insufficient credentials")
    }

    static func addNoSniff(_ fields: inout ByteBuffer) {
        fields.writeStaticString("X-Content-Type-Options: nosniff\r\n")
    }

    static func json(_ exchange: HTTPExchange, _ status: HTTPStatus, _ body: ByteBuffer, clusterID: ByteBuffer? = nil) {
        exchange.respond(status, .json, body: body) { fields in
            if let clusterID { fields.writeImmutableBuffer(clusterID) }
        }
    }

    /// `{"message":"..."}` without a newline, as `/v2/members` and others refuse.
    static func message(
        _ exchange: HTTPExchange, _ status: HTTPStatus, _ text: [UInt8], clusterID: ByteBuffer? = nil
    ) {
        var body = ByteBuffer()
        body.writeStaticString("{\"message\":")
        body.writeJSONString(text)
        body.writeStaticString("}")
        json(exchange, status, body, clusterID: clusterID)
    }

    static func message(
        _ exchange: HTTPExchange, _ status: HTTPStatus, _ text: String, clusterID: ByteBuffer? = nil
    ) {
        message(exchange, status, Array(text.utf8), clusterID: clusterID)
    }
}
