import Glibc
import HTTPTransport
import NIOCore
import NIOPosix
import NIOSSL
import NIOTLS
import TLS

/// Why no connection came about.
struct DialFailure: Equatable, Sendable {
    var text: String
    /// The peer's system answered, and nobody listens there.
    var isRefused: Bool

    init(_ error: any Error) {
        switch error {
        case let error as IOError:
            text = String(cString: strerror(error.errnoCode))
            // A socket of the file system that is gone is as good as a refusal.
            isRefused = error.errnoCode == ECONNREFUSED || error.errnoCode == ENOENT
        case let error as NIOConnectionError:
            let failures = error.connectionErrors.map { DialFailure($0.error) }
            text = failures.first?.text ?? "cannot resolve \(error.host)"
            isRefused = !failures.isEmpty && failures.allSatisfy(\.isRefused)
        case ChannelError.connectTimeout:
            text = "no answer in time"
            isRefused = false
        default:
            text = "\(error)"
            isRefused = false
        }
    }
}

/// Makes the connections of this member to others.
enum PeerDialer {
    /// `TCP_NOTSENT_LOWAT` of Linux.
    private static let notSentLowWater = NIOBSDSocket.Option(rawValue: 25)

    /// A connection over which something can be said: with encryption it is certain by then who listens.
    static func connect(
        to url: HTTPURL, for purpose: Hello.Purpose, on loop: any EventLoop, _ limits: PeerLimits, _ tls: TLSPolicy
    ) -> EventLoopFuture<any Channel> {
        let high = PeerLimits.writableBytesMax
        let bootstrap = ClientBootstrap(group: loop)
            .connectTimeout(.milliseconds(Int64(limits.connectMillisecondsMax)))
            .channelOption(.writeBufferWaterMark, value: .init(low: high / 2, high: high))
        guard url.isEncrypted else { return connect(bootstrap, to: url, for: purpose) }
        let secondsMax = Int64(limits.helloSecondsMax)
        // A name may have several addresses, and each is tried with a channel of its own.
        let encrypting = bootstrap.channelInitializer { channel in
            channel.eventLoop.makeCompletedFuture {
                let handler = try tls.clientHandler(to: url.serverName)
                let gate = HandshakeGate(handler, tls, isOver: channel.eventLoop.makePromise(), secondsMax: secondsMax)
                try channel.pipeline.syncOperations.addHandlers([handler, gate])
            }
        }
        return connect(encrypting, to: url, for: purpose).flatMap { channel in
            do {
                let pipeline = channel.pipeline.syncOperations
                let gate = NIOLoopBound(try pipeline.handler(type: HandshakeGate.self), eventLoop: channel.eventLoop)
                return gate.value.isOver.futureResult.map {
                    channel.pipeline.syncOperations.removeHandler(gate.value, promise: nil)
                    return channel
                }
            } catch {
                return channel.eventLoop.makeFailedFuture(error)
            }
        }
    }

    private static func connect(
        _ bootstrap: ClientBootstrap, to url: HTTPURL, for purpose: Hello.Purpose
    ) -> EventLoopFuture<any Channel> {
        switch url.address {
        case .unixSocket(let path): return bootstrap.connect(unixDomainSocketPath: path)
        case .host(let host, let port):
            var bootstrap = bootstrap.channelOption(.tcpOption(.tcp_nodelay), value: 1)
                .channelOption(.socketOption(.so_keepalive), value: 1)
            // What the system has taken cannot be overtaken: it shall take no more than it can send soon.
            if purpose == .messages { bootstrap = bootstrap.channelOption(.tcpOption(notSentLowWater), value: PeerLimits.systemBytesUnsentMax) }
            // A peer that listens on "localhost" listens on its IPv4 address, as etcd's do; and a fail-over need not wait for
            // a resolver.
            let literal = host == "localhost" ? "127.0.0.1" : host
            if let address = try? SocketAddress(ipAddress: literal, port: port) { return bootstrap.connect(to: address) }
            return bootstrap.connect(host: host, port: port)
        }
    }
}

/// Waits for the end of the handshake on a connection that this side makes, and judges whom it has reached.
private final class HandshakeGate: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = ByteBuffer

    let isOver: EventLoopPromise<Void>
    private let handler: NIOSSLClientHandler
    private let policy: TLSPolicy
    private let secondsMax: Int64
    private var isTold = false
    private var deadline: Scheduled<Void>?

    init(_ handler: NIOSSLClientHandler, _ policy: TLSPolicy, isOver: EventLoopPromise<Void>, secondsMax: Int64) {
        self.handler = handler
        self.policy = policy
        self.isOver = isOver
        self.secondsMax = secondsMax
    }

    func handlerAdded(context: ChannelHandlerContext) {
        let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
        deadline = context.eventLoop.scheduleTask(in: .seconds(secondsMax)) {
            let (gate, context) = bound.value
            gate.fail(TLSFailure("no end of the handshake in time"), context)
        }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        guard case .handshakeCompleted = event as? TLSUserEvent else { return context.fireUserInboundEventTriggered(event) }
        if case .refused(let reason) = policy.judge(handler.peerCertificate, from: nil, isDialled: true) {
            return fail(TLSFailure(reason), context)
        }
        if tell() { isOver.succeed() }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        fail(TLSErrorText.text(error).map { TLSFailure($0) } ?? error, context)
    }

    func channelInactive(context: ChannelHandlerContext) {
        fail(TLSFailure("EOF"), context)
        context.fireChannelInactive()
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        if tell() { isOver.fail(TLSFailure("EOF")) }
    }

    private func fail(_ error: any Error, _ context: ChannelHandlerContext) {
        guard tell() else { return }
        isOver.fail(error)
        context.close(promise: nil)
    }

    /// True the first time.
    private func tell() -> Bool {
        defer { isTold = true }
        deadline?.cancel()
        return !isTold
    }
}
