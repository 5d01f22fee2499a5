import NIOCore
import NIOHTTP1
import NIOPosix

extension HTTPClient {
    /// A connection for a caller that goes its own way with it: many requests, at its own pace.
    ///
    /// - Parameters:
    ///   - options: adds the caller's.
    ///   - initialize: adds its handlers, behind those that make `HTTPClientRequestPart` and `HTTPClientResponsePart`.
    /// - Returns: fails with what `HTTPClientError(dialling:to:)` understands.
    package func dial(
        _ url: HTTPURL, timeout: TimeAmount, options: (ClientBootstrap) -> ClientBootstrap,
        initialize: @escaping @Sendable (any Channel) throws -> Void
    ) -> EventLoopFuture<any Channel> {
        let bootstrap = options(ClientBootstrap(group: eventLoop).connectTimeout(timeout)).channelInitializer { channel in
            channel.eventLoop.makeCompletedFuture {
                try channel.pipeline.syncOperations.addHTTPClientHandlers()
                try initialize(channel)
            }
        }
        return switch url.address {
        case .host(let host, let port):
            bootstrap.channelOption(.tcpOption(.tcp_nodelay), value: 1).connect(host: host, port: port)
        case .unixSocket(let path): bootstrap.connect(unixDomainSocketPath: path)
        }
    }
}

extension HTTPClientError {
    /// Why `HTTPClient.dial` failed.
    package init(dialling error: any Error, to url: HTTPURL) { self.init(connecting: error, to: url.address, limitedBy: .connect) }

    /// In the same words, for a connection of another kind.
    package init(dialling error: any Error, host: String, port: Int) {
        self.init(connecting: error, to: .host(host, port: port), limitedBy: .connect)
    }
}
