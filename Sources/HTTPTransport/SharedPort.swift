import NIOCore

/// Another protocol on the same port: its connections begin with bytes that no HTTP request begins with.
package struct SecondProtocol {
    /// What its connections begin with; taken off before the protocol sees the first byte.
    package var preface: [UInt8]
    /// Adds the protocol's handlers to the channel; then the bytes that came behind the preface are read from there. An
    /// error closes the connection. When the client ends its side, the connection is closed.
    package var begin: (any Channel) throws -> Void

    package init(preface: [UInt8], begin: @escaping (any Channel) throws -> Void) {
        self.preface = preface
        self.begin = begin
    }
}

/// Waits for the first bytes of a fresh connection and gives it its protocol. Makes place for HTTP; with the other protocol it
/// stays, hands everything on, and so keeps count of the connection. Confined to the listener's loop.
final class FirstBytes: ChannelInboundHandler, RemovableChannelHandler, Listed {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer

    private enum Phase {
        case waiting
        /// The other protocol has it.
        case guest
        /// On the way out of the pipeline.
        case leaving
    }

    let listener: Listener
    var position = 0
    var number: UInt64 = 0
    private let second: SecondProtocol
    private let encryption: Encryption?
    let deadline: Int
    private var phase = Phase.waiting
    private var input = ByteBuffer()
    private var context: ChannelHandlerContext?

    init(listener: Listener, second: SecondProtocol, encryption: Encryption?) {
        self.listener = listener
        self.second = second
        self.encryption = encryption
        deadline = listener.second + listener.limits.headSecondsMax
    }

    var isWaiting: Bool {
        if case .waiting = phase { true } else { false }
    }

    func handlerAdded(context: ChannelHandlerContext) { self.context = context }

    func handlerRemoved(context: ChannelHandlerContext) {
        listener.remove(self)
        self.context = nil
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard case .waiting = phase else { return context.fireChannelRead(data) }
        var arrived = unwrapInboundIn(data)
        if input.readableBytes == 0 {
            input = arrived
        } else {
            input.writeBuffer(&arrived)
        }
        let count = min(input.readableBytes, second.preface.count)
        guard input.readableBytesView.prefix(count).elementsEqual(second.preface.prefix(count)) else { return beHTTP(context) }
        if count == second.preface.count { beGuest(context) }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case .some(.inputClosed) = event as? ChannelEvent {
            switch phase {
            // A part of the preface and then the end: nothing that HTTP could answer either, but it knows how to end.
            case .waiting: return beHTTP(context, event)
            case .guest: return context.close(promise: nil)
            case .leaving: break
            }
        }
        context.fireUserInboundEventTriggered(event)
    }

    func channelInactive(context: ChannelHandlerContext) {
        listener.remove(self)
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        if case .waiting = phase { return context.close(promise: nil) }
        context.fireErrorCaught(error)
    }

    /// - Parameter event: comes behind the bytes.
    private func beHTTP(_ context: ChannelHandlerContext, _ event: Any? = nil) {
        phase = .leaving
        listener.remove(self)
        do {
            try listener.addHTTP(to: context.channel, encryption: encryption, behind: self)
        } catch {
            return context.close(promise: nil)
        }
        if input.readableBytes > 0 { context.fireChannelRead(wrapInboundOut(input)) }
        input = ByteBuffer()
        if let event { context.fireUserInboundEventTriggered(event) }
        // Last: who has left has no successor to hand anything on to.
        context.pipeline.syncOperations.removeHandler(self, promise: nil)
    }

    private func beGuest(_ context: ChannelHandlerContext) {
        phase = .guest
        input.moveReaderIndex(forwardBy: second.preface.count)
        do {
            try second.begin(context.channel)
        } catch {
            return context.close(promise: nil)
        }
        if input.readableBytes > 0 { context.fireChannelRead(wrapInboundOut(input)) }
        input = ByteBuffer()
    }

    func close() {
        if let encryption { encryption.socket.close() } else { context?.close(promise: nil) }
    }

    /// Called once a second.
    func checkDeadline() {
        if case .waiting = phase, listener.second > deadline { close() }
    }

    /// The listener is going: nobody is made wait for a connection without a protocol. Guests belong to their protocol's owner.
    func drain() {
        if case .waiting = phase { close() }
    }
}
