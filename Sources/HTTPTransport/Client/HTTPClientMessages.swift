/// A request with its deadlines. Each connection carries one request; its body is in memory.
package struct HTTPClientRequest: Sendable {
    package var method: String
    package var url: HTTPURL
    /// `Host`, `Content-Length` and `Connection` are added by the client.
    package var headers: HTTPClientHeaders
    /// Nil sends no `Content-Length` at all; an empty array sends 0.
    package var body: [UInt8]?
    package var deadlines: HTTPClientDeadlines

    package init(
        method: String, url: HTTPURL, headers: HTTPClientHeaders = HTTPClientHeaders(), body: [UInt8]? = nil,
        deadlines: HTTPClientDeadlines = HTTPClientDeadlines()
    ) {
        self.method = method
        self.url = url
        self.headers = headers
        self.body = body
        self.deadlines = deadlines
    }
}

/// How long to wait, each counted from the start of the request.
package struct HTTPClientDeadlines: Equatable, Sendable {
    /// Until there is a connection, looking the name up included.
    package var connect: Duration
    /// Until the head of the answer; nil waits for ever.
    package var head: Duration?
    /// Until the end of the answer; nil waits for ever.
    package var total: Duration?

    package init(connect: Duration = .seconds(30), head: Duration? = nil, total: Duration? = nil) {
        self.connect = connect
        self.head = head
        self.total = total
    }
}

/// Header fields in the order of the message. Names compare without regard to case.
package struct HTTPClientHeaders: Sendable, ExpressibleByDictionaryLiteral {
    package private(set) var fields: [(name: String, value: String)] = []

    package init() {}

    package init(dictionaryLiteral elements: (String, String)...) {
        for (name, value) in elements { append(name, value) }
    }

    package mutating func append(_ name: String, _ value: String) {
        fields.append((name: name, value: value))
    }

    /// The first value of that name.
    package subscript(name: String) -> String? {
        let wanted = name.lowercased()
        return fields.first { $0.name.lowercased() == wanted }?.value
    }
}

/// The head of an answer.
package struct HTTPClientResponseHead: Sendable {
    package let status: Int
    package let reason: String
    package let headers: HTTPClientHeaders
}

/// A complete answer.
package struct HTTPClientResponse: Sendable {
    package let status: Int
    package let headers: HTTPClientHeaders
    package let body: [UInt8]
}
