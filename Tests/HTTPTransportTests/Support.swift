import Glibc
import HTTPTransport
import NIOCore
import NIOPosix
import TLS
import TestSupport

/// Answers with what it was asked, or as the target says.
final class EchoResponder: HTTPResponder {
    var held: [HTTPExchange] = []
    var closedCount = 0
    var inputClosedCount = 0
    /// True when a client's end was told while something was pushed to it.
    var wasInterrupted = false
    private var isPushing = false
    var ticks = 0

    func respond(to request: HTTPRequest, on exchange: HTTPExchange) {
        let target = request.withTarget { span in
            String(decoding: span.indices.map { span[$0] }, as: UTF8.self)
        }
        switch target {
        case "/hold":
            exchange.onInputClosed { [self] in inputClosedCount += 1 }
            held.append(exchange)
        case "/release":
            exchange.respond(.ok, .text, body: ByteBuffer(string: "released \(held.count)"))
            for exchange in held { exchange.respond(.ok, .text, body: ByteBuffer(string: "held")) }
            held = []
        case "/stream":
            exchange.startStream(.ok, .json)
            exchange.push(StreamChunk(ByteBuffer(string: "one\n"), allocator: ByteBufferAllocator()))
            exchange.push(StreamChunk(ByteBuffer(string: "two\n"), allocator: ByteBufferAllocator()))
            exchange.endStream()
        case "/watch":
            exchange.onClose { [self] in closedCount += 1 }
            exchange.startStream(.ok, .json)
            held.append(exchange)
        case "/tick", "/large-tick":
            // One chunk and one flush for each stream, as for an event that many watch.
            ticks += 1
            let size = target == "/tick" ? 10 : 100_000
            let chunk = StreamChunk(
                ByteBuffer(repeating: UInt8(ascii: "a") + UInt8(ticks % 26), count: size), allocator: ByteBufferAllocator())
            for exchange in held {
                exchange.push(chunk)
                exchange.flush()
            }
            exchange.respond(.ok, .text, body: ByteBuffer(string: "tick"))
        case "/flood":
            // Until the transport cuts: what a client leaves unread must be bounded.
            exchange.onClose { [self] in if isPushing { wasInterrupted = true } }
            isPushing = true
            defer { isPushing = false }
            exchange.startStream(.ok, .json)
            let chunk = StreamChunk(ByteBuffer(repeating: 0x61, count: 100_000), allocator: ByteBufferAllocator())
            var pushed = 0
            while exchange.push(chunk), pushed < 100_000 { pushed += 1 }
            closedCount = pushed
        case "/large":
            exchange.respond(.ok, .text, body: ByteBuffer(repeating: 0x61, count: 3_000_000))
        case "/huge":
            exchange.respond(.ok, .text, body: ByteBuffer(repeating: 0x61, count: 40_000_000))
        case "/nothing":
            exchange.respond(.noContent, nil)
        default:
            let verb = "\(request.verb) \(target) \(request.bodyState) \(request.body.readableBytes)"
            exchange.respond(.ok, .text, body: ByteBuffer(string: verb)) { fields in
                if let type = request.bytes(of: .contentType) {
                    fields.writeString("X-Type: ")
                    fields.writeBytes(type)
                    fields.writeString("\r\n")
                }
            }
        }
    }
}

/// A listener on a port of its own, on a thread of its own.
final class TestServer: Sendable {
    let port: Int
    private let group: MultiThreadedEventLoopGroup
    private let state: NIOLoopBound<(Listener, EchoResponder)>
    /// When the port is encrypted for clients that know nothing of it.
    private let tunnel: Tunnel?
    private let files: TestFiles?

    /// - Parameter isEncrypted: with a tunnel before it, so that `port` still takes plain sockets.
    convenience init(_ limits: HTTPServerLimits = HTTPServerLimits(), host: String = "127.0.0.1", isEncrypted: Bool = false) throws {
        let files = isEncrypted ? try TestFiles() : nil
        let security: PortSecurity = try files.map { .encrypted(try $0.policy("server", trustsOwn: false)) } ?? .clear
        try self.init(limits, host: host, security, files)
    }

    convenience init(_ security: PortSecurity, _ limits: HTTPServerLimits = HTTPServerLimits()) throws {
        try self.init(limits, host: "127.0.0.1", security, nil)
    }

    private init(_ limits: HTTPServerLimits, host: String, _ security: PortSecurity, _ files: TestFiles?) throws {
        group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let loop = group.next()
        let (state, port) = try loop.flatSubmit { () -> EventLoopFuture<(NIOLoopBound<(Listener, EchoResponder)>, Int)> in
            let responder = EchoResponder()
            let listener = Listener(responder: responder, limits: limits, loop: loop)
            let state = NIOLoopBound((listener, responder), eventLoop: loop)
            return listener.bind(.tcp(host: host, port: 0), security).map { (state, $0 ?? 0) }
        }.wait()
        self.state = state
        self.files = files
        tunnel = try files.map { try Tunnel(to: port, $0.policy(nil)) }
        self.port = tunnel?.port ?? port
    }

    deinit {
        let state = state
        state.eventLoop.execute { state.value.0.close() }
        group.shutdownGracefully { _ in }
    }

    func onLoop<Value: Sendable>(_ body: @escaping @Sendable (Listener, EchoResponder) -> Value) throws -> Value {
        let state = state
        return try state.eventLoop.submit { body(state.value.0, state.value.1) }.wait()
    }

    /// Waits until `condition` holds, fifteen seconds at most.
    func eventually(_ condition: @escaping @Sendable (Listener, EchoResponder) -> Bool) throws -> Bool {
        for _ in 0..<1500 {
            if try onLoop(condition) { return true }
            pause(milliseconds: 10)
        }
        return false
    }

    func client() throws -> RawClient { try RawClient(port: port) }
}

func pause(milliseconds: UInt32) { usleep(milliseconds * 1000) }

/// Sends on a thread of its own, for texts that do not fit into the buffers of two sockets.
final class Sender {
    private var thread = pthread_t()

    init(_ client: RawClient, _ text: String) {
        let work = Unmanaged.passRetained(Work(client, text))
        pthread_create(
            &thread, nil,
            { work in
                let work = Unmanaged<Work>.fromOpaque(work!).takeRetainedValue()
                work.client.send(work.text)
                return nil
            }, work.toOpaque())
    }

    func join() { pthread_join(thread, nil) }

    private final class Work {
        let client: RawClient
        let text: String

        init(_ client: RawClient, _ text: String) {
            self.client = client
            self.text = text
        }
    }
}
