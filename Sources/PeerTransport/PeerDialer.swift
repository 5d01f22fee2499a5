import Glibc
import HTTPTransport
import NIOCore
import NIOPosix

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

    static func connect(
        to url: HTTPURL, for purpose: Hello.Purpose, on loop: any EventLoop, _ limits: PeerLimits
    ) -> EventLoopFuture<any Channel> {
        let high = PeerLimits.writableBytesMax
        let bootstrap = ClientBootstrap(group: loop)
            .connectTimeout(.milliseconds(Int64(limits.connectMillisecondsMax)))
            .channelOption(.writeBufferWaterMark, value: .init(low: high / 2, high: high))
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
