import NIOCore
import NIOSSL

/// Where encryption meets the socket: the way to end a connection at once. The farewell that encryption sends and waits for is for clients
/// that are well. Confined to the loop.
struct SocketEnd {
    private let encryption: ChannelHandlerContext

    /// - Parameter handler: one of that pipeline.
    init(of handler: NIOSSLHandler, in pipeline: ChannelPipeline.SynchronousOperations) throws {
        encryption = try pipeline.context(handler: handler)
    }

    /// Does nothing when the connection is closed.
    func close() { encryption.close(promise: nil) }
}
