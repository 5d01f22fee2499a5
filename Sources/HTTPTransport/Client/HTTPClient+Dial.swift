import NIOCore
import NIOHTTP1
import NIOPosix
import NIOTLS
import TLS

extension HTTPClient {
    /// A connection for a caller that goes its own way with it: many requests, at its own pace.
    ///
    /// - Parameters:
    ///   - timeout: for everything until requests can be sent, the handshake included.
    ///   - options: adds the caller's.
    ///   - initialize: adds its handlers, behind those that make `HTTPClientRequestPart` and `HTTPClientResponsePart`.
    /// - Returns: fails with what `HTTPClientError(dialling:to:)` understands.
    package func dial(
        _ url: HTTPURL, timeout: TimeAmount, options: (ClientBootstrap) -> ClientBootstrap,
        initialize: @escaping @Sendable (any Channel) throws -> Void
    ) -> EventLoopFuture<any Channel> {
        let (tls, deadline) = (tls, NIODeadline.now() + timeout)
        let isAgreed = url.isEncrypted ? eventLoop.makePromise(of: Void.self) : nil
        let bootstrap = options(ClientBootstrap(group: eventLoop).connectTimeout(timeout)).channelInitializer { channel in
            channel.eventLoop.makeCompletedFuture {
                let pipeline = channel.pipeline.syncOperations
                if let isAgreed {
                    try pipeline.addHandlers([tls.clientHandler(to: url.serverName), HandshakeWait(isAgreed, until: deadline)])
                }
                try pipeline.addHTTPClientHandlers()
                try initialize(channel)
            }
        }
        let connected =
            switch url.address {
            case .host(let host, let port):
                bootstrap.channelOption(.tcpOption(.tcp_nodelay), value: 1).connect(host: host, port: port)
            case .unixSocket(let path): bootstrap.connect(unixDomainSocketPath: path)
            }
        guard let isAgreed else { return connected }
        connected.whenFailure { isAgreed.fail($0) }
        return connected.flatMap { channel in isAgreed.futureResult.map { channel } }
    }
}

/// Tells when the handshake of a connection that this side makes is over, and ends one that takes too long.
private final class HandshakeWait: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let isAgreed: EventLoopPromise<Void>
    private let deadline: NIODeadline
    private var timer: Scheduled<Void>?

    init(_ isAgreed: EventLoopPromise<Void>, until deadline: NIODeadline) {
        self.isAgreed = isAgreed
        self.deadline = deadline
    }

    func channelActive(context: ChannelHandlerContext) {
        let (isAgreed, channel) = (isAgreed, context.channel)
        timer = context.eventLoop.scheduleTask(deadline: deadline) {
            isAgreed.fail(ChannelError.connectTimeout(.zero))
            channel.close(promise: nil)
        }
        context.fireChannelActive()
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case .handshakeCompleted = event as? TLSUserEvent {
            timer?.cancel()
            isAgreed.succeed()
        }
        context.fireUserInboundEventTriggered(event)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        // The first reason counts, and none behind the handshake.
        isAgreed.fail(error)
        context.fireErrorCaught(error)
    }

    func channelInactive(context: ChannelHandlerContext) {
        timer?.cancel()
        isAgreed.fail(ChannelError.eof)
        context.fireChannelInactive()
    }
}

extension HTTPClientError {
    /// Why `HTTPClient.dial` failed.
    package init(dialling error: any Error, to url: HTTPURL) {
        if let reason = TLSErrorText.text(error) {
            self = .handshakeFailed(address: url.address.description, reason: reason)
        } else {
            self.init(connecting: error, to: url.address, limitedBy: .connect)
        }
    }

    /// In the same words, for a connection of another kind.
    package init(dialling error: any Error, host: String, port: Int) {
        self.init(connecting: error, to: .host(host, port: port), limitedBy: .connect)
    }
}
