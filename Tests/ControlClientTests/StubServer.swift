import NIOCore
import NIOHTTP1
import NIOPosix
import Synchronization

@testable import HTTPTransport

/// A server in the test's process: it hands each request to a closure and writes the bytes that come back, whatever
/// they are, and closes.
final class StubServer: Sendable {
    struct Request: Sendable, Equatable {
        var line: String
        var body: String
        var authorization: String?
    }

    enum Answer: Sendable {
        case bytes(String)
        case json(Int, String, index: Int = 0)
        /// Never.
        case silence
        /// The rest some time after the beginning.
        case halting(String, rest: String, after: TimeAmount)
    }

    private let channel: any Channel
    private let seen: Log

    final class Log: Sendable {
        let requests = Mutex<[Request]>([])
    }

    var requests: [Request] { seen.requests.withLock { $0 } }
    var lines: [String] { requests.map { $0.body.isEmpty ? $0.line : "\($0.line) \($0.body)" } }
    var port: Int { channel.localAddress?.port ?? 0 }
    var url: String { "http://127.0.0.1:\(port)" }

    private init(channel: any Channel, seen: Log) {
        self.channel = channel
        self.seen = seen
    }

    /// Runs `body` with a server on a free port, or on a socket file.
    @discardableResult
    static func run<Result: Sendable>(
        socketPath: String? = nil, host: String = "127.0.0.1",
        answer: @escaping @Sendable (Request, _ number: Int) -> Answer,
        _ body: (StubServer) async throws -> Result
    ) async throws -> Result {
        let seen = Log()
        let bootstrap = ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(ByteToMessageHandler(HTTPRequestDecoder()))
                    try channel.pipeline.syncOperations.addHandler(Handler(seen: seen, answer: answer))
                }
            }
        let channel =
            if let socketPath {
                try await bootstrap.bind(unixDomainSocketPath: socketPath).get()
            } else {
                try await bootstrap.bind(host: host, port: 0).get()
            }
        let server = StubServer(channel: channel, seen: seen)
        let result: Result
        do {
            result = try await body(server)
        } catch {
            try await channel.close()
            throw error
        }
        try await channel.close()
        return result
    }

    private final class Handler: ChannelInboundHandler {
        typealias InboundIn = HTTPServerRequestPart
        typealias OutboundOut = ByteBuffer

        private let seen: Log
        private let answer: @Sendable (Request, Int) -> Answer
        private var request = Request(line: "", body: "")

        init(seen: Log, answer: @escaping @Sendable (Request, Int) -> Answer) {
            self.seen = seen
            self.answer = answer
        }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            switch unwrapInboundIn(data) {
            case .head(let head):
                request.line = "\(head.method.rawValue) \(head.uri)"
                request.authorization = head.headers.first(name: "Authorization")
            case .body(let buffer): request.body += String(buffer: buffer)
            case .end:
                let number = seen.requests.withLock { requests in
                    requests.append(request)
                    return requests.count
                }
                write(answer(request, number), context: context)
            }
        }

        private func write(_ answer: Answer, context: ChannelHandlerContext) {
            let text: String
            switch answer {
            case .silence: return
            case .halting(let beginning, let rest, let pause):
                context.writeAndFlush(wrapOutboundOut(ByteBuffer(string: beginning)), promise: nil)
                context.eventLoop.assumeIsolated().scheduleTask(in: pause) {
                    self.write(.bytes(rest), context: context)
                }
                return
            case .bytes(let bytes): text = bytes
            case .json(let status, let body, let index):
                text = """
                    HTTP/1.1 \(status) X\r\nX-Etcd-Index: \(index)\r
                    Content-Length: \(body.utf8.count)\r\n\r\n\(body)
                    """
            }
            let channel = context.channel
            context.writeAndFlush(wrapOutboundOut(ByteBuffer(string: text))).whenComplete { _ in
                channel.close(promise: nil)
            }
        }

        func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
    }
}

/// A port on which nobody listens: one that was free a moment ago.
func closedPort() async throws -> Int {
    let channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
        .bind(host: "127.0.0.1", port: 0).get()
    let port = channel.localAddress?.port ?? 0
    try await channel.close()
    return port
}
