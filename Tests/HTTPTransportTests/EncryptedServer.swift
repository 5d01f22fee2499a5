import Foundation
import NIOCore
import NIOPosix
import TLS
import TestCertificates

/// Certificate files of a test's own, gone with this object.
final class TestFiles: Sendable {
    let path: String
    let authority: TestAuthority

    init() throws {
        path = NSTemporaryDirectory() + "etclite-tls-" + UUID().uuidString
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        authority = try TestAuthority()
        try authority.certificate.write(toFile: path + "/ca.pem", atomically: true, encoding: .utf8)
        try authority.issue("server", hosts: ["localhost", "127.0.0.1"]).write(to: path, as: "server")
        try authority.issue("client").write(to: path, as: "client")
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    /// - Parameter name: of the pair to show; nil: none.
    func policy(_ name: String?, trustsOwn: Bool = true, requires: Bool = false) throws -> TLSPolicy {
        var settings = TLSSettings()
        if let name { (settings.certificateFile, settings.keyFile) = ("\(path)/\(name).pem", "\(path)/\(name)-key.pem") }
        if trustsOwn { settings.trustedCAFile = path + "/ca.pem" }
        settings.requiresCertificate = requires
        return try TLSPolicy(settings)
    }
}

/// A clear port before an encrypted one, so that tests which count bytes and half-close can speak to it with plain sockets. Reads on one
/// side no faster than the other takes. Confined to its loop.
final class Tunnel: Sendable {
    let port: Int
    private let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)

    init(to port: Int, _ policy: TLSPolicy) throws {
        let loop = group.next()
        let channel = try ServerBootstrap(group: loop, childGroup: loop)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelOption(.allowRemoteHalfClosure, value: true)
            .childChannelOption(.autoRead, value: false)
            .childChannelInitializer { near in
                ClientBootstrap(group: near.eventLoop).channelOption(.allowRemoteHalfClosure, value: true)
                    .channelOption(.autoRead, value: false)
                    .channelInitializer { far in
                        far.eventLoop.makeCompletedFuture {
                            try far.pipeline.syncOperations.addHandler(policy.clientHandler(to: "127.0.0.1"))
                        }
                    }
                    .connect(host: "127.0.0.1", port: port).flatMapThrowing { far in
                        let (here, there) = (TunnelEnd(), TunnelEnd())
                        (here.other, there.other) = (there, here)
                        try near.pipeline.syncOperations.addHandler(here)
                        try far.pipeline.syncOperations.addHandler(there)
                        // The handshake needs to be read.
                        far.read()
                    }
            }
            .bind(host: "127.0.0.1", port: 0).wait()
        self.port = channel.localAddress?.port ?? 0
    }

    deinit { group.shutdownGracefully { _ in } }
}

final class TunnelEnd: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    var other: TunnelEnd?
    private var context: ChannelHandlerContext?

    func handlerAdded(context: ChannelHandlerContext) { self.context = context }

    func channelActive(context: ChannelHandlerContext) {
        context.read()
        context.fireChannelActive()
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        self.context = nil
        other = nil
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let bytes = unwrapInboundIn(data)
        guard let target = other?.context else { return context.close(promise: nil) }
        let bound = NIOLoopBound(context, eventLoop: context.eventLoop)
        target.writeAndFlush(wrapOutboundOut(bytes)).whenComplete { _ in bound.value.read() }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case .some(.inputClosed) = event as? ChannelEvent { other?.context?.close(mode: .output, promise: nil) }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }

    func channelInactive(context: ChannelHandlerContext) {
        let other = other
        self.other = nil
        other?.other = nil
        other?.context?.close(promise: nil)
    }
}
