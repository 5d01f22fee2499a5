import NIOCore
import NIOConcurrencyHelpers
import NIOPosix

/// An HTTP proxy that knows CONNECT and nothing else.
final class ConnectProxy: Sendable {
    let port: Int
    private let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    private let lines = NIOLockedValueBox<[String]>([])

    /// Request lines.
    var asked: [String] { lines.withLockedValue { $0 } }

    /// - Parameter refusal: a whole answer to everything; nil: the tunnel is opened, to where the client says.
    init(refusal: String? = nil) throws {
        let (loop, lines) = (group.next(), lines)
        let channel = try ServerBootstrap(group: loop, childGroup: loop)
            .childChannelInitializer { near in
                near.eventLoop.makeCompletedFuture {
                    try near.pipeline.syncOperations.addHandler(
                        Greeting(refusal) { line in lines.withLockedValue { $0.append(line) } })
                }
            }
            .bind(host: "127.0.0.1", port: 0).wait()
        port = channel.localAddress?.port ?? 0
    }

    deinit { group.shutdownGracefully { _ in } }

    private final class Greeting: ChannelInboundHandler, RemovableChannelHandler {
        typealias InboundIn = ByteBuffer
        typealias OutboundOut = ByteBuffer

        private let refusal: String?
        private let said: (String) -> Void
        private var head = ByteBuffer()

        init(_ refusal: String?, _ said: @escaping (String) -> Void) {
            self.refusal = refusal
            self.said = said
        }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            var more = unwrapInboundIn(data)
            head.writeBuffer(&more)
            let text = String(buffer: head)
            guard text.hasSuffix("\r\n\r\n") else { return }
            said(String(text.prefix { $0 != "\r\n" }))
            if let refusal {
                context.writeAndFlush(wrapOutboundOut(ByteBuffer(string: refusal)), promise: nil)
                return context.close(promise: nil)
            }
            let target = text.split(separator: " ")[1].split(separator: ":")
            let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
            ClientBootstrap(group: context.eventLoop).connect(host: String(target[0]), port: Int(target[1]) ?? 0).whenComplete { result in
                let (greeting, context) = bound.value
                guard let far = try? result.get() else { return context.close(promise: nil) }
                let (here, there) = (TunnelEnd(), TunnelEnd())
                (here.other, there.other) = (there, here)
                do {
                    try context.pipeline.syncOperations.addHandler(here)
                    try far.pipeline.syncOperations.addHandler(there)
                } catch {
                    return context.close(promise: nil)
                }
                context.writeAndFlush(greeting.wrapOutboundOut(ByteBuffer(string: "HTTP/1.1 200 Connection established\r\n\r\n")), promise: nil)
                context.pipeline.syncOperations.removeHandler(greeting, promise: nil)
            }
        }
    }
}
