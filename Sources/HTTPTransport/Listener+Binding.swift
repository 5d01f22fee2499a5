import NIOCore
import NIOPosix

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

extension Listener {
    func bound(to address: Address, _ security: PortSecurity) -> EventLoopFuture<any Channel> {
        switch address {
        case .unix(let path): bootstrap(security).bind(unixDomainSocketPath: path, cleanupExistingSocketFile: true)
        case .tcp(let host, let port) where Self.isEveryAddress(host): boundToAll(port, security)
        case .tcp(let host, let port): bootstrap(security).forTCP.bind(toHost: host, port: port)
        }
    }

    /// On IPv4 and IPv6; on IPv4 alone where the system has no other.
    private func boundToAll(_ port: Int, _ security: PortSecurity) -> EventLoopFuture<any Channel> {
        let listener = NIOLoopBound(self, eventLoop: loop)
        return ServerBootstrap.bindEverywhere(port: port, on: loop) { listener.value.bootstrap(security).forTCP }
    }

    /// `0.0.0.0`, `::` in any spelling, and no host at all: to Go, and so to etcd, they are the same.
    private static func isEveryAddress(_ host: String) -> Bool {
        if host.isEmpty { return true }
        var v4 = in_addr()
        if inet_pton(AF_INET, host, &v4) == 1 { return v4.s_addr == 0 }
        var v6 = in6_addr()
        return inet_pton(AF_INET6, host, &v6) == 1 && withUnsafeBytes(of: v6) { $0.allSatisfy { $0 == 0 } }
    }

    private func bootstrap(_ security: PortSecurity) -> ServerBootstrap {
        let listener = NIOLoopBound(self, eventLoop: loop)
        return ServerBootstrap(group: loop, childGroup: loop)
            .serverChannelOption(.backlog, value: 4096)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .serverChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(AcceptPause())
                }
            }
            .childChannelOption(.allowRemoteHalfClosure, value: true)
            // Writable again means: all is sent.
            .childChannelOption(.writeBufferWaterMark, value: .init(low: 1, high: HTTPServerLimits.unsentBytesMax))
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture { try listener.value.adopt(channel, security) }
            }
    }
}

extension ServerBootstrap {
    /// On all addresses of IPv4 and IPv6; on those of IPv4 alone where the system has no other.
    ///
    /// - Parameter make: called on the loop, once or twice.
    package static func bindEverywhere(
        port: Int, on loop: any EventLoop, _ make: @escaping @Sendable () -> ServerBootstrap
    ) -> EventLoopFuture<any Channel> {
        let isForBoth = ChannelOptions.Types.SocketOption(level: .ipv6, name: .ipv6_v6only)
        return make().serverChannelOption(isForBoth, value: 0).bind(toHost: "::", port: port).flatMapError { error in
            let isMissing = [EAFNOSUPPORT, EPROTONOSUPPORT, EADDRNOTAVAIL].contains((error as? IOError)?.errnoCode)
            guard isMissing else { return loop.makeFailedFuture(error) }
            return make().bind(toHost: "0.0.0.0", port: port)
        }
    }

    /// What is an address already is not looked up: the system's resolver knows none of IPv6 where only the loopback has one, as in most
    /// containers.
    package func bind(toHost host: String, port: Int) -> EventLoopFuture<any Channel> {
        if let address = try? SocketAddress(ipAddress: host, port: port) { bind(to: address) } else { bind(host: host, port: port) }
    }

    /// Clients that are gone without a word, by a loss of power say, are noticed within about two minutes and a half: nobody writes to a
    /// watcher when nothing happens.
    fileprivate var forTCP: ServerBootstrap {
        childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
            .childChannelOption(.socketOption(.so_keepalive), value: 1)
            .childChannelOption(.tcpOption(.init(rawValue: TCP_KEEPIDLE)), value: 30)
            .childChannelOption(.tcpOption(.init(rawValue: TCP_KEEPINTVL)), value: 30)
            .childChannelOption(.tcpOption(.init(rawValue: TCP_KEEPCNT)), value: 4)
    }
}

/// Waits a second before accepting again when the system has run out of something (file descriptors, mostly): the
/// socket stays readable, and trying at once would burn the loop.
///
/// Holding back `read` would not do: NIO asks for the next one only after a connection was accepted, and goes on trying by itself until then.
private final class AcceptPause: ChannelInboundHandler {
    typealias InboundIn = any Channel

    private var isPaused = false

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        if !isPaused, error is IOError { pause(context) }
        context.fireErrorCaught(error)
    }

    private func pause(_ context: ChannelHandlerContext) {
        isPaused = true
        setAccepting(false, context.channel)
        let bound = NIOLoopBound((self, context.channel), eventLoop: context.eventLoop)
        context.eventLoop.scheduleTask(in: .seconds(1)) {
            let (pause, channel) = bound.value
            pause.isPaused = false
            pause.setAccepting(true, channel)
        }
    }

    private func setAccepting(_ isAccepting: Bool, _ channel: any Channel) {
        // Fails when the channel is closed, and then there is nothing to accept.
        try? channel.syncOptions?.setOption(.autoRead, value: isAccepting)
    }
}
