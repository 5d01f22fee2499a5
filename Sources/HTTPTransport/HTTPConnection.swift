import NIOCore

/// One client connection: bytes in, requests to the responder, answers out (RFC 9112).
///
/// The only handler of its channel. Requests are answered one at a time; what a pipelining client has sent ahead waits
/// in `input`, also while answers before it are not taken, and beyond a bound the socket is read no more. `+Holding` is
/// what the connection holds in memory. Confined to the listener's loop.
final class HTTPConnection: ChannelDuplexHandler, Listed {
    typealias InboundIn = ByteBuffer
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    enum Phase {
        case head
        /// The head is understood, `body` is arriving.
        case body(ParsedHead, BodyReader)
        /// The responder has the request.
        case answering
        /// The head of a stream is sent.
        case streaming
        /// The last answer is sent: input is thrown away until the client closes.
        case lingering
        case closed
    }

    enum BodyReader {
        case bytes(remaining: Int)
        case chunked(ChunkedBody)
    }

    let listener: Listener
    var position = 0
    var number: UInt64 = 0
    var deadline = Int.max

    var phase = Phase.head
    var input = ByteBuffer()
    var body = ByteBuffer()
    var parser: HeadParser

    /// Counts requests; an exchange with an older number is over.
    var generation: UInt64 = 0
    var commonFields = ByteBuffer()
    /// The responder's.
    var memory: AnyObject?
    var onClose: (() -> Void)?
    var onInputClosed: (() -> Void)?
    /// What the answer must know of its request.
    var isHead = false
    var isHTTP10 = false
    var isKeepAlive = true
    /// True when bytes of the request are still to come that nobody will use.
    var leavesInput = false
    var streamIsChunked = false

    var context: ChannelHandlerContext?
    var remoteAddress: [UInt8] = []
    var isProcessing = false
    var needsFlush = false
    /// The socket of a stream, for `HTTPConnection+Streams`; negative before there is one.
    var descriptor: CInt = -1
    /// A chunk of a stream that waits for the flush outside of the channel.
    var heldChunk: ByteBuffer?
    /// The channel was given parts of the stream, and may not have sent all of them yet: at most so many bytes.
    var mayHaveUnsentParts = false
    var unflushedBytes = 0
    var isReadHeld = false
    var isInputClosed = false
    /// Among those whose large body is in service, or waits to be: see `LargeBodies`.
    var hasPlace = false
    var isWaitingForPlace = false
    /// The client waits for `100 Continue`.
    var mustContinue = false
    var holding = Holding()
    /// Nil in clear.
    private(set) var encryption: Encryption?
    private var sealedWriter: SealedWriter?

    init(listener: Listener) {
        self.listener = listener
        parser = HeadParser(bytesMax: listener.limits.headBytesMax, fieldsMax: listener.limits.headFieldsMax)
    }

    var eventLoop: any EventLoop { listener.loop }

    var isAnswering: Bool {
        switch phase {
        case .answering, .streaming: true
        case .head, .body, .lingering, .closed: false
        }
    }

    /// Before it comes into its channel.
    func encrypt(_ encryption: Encryption, _ writer: SealedWriter) {
        self.encryption = encryption
        sealedWriter = writer
    }

    /// False from the moment when more than a little is unsent until all of it is gone.
    var isWritable: Bool { context.map { $0.channel.isWritable && sealedWriter?.isWritable ?? true } ?? true }

    /// Bytes that the socket has not taken; none when the channel is closed, which is all that can fail here.
    var unsentNow: Int {
        guard let channel = context?.channel else { return 0 }
        return ((try? channel.syncOptions?.getOption(.bufferedWritableBytes)) ?? 0) + (sealedWriter?.bytes ?? 0)
    }

    // Events of the channel.

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        deadline = listener.second + listener.limits.headSecondsMax
        // On a port with two protocols this handler comes when the first bytes do.
        if context.channel.isActive { noteRemoteAddress(context) }
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        // Also the end of a channel that never became active.
        listener.remove(self)
        self.context = nil
    }

    func channelActive(context: ChannelHandlerContext) {
        noteRemoteAddress(context)
        context.fireChannelActive()
    }

    private func noteRemoteAddress(_ context: ChannelHandlerContext) {
        remoteAddress = Self.text(context.remoteAddress)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var arrived = unwrapInboundIn(data)
        holding.noteReceived(arrived.readableBytes)
        switch phase {
        case .lingering, .closed: return
        case .head, .body, .answering, .streaming: break
        }
        if input.readableBytes == 0 {
            input = arrived
        } else {
            input.writeBuffer(&arrived)
        }
        process()
    }

    /// Holding back a read makes the kernel's buffer, and then the client, wait.
    func read(context: ChannelHandlerContext) {
        if mustHoldRead { isReadHeld = true } else { context.read() }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        guard case .some(.inputClosed) = event as? ChannelEvent else {
            context.fireUserInboundEventTriggered(event)
            return
        }
        isInputClosed = true
        // A client that has sent its request and shut its side down still gets the answer; a watcher is taken for gone.
        switch phase {
        case .answering:
            isKeepAlive = false
            // This is the last request that is answered: what was sent ahead is of no use.
            input = ByteBuffer()
            tellInputClosed()
        case .head: endAfterSending()
        case .body, .streaming, .lingering, .closed: close()
        }
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        if isWritable {
            noteHeld()
            // A long answer may have taken longer than the deadline set when it was written.
            if deadline != Int.max { deadline = max(deadline, listener.second + listener.limits.writeSecondsMax) }
            if case .head = phase, input.readableBytes > 0 || isReadHeld { processSoon() }
        }
        context.fireChannelWritabilityChanged()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { close() }

    func channelInactive(context: ChannelHandlerContext) {
        phase = .closed
        generation &+= 1
        input = ByteBuffer()
        body = ByteBuffer()
        heldChunk = nil
        leavePlace()
        noteHeld()
        listener.remove(self)
        onInputClosed = nil
        tell(&onClose)
        context.fireChannelInactive()
    }

    func tellInputClosed() { tell(&onInputClosed) }

    /// Tells the responder in a turn of its own: a connection also ends in the middle of a write, and who writes may be in the middle of
    /// something that must not change meanwhile.
    private func tell(_ hearer: inout (() -> Void)?) {
        guard let told = hearer else { return }
        hearer = nil
        let bound = NIOLoopBound(told, eventLoop: eventLoop)
        eventLoop.execute { bound.value() }
    }

    /// Who is in the middle of an answer gets no farewell: without one it knows that this is not its end.
    func close() {
        guard let encryption else {
            context?.close(promise: nil)
            return
        }
        guard case .head = phase, holding.unsent == 0 else { return encryption.socket.close() }
        phase = .lingering
        deadline = listener.second + HTTPServerLimits.lingerSeconds
        context?.close(promise: nil)
    }

    /// Called once a second.
    func checkDeadline() {
        noteHeld(exactly: true)
        holding.tick(listener.second)
        if isWaitingForPlace, listener.second > deadline { return giveUpPlace() }
        if holding.unsent > 0, listener.second - holding.lastTaken > listener.limits.writeSecondsMax { return close() }
        // Between requests and at the end, time counts from the last byte taken.
        if holding.unsent == 0 || isReceivingBody, listener.second > deadline { close() }
    }

    private var isReceivingBody: Bool {
        if case .body = phase { true } else { false }
    }

    /// The listener is going: idle connections close now, others after their answer.
    func drain() {
        if case .head = phase, input.readableBytes == 0 { endAfterSending() } else { isKeepAlive = false }
    }

    static func text(_ address: SocketAddress?) -> [UInt8] {
        guard let address, var ip = address.ipAddress, let port = address.port else { return Array("@".utf8) }
        // An IPv4 client of a socket for both.
        if ip.hasPrefix("::ffff:"), ip.contains(".") { ip.removeFirst(7) }
        return Array((ip.utf8.contains(UInt8(ascii: ":")) ? "[\(ip)]:\(port)" : "\(ip):\(port)").utf8)
    }
}
