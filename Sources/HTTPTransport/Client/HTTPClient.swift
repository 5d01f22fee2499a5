import NIOCore
import NIOHTTP1
import NIOPosix
import TLS

/// A small HTTP/1.1 client: one connection a request, no redirects, no reuse.
package struct HTTPClient: Sendable {
    let eventLoop: any EventLoop
    let tls: TLSPolicy

    /// - Parameters:
    ///   - eventLoop: carries all connections; it stays its owner's to shut down.
    ///   - tls: for `https` and `unixs`: whom to trust, and what to show.
    package init(eventLoop: any EventLoop, tls: TLSPolicy = .system) {
        self.eventLoop = eventLoop
        self.tls = tls
    }

    /// The same with other files.
    package func with(_ tls: TLSPolicy) -> HTTPClient { HTTPClient(eventLoop: eventLoop, tls: tls) }

    /// Sends a request and collects the answer.
    ///
    /// - Parameter bodyBytesMax: a longer body is `bodyTooLarge`.
    /// - Throws: `HTTPClientError`, or `CancellationError` when the task is cancelled.
    package func response(
        to request: HTTPClientRequest, bodyBytesMax: Int = 64 << 20
    ) async throws -> HTTPClientResponse {
        try await withResponse(to: request) { head, body in
            var collected: [UInt8] = []
            for try await chunk in body {
                guard chunk.count <= bodyBytesMax - collected.count else {
                    throw HTTPClientError.bodyTooLarge(bytesMax: bodyBytesMax)
                }
                collected.append(contentsOf: chunk)
            }
            return HTTPClientResponse(status: head.status, headers: head.headers, body: collected)
        }
    }

    /// Sends a request and hands over the head and the body as it comes. The connection lives as long as `consume`
    /// runs; a consumer that is slow slows the server down, so memory stays bounded whatever the length.
    ///
    /// - Throws: `HTTPClientError`, `CancellationError`, or what `consume` throws.
    package func withResponse<Result: Sendable>(
        to request: HTTPClientRequest,
        _ consume: (HTTPClientResponseHead, HTTPClientBody) async throws -> Result
    ) async throws -> Result {
        let start = NIODeadline.now()
        let channel = try await connect(request, start: start)
        return try await channel.executeThenClose { inbound, outbound in
            // A server may answer and close before it has read everything, and then only this side's write fails.
            // The reading side always learns why, so a failed write needs no report of its own.
            try? await outbound.write(contentsOf: Self.parts(of: request))
            var iterator = inbound.makeAsyncIterator()
            guard case .head(let head)? = try await iterator.next() else {
                try Task.checkCancellation()
                throw HTTPClientError.closedEarly(headReceived: false)
            }
            return try await consume(HTTPClientResponseHead(head), HTTPClientBody(iterator))
        }
    }

    private typealias AsyncChannel = NIOAsyncChannel<HTTPClientResponsePart, HTTPClientRequestPart>

    private func connect(_ request: HTTPClientRequest, start: NIODeadline) async throws -> AsyncChannel {
        let deadlines = request.deadlines
        let watch = HTTPResponseWatch.Deadlines(
            head: deadlines.head.map { start + TimeAmount($0) },
            total: deadlines.total.map { start + TimeAmount($0) },
            handshake: request.url.isEncrypted ? start + TimeAmount(deadlines.connect) : nil,
            address: request.url.address.description)
        let limits: [(Duration, HTTPClientError.Phase)] = [
            (deadlines.connect, .connect), deadlines.head.map { ($0, .head) }, deadlines.total.map { ($0, .total) },
        ].compactMap { $0 }
        let (timeout, phase) = limits.min { $0.0 < $1.0 } ?? (deadlines.connect, .connect)
        let bootstrap = ClientBootstrap(group: eventLoop).connectTimeout(TimeAmount(timeout))
            .channelOption(.tcpOption(.tcp_nodelay), value: 1)
        let (url, tls) = (request.url, tls)
        @Sendable func initialize(_ channel: any Channel) -> EventLoopFuture<AsyncChannel> {
            channel.eventLoop.makeCompletedFuture {
                if let target = url.tunnelled {
                    try channel.pipeline.syncOperations.addHandler(
                        ProxyTunnel(to: target, by: url.address, until: start + TimeAmount(deadlines.connect)))
                }
                if url.isEncrypted { try channel.pipeline.syncOperations.addHandler(tls.clientHandler(to: url.serverName)) }
                try channel.pipeline.syncOperations.addHTTPClientHandlers()
                try channel.pipeline.syncOperations.addHandler(HTTPResponseWatch(watch))
                return try AsyncChannel(wrappingChannelSynchronously: channel)
            }
        }
        do {
            switch request.url.address {
            case .host(let host, let port):
                return try await bootstrap.connect(host: host, port: port, channelInitializer: initialize)
            case .unixSocket(let path):
                return try await ClientBootstrap(group: eventLoop).connectTimeout(TimeAmount(timeout))
                    .connect(unixDomainSocketPath: path, channelInitializer: initialize)
            }
        } catch let error as CancellationError {
            throw error
        } catch {
            throw HTTPClientError(connecting: error, to: request.url.address, limitedBy: phase)
        }
    }

    private static func parts(of request: HTTPClientRequest) -> [HTTPClientRequestPart] {
        var headers = HTTPHeaders([("Host", request.url.hostHeader)])
        for field in request.headers.fields { headers.add(name: field.name, value: field.value) }
        if let body = request.body { headers.replaceOrAdd(name: "Content-Length", value: String(body.count)) }
        headers.replaceOrAdd(name: "Connection", value: "close")
        let target = request.url.target.isEmpty ? "/" : request.url.target
        let head = HTTPRequestHead(
            version: .http1_1, method: HTTPMethod(rawValue: request.method), uri: target, headers: headers)
        guard let body = request.body, !body.isEmpty else { return [.head(head), .end(nil)] }
        return [.head(head), .body(.byteBuffer(ByteBuffer(bytes: body))), .end(nil)]
    }
}

/// The body of an answer as it arrives: chunks of any size, then the end. Can be iterated once.
package struct HTTPClientBody: AsyncSequence {
    package typealias Element = [UInt8]

    private let parts: NIOAsyncChannelInboundStream<HTTPClientResponsePart>.AsyncIterator

    fileprivate init(_ parts: NIOAsyncChannelInboundStream<HTTPClientResponsePart>.AsyncIterator) {
        self.parts = parts
    }

    package func makeAsyncIterator() -> AsyncIterator { AsyncIterator(parts: parts) }

    package struct AsyncIterator: AsyncIteratorProtocol {
        fileprivate var parts: NIOAsyncChannelInboundStream<HTTPClientResponsePart>.AsyncIterator

        package mutating func next() async throws -> [UInt8]? {
            while let part = try await parts.next() {
                switch part {
                case .head: continue
                case .body(let buffer): return Array(buffer.readableBytesView)
                case .end: return nil
                }
            }
            try Task.checkCancellation()
            throw HTTPClientError.closedEarly(headReceived: true)
        }
    }
}

extension HTTPClientResponseHead {
    fileprivate init(_ head: HTTPResponseHead) {
        var headers = HTTPClientHeaders()
        for (name, value) in head.headers { headers.append(name, value) }
        self.init(status: Int(head.status.code), reason: head.status.reasonPhrase, headers: headers)
    }
}
