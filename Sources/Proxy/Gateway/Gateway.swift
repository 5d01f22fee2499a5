import HTTPTransport
import Logging
import NIOCore
import NIOPosix

/// Forwards TCP connections to one of several endpoints and knows nothing of what is said on them (server.md §9.2). Confined to its loop, but
/// for `init`.
package final class Gateway {
    package struct Configuration: Sendable {
        /// `host:port`, not empty.
        package var endpoints: [(host: String, port: Int)] = []
        /// After it an endpoint that could not be reached is tried again.
        package var retryDelay = TimeAmount.seconds(60)
        /// Connections of clients at a time; each has one to an endpoint.
        package var connectionsMax = 8192

        package init() {}
    }

    /// To be connected with an endpoint.
    private static let dialTimeout = TimeAmount.seconds(5)
    /// Bytes that are read of one side before the other has taken what came before.
    private static let pieceBytes = 64 << 10

    private let configuration: Configuration
    private let remotes: GatewayRemotes
    private let log: Logger
    private let loop: any EventLoop
    private var listener: (any Channel)?
    private var clients: [ObjectIdentifier: any Channel] = [:]
    private var timer: RepeatedTask?
    private var isFullTold = false

    package init(_ configuration: Configuration, log: Logger, loop: any EventLoop) {
        self.configuration = configuration
        self.log = log
        self.loop = loop
        remotes = GatewayRemotes(
            configuration.endpoints.map { .init(host: $0.host, port: $0.port) }, retryDelay: configuration.retryDelay, log: log)
    }

    /// Starts to accept; fails with the system's `IOError`.
    ///
    /// - Returns: the port.
    package func listen(host: String, port: Int) -> EventLoopFuture<Int> {
        let gateway = NIOLoopBound(self, eventLoop: loop)
        let make = { @Sendable [loop] in
            ServerBootstrap(group: loop, childGroup: loop)
                .serverChannelOption(.backlog, value: 1024)
                .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
                .childChannelOption(.allowRemoteHalfClosure, value: true)
                .childChannelOption(.autoRead, value: false)
                .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
                .childChannelOption(.socketOption(.so_keepalive), value: 1)
                .childChannelOption(.maxMessagesPerRead, value: 1)
                .childChannelOption(.recvAllocator, value: FixedSizeRecvByteBufferAllocator(capacity: Self.pieceBytes))
                .childChannelInitializer { channel in
                    channel.eventLoop.makeCompletedFuture { try gateway.value.adopt(channel) }
                }
        }
        let bound = host.isEmpty ? ServerBootstrap.bindEverywhere(port: port, on: loop, make) : make().bind(toHost: host, port: port)
        return bound.map { channel in
            gateway.value.listener = channel
            gateway.value.startTimer()
            return channel.localAddress?.port ?? 0
        }
    }

    package func close() {
        timer?.cancel()
        listener?.close(promise: nil)
        for client in clients.values { client.close(promise: nil) }
    }

    private func adopt(_ client: any Channel) throws {
        guard clients.count < configuration.connectionsMax else {
            if !isFullTold { log.warning("there are \(clients.count) connections, and no more are taken until some are closed") }
            isFullTold = true
            throw ChannelError.operationUnsupported
        }
        isFullTold = false
        let gateway = NIOLoopBound(self, eventLoop: loop)
        let side = GatewaySide { gateway.value.connect($0, $1) }
        try client.pipeline.syncOperations.addHandler(side)
        clients[ObjectIdentifier(client)] = client
        client.closeFuture.whenComplete { _ in gateway.value.clients[ObjectIdentifier(client)] = nil }
    }

    private func connect(_ client: any Channel, _ side: GatewaySide) {
        guard client.isActive else { return }
        guard let remote = remotes.pick() else { return client.close(promise: nil) }
        let other = GatewaySide()
        let bound = NIOLoopBound((self, side, other), eventLoop: loop)
        dial(remote, other).whenComplete { result in
            let (gateway, side, other) = bound.value
            switch result {
            case .success(let channel):
                guard client.isActive else { return channel.close(promise: nil) }
                client.limitSilence()
                channel.limitSilence()
                side.join(other)
            case .failure(let error):
                gateway.remotes.deactivate(remote, because: "\(Self.text(error, remote))")
                gateway.connect(client, side)
            }
        }
    }

    private func dial(_ remote: GatewayRemotes.Remote, _ side: GatewaySide?) -> EventLoopFuture<any Channel> {
        let bound = NIOLoopBound(side, eventLoop: loop)
        return ClientBootstrap(group: loop).connectTimeout(Self.dialTimeout)
            .channelOption(.allowRemoteHalfClosure, value: true)
            .channelOption(.autoRead, value: false)
            .channelOption(.tcpOption(.tcp_nodelay), value: 1)
            .channelOption(.socketOption(.so_keepalive), value: 1)
            .channelOption(.maxMessagesPerRead, value: 1)
            .channelOption(.recvAllocator, value: FixedSizeRecvByteBufferAllocator(capacity: Self.pieceBytes))
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    if let side = bound.value { try channel.pipeline.syncOperations.addHandler(side) }
                }
            }
            .connect(host: remote.host, port: remote.port)
    }

    private static func text(_ error: any Error, _ remote: GatewayRemotes.Remote) -> String {
        HTTPClientError(dialling: error, host: remote.host, port: remote.port).description
    }

    /// Looks from time to time whether those that were gone are back.
    private func startTimer() {
        let gateway = NIOLoopBound(self, eventLoop: loop)
        timer = loop.scheduleRepeatedTask(initialDelay: configuration.retryDelay, delay: configuration.retryDelay) { _ in
            let gateway = gateway.value
            for remote in gateway.remotes.inactive {
                let bound = NIOLoopBound(gateway, eventLoop: gateway.loop)
                gateway.dial(remote, nil).whenComplete { result in
                    switch result {
                    case .success(let channel):
                        channel.close(promise: nil)
                        bound.value.remotes.activate(remote)
                    case .failure(let error):
                        bound.value.log.warning("failed to activate endpoint [\(remote.text)] due to \(Self.text(error, remote)) (stay inactive)")
                    }
                }
            }
        }
    }
}

/// One side of a forwarded connection. Reads a piece, gives it to the other side, and reads on when that has taken it. Confined to the loop.
final class GatewaySide: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private var context: ChannelHandlerContext?
    private weak var other: GatewaySide?
    private var isJoined = false
    private var isEnded = false
    /// What came with the end of this side before the other was there: an end is told with all that stands before it, asked for or not. The
    /// system's buffer bounds it.
    private var early = ByteBuffer()
    private let isThere: (any Channel, GatewaySide) -> Void

    /// - Parameter isThere: hears when the connection is.
    init(isThere: @escaping (any Channel, GatewaySide) -> Void = { _, _ in }) { self.isThere = isThere }

    /// From here on bytes go both ways.
    func join(_ other: GatewaySide) {
        (self.other, other.other) = (other, self)
        (isJoined, other.isJoined) = (true, true)
        if early.readableBytes > 0 { other.take(early, from: self) } else { read() }
        early = ByteBuffer()
        if isEnded { other.finish() }
        other.read()
    }

    func handlerAdded(context: ChannelHandlerContext) { self.context = context }

    func handlerRemoved(context: ChannelHandlerContext) { self.context = nil }

    func channelActive(context: ChannelHandlerContext) { isThere(context.channel, self) }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var bytes = unwrapInboundIn(data)
        if let other { return other.take(bytes, from: self) }
        if isJoined { context.close(promise: nil) } else { early.writeBuffer(&bytes) }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        guard case .some(.inputClosed) = event as? ChannelEvent else { return context.fireUserInboundEventTriggered(event) }
        isEnded = true
        // What was given before goes first.
        other?.finish()
    }

    func channelInactive(context: ChannelHandlerContext) {
        let other = other
        self.other = nil
        other?.partnerIsGone()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }

    private func read() { context?.read() }

    private func take(_ bytes: ByteBuffer, from side: GatewaySide) {
        guard let context else { return }
        let promise = context.eventLoop.makePromise(of: Void.self)
        let bound = NIOLoopBound(side, eventLoop: context.eventLoop)
        promise.futureResult.whenSuccess { bound.value.read() }
        context.writeAndFlush(wrapOutboundOut(bytes), promise: promise)
    }

    /// The other side says no more; this one may still.
    private func finish() {
        guard let context else { return }
        let channel = context.channel
        let bound = NIOLoopBound(self, eventLoop: context.eventLoop)
        context.writeAndFlush(wrapOutboundOut(ByteBuffer())).whenComplete { _ in
            channel.close(mode: bound.value.isEnded ? .all : .output, promise: nil)
        }
    }

    private func partnerIsGone() {
        other = nil
        guard let context else { return }
        // What it said before is sent first.
        let channel = context.channel
        context.writeAndFlush(wrapOutboundOut(ByteBuffer())).whenComplete { _ in channel.close(promise: nil) }
    }
}
