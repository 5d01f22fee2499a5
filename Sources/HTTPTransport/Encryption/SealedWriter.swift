import NIOCore

/// What waits to be encrypted. Encryption makes a copy of all that it is given and keeps a buffer as long as the longest of them; so it gets
/// a small piece when the socket has taken the one before, and bodies stay shared between connections until then. Confined to the loop.
final class SealedWriter: ChannelDuplexHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private var queue: CircularBuffer<(bytes: ByteBuffer, promise: EventLoopPromise<Void>?)> = []
    /// Of these, so many may leave.
    private var flushed = 0
    /// Bytes that are not encrypted yet.
    private(set) var bytes = 0
    private var isFull = false
    private var isPumping = false

    /// With what encryption adds it fits into 32 KiB: that is the buffer which stays.
    private static let pieceBytes = 30 << 10
    /// Then others have a turn.
    private static let turnBytes = 1 << 20

    /// False from the moment when more than a little waits until nothing does.
    var isWritable: Bool { !isFull }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        let buffer = unwrapOutboundIn(data)
        queue.append((buffer, promise))
        bytes += buffer.readableBytes
        if bytes > HTTPServerLimits.unsentBytesMax { isFull = true }
    }

    func flush(context: ChannelHandlerContext) {
        flushed = queue.count
        pump(context)
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        if context.channel.isWritable {
            pump(context)
            if bytes == 0 { isFull = false }
        }
        context.fireChannelWritabilityChanged()
    }

    func close(context: ChannelHandlerContext, mode: CloseMode, promise: EventLoopPromise<Void>?) {
        if mode == .all { drop() }
        context.close(mode: mode, promise: promise)
    }

    func channelInactive(context: ChannelHandlerContext) {
        drop()
        context.fireChannelInactive()
    }

    func handlerRemoved(context: ChannelHandlerContext) { drop() }

    private func pump(_ context: ChannelHandlerContext) {
        if isPumping { return }
        isPumping = true
        defer { isPumping = false }
        var turn = Self.turnBytes
        while flushed > 0, context.channel.isWritable {
            guard turn > 0 else {
                let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
                return context.eventLoop.execute {
                    let (writer, context) = bound.value
                    writer.pump(context)
                    writer.tellIfEmpty(context)
                }
            }
            turn -= givePiece(context)
            context.flush()
        }
        tellIfEmpty(context)
    }

    private func tellIfEmpty(_ context: ChannelHandlerContext) {
        guard isFull, bytes == 0, context.channel.isWritable else { return }
        isFull = false
        context.fireChannelWritabilityChanged()
    }

    private func givePiece(_ context: ChannelHandlerContext) -> Int {
        var room = Self.pieceBytes
        while flushed > 0, room > 0, var first = queue.popFirst() {
            var given = first
            if first.bytes.readableBytes > room, let piece = first.bytes.readSlice(length: room) {
                given = (piece, nil)
                queue.prepend(first)
            } else {
                flushed -= 1
            }
            room -= given.bytes.readableBytes
            bytes -= given.bytes.readableBytes
            context.write(wrapOutboundOut(given.bytes), promise: given.promise)
        }
        return max(1, Self.pieceBytes - room)
    }

    private func drop() {
        let dropped = queue
        queue = []
        (flushed, bytes) = (0, 0)
        for entry in dropped { entry.promise?.fail(ChannelError.ioOnClosedChannel) }
    }
}
