import NIOCore

/// The verbs the APIs know; everything else is a well-formed token that nobody serves.
package enum HTTPVerb: Sendable {
    case get, head, put, post, delete, options, other
}

/// One request with its whole body.
///
/// The bytes are slices of what was read from the socket: nothing is copied until someone asks for it.
package struct HTTPRequest {
    package enum BodyState: Sendable {
        case none
        case complete
        /// Longer than `HTTPServerLimits.bodyBytesMax`; `body` is empty.
        case tooLarge
    }

    package let verb: HTTPVerb
    package let isKeepAlive: Bool
    package var body = ByteBuffer()
    package var bodyState = BodyState.none
    /// The peer as text, `127.0.0.1:1234`; `@` for a unix socket.
    package var remoteAddress: [UInt8] = []
    package var isEncrypted = false
    /// The common name of the certificate that the client has shown and that was verified; empty for none, and where none is required.
    package var commonName: [UInt8] = []

    /// The head without its first byte's history: offsets below count from its reader index.
    let head: ByteBuffer
    let fields: HeadFields

    init(verb: HTTPVerb, isKeepAlive: Bool, head: ByteBuffer, fields: HeadFields) {
        self.verb = verb
        self.isKeepAlive = isKeepAlive
        self.head = head
        self.fields = fields
    }

    /// What holding it costs.
    package var byteCount: Int { head.readableBytes + body.readableBytes }

    /// The request target as it was sent, such as `/v2/keys/a?wait=true`; never empty, no blank and no control
    /// character in it.
    package func withTarget<Value>(_ body: (Span<UInt8>) -> Value) -> Value {
        body(head.readableBytesUInt8Span.extracting(fields.target))
    }

    /// The value of the first such field, without blanks around it; nil when the field was not sent.
    package func withField<Value>(_ field: HTTPField, _ body: (Span<UInt8>) -> Value) -> Value? {
        guard let range = fields[field] else { return nil }
        return body(head.readableBytesUInt8Span.extracting(range))
    }

    /// Whether the first such field was sent with exactly this value. How long it takes tells nothing of where they differ.
    package func has(_ field: HTTPField, _ value: [UInt8]) -> Bool {
        withField(field) { span in
            guard span.count == value.count else { return false }
            var difference: UInt8 = 0
            for index in span.indices { difference |= span[index] ^ value[index] }
            return difference == 0
        } ?? false
    }

    package func bytes(of field: HTTPField) -> [UInt8]? {
        withField(field) { span in
            var copy: [UInt8] = []
            copy.reserveCapacity(span.count)
            for index in span.indices { copy.append(span[index]) }
            return copy
        }
    }
}

/// The fields that responders may ask for; the parser keeps where they are and forgets all others.
package enum HTTPField: Sendable {
    case host, contentType, origin, authorization
}

/// Where things are in a head, as offsets from its first byte.
struct HeadFields {
    var target = 0..<0
    var host: Range<Int>?
    var contentType: Range<Int>?
    var origin: Range<Int>?
    var authorization: Range<Int>?

    subscript(field: HTTPField) -> Range<Int>? {
        switch field {
        case .host: host
        case .contentType: contentType
        case .origin: origin
        case .authorization: authorization
        }
    }
}
