import NIOCore

/// What the connection holds in memory for its client, and what has to wait because of that.
extension HTTPConnection {
    /// All bytes for the client go this way, or by `send`.
    func give(_ bytes: ByteBuffer, to context: ChannelHandlerContext) {
        holding.noteWritten(bytes.readableBytes)
        context.write(wrapOutboundOut(bytes), promise: nil)
    }

    /// A body that others may get as well; counted once.
    func giveBody(_ body: ByteBuffer, to context: ChannelHandlerContext) {
        let count = body.readableBytes
        guard count > HTTPServerLimits.smallBytesMax else { return give(body, to: context) }
        // All of the buffer, not the rest that is to be sent: of one event each stream may have another rest.
        let key = body.withVeryUnsafeBytes { listener.bodies.hold(at: $0.baseAddress, count: count) }
        holding.noteWritten(count, as: key)
        context.write(wrapOutboundOut(body), promise: nil)
    }

    func flush() {
        if heldChunk != nil { return listener.sendSoon(self) }
        needsFlush = false
        context?.flush()
        noteHeld()
    }

    /// Looks what the connection holds, and tells the listener, who sums up.
    ///
    /// - Parameter exactly: also the few bytes with which a channel still counts as writable. Asking for them is not cheap.
    func noteHeld(exactly: Bool = false) {
        let before = holding.bytes
        let received = input.readableBytes + body.readableBytes
        var released: [HeldBodies.Key] = []
        if case .closed = phase {
            released = holding.look(unsent: 0, input: 0, second: listener.second)
        } else if !isWritable || exactly && holding.mayBeUnsent || holding.unsent > 0 || holding.holdsBodies
        {
            released = holding.look(unsent: unsentNow, input: received, second: listener.second)
        } else {
            holding.look(input: received)
        }
        listener.bytesOfConnections += holding.bytes - before
        for body in released { listener.bodies.release(body) }
    }

    /// More than a little is unsent, and the next request waits until all of it is gone: only then the channel says that it is writable
    /// again.
    var isHeldBack: Bool {
        guard case .head = phase, !isWritable else { return false }
        // What was gathered for one flush may be all of it.
        if needsFlush { flush() }
        return !isWritable
    }

    /// Enough was sent ahead.
    var mustHoldRead: Bool {
        if isWaitingForPlace { return true }
        if isAnswering { return input.readableBytes > HTTPServerLimits.pipelinedBytesMax }
        return input.readableBytes > 0 && isHeldBack
    }

    /// More has come of a request than there is room for while the listener holds too much.
    var isTooMuch: Bool {
        guard listener.isOverfull, input.readableBytes + body.readableBytes > HTTPServerLimits.smallBytesMax else { return false }
        return switch phase {
        case .head, .body: true
        case .answering, .streaming, .lingering, .closed: false
        }
    }
}
