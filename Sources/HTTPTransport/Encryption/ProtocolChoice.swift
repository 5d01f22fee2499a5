import NIOCore
import NIOSSL
import NIOTLS
import TLS

/// Brings a fresh connection of an encrypted port through its handshake, sees who is there, and hands it to what is spoken then. The one
/// place where it is decided whether a connection is encrypted, and for which protocol. Confined to the listener's loop.
///
/// Nothing is made for the connection before its first byte. What comes of one without a handshake is closed, or served in clear if the port
/// has both schemes.
final class ProtocolChoice: ChannelDuplexHandler, RemovableChannelHandler, Listed {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer
    typealias OutboundIn = ByteBuffer

    private enum Phase {
        case waiting
        case handshaking(NIOSSLServerHandler, SocketEnd)
        /// The handshake is over; a name server is asked whether the certificate is the client's.
        case judging(SocketEnd)
        case leaving
    }

    let listener: Listener
    var position = 0
    var number: UInt64 = 0
    let deadline: Int
    private let policy: TLSPolicy
    private let takesClear: Bool
    private var phase = Phase.waiting
    private var input = ByteBuffer()
    private var isReadHeld = false
    private var context: ChannelHandlerContext?

    /// The first byte of a TLS connection: the record type of a handshake (RFC 8446 §5.1). No HTTP request begins with it.
    private static let handshakeByte: UInt8 = 22

    init(listener: Listener, policy: TLSPolicy, takesClear: Bool) {
        self.listener = listener
        self.policy = policy
        self.takesClear = takesClear
        deadline = listener.second + listener.limits.handshakeSecondsMax
    }

    func handlerAdded(context: ChannelHandlerContext) { self.context = context }

    func handlerRemoved(context: ChannelHandlerContext) {
        listener.remove(self)
        self.context = nil
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch phase {
        case .waiting: begin(context, with: unwrapInboundIn(data))
        // The encryption hands on nothing before the handshake is over.
        case .handshaking: break
        case .judging:
            var arrived = unwrapInboundIn(data)
            input.writeBuffer(&arrived)
        case .leaving: context.fireChannelRead(data)
        }
    }

    func read(context: ChannelHandlerContext) {
        if case .judging = phase { isReadHeld = true } else { context.read() }
    }

    private func begin(_ context: ChannelHandlerContext, with bytes: ByteBuffer) {
        guard let first = bytes.readableBytesView.first else { return }
        guard first == Self.handshakeByte else {
            guard takesClear else { return close() }
            input = bytes
            return hand(over: context, encryption: nil)
        }
        do {
            let handler = try policy.serverHandler()
            let pipeline = context.pipeline.syncOperations
            try pipeline.addHandler(handler, position: .before(self))
            phase = .handshaking(handler, try SocketEnd(of: handler, in: pipeline))
            // Once more from the front.
            pipeline.fireChannelRead(NIOAny(bytes))
        } catch {
            close()
        }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        switch phase {
        case .waiting, .judging:
            if case .some(.inputClosed) = event as? ChannelEvent { return close() }
        case .handshaking(let handler, let socket):
            if case .handshakeCompleted(let name) = event as? TLSUserEvent {
                return judge(context, handler, socket, ApplicationProtocol(negotiated: name))
            }
            // The reason, if there is one, has come before as an error.
            if case .some(.inputClosed) = event as? ChannelEvent { return close() }
        case .leaving: break
        }
        context.fireUserInboundEventTriggered(event)
    }

    private func judge(_ context: ChannelHandlerContext, _ handler: NIOSSLServerHandler, _ socket: SocketEnd, _ spoken: ApplicationProtocol) {
        // So far there is one.
        switch spoken {
        case .http1: break
        }
        let address = context.remoteAddress?.ipAddress
        switch policy.judge(handler.peerCertificate, from: address) {
        case .admitted(let facts): enter(context, socket, facts)
        case .refused(let reason): refuse(reason)
        case .undecided(let facts):
            phase = .judging(socket)
            let bound = NIOLoopBound(self, eventLoop: listener.loop)
            let time = TimeAmount.seconds(Int64(listener.limits.handshakeSecondsMax))
            listener.names.admit(facts, from: address ?? "", within: time).whenComplete { result in
                let choice = bound.value
                guard case .judging(let socket) = choice.phase, let context = choice.context else { return }
                switch result {
                case .success(.admitted(let facts)): choice.enter(context, socket, facts)
                case .success(.refused(let reason)): choice.refuse(reason)
                case .success(.undecided), .failure: choice.refuse(TLSPolicy.unanswered)
                }
            }
        }
    }

    private func enter(_ context: ChannelHandlerContext, _ socket: SocketEnd, _ facts: CertificateFacts?) {
        // A certificate names a user only where each client must have one (server.md §5.5).
        let name = policy.settings.requiresCertificate ? facts?.commonName ?? "" : ""
        hand(over: context, encryption: Encryption(socket: socket, commonName: Array(name.utf8)))
    }

    private func hand(over context: ChannelHandlerContext, encryption: Encryption?) {
        let held = input
        input = ByteBuffer()
        phase = .leaving
        listener.remove(self)
        do {
            try listener.begin(context.channel, encryption: encryption, behind: self)
        } catch {
            return close()
        }
        if held.readableBytes > 0 { context.fireChannelRead(wrapInboundOut(held)) }
        if isReadHeld { context.read() }
        // Last: who has left has no successor to hand anything on to.
        context.pipeline.syncOperations.removeHandler(self, promise: nil)
    }

    private func refuse(_ reason: String) {
        listener.tellRejected(context?.remoteAddress, reason)
        close()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        switch phase {
        case .waiting, .judging: close()
        case .handshaking:
            // Who goes away in the middle is not worth a line: port scanners and load balancers do.
            if let reason = TLSErrorText.text(error), reason != "EOF" { listener.tellRejected(context.remoteAddress, reason) }
            close()
        case .leaving: context.fireErrorCaught(error)
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        listener.remove(self)
        context.fireChannelInactive()
    }

    /// Without a farewell: there is nobody yet who would understand it.
    func close() {
        switch phase {
        case .handshaking(_, let socket), .judging(let socket):
            // What encryption has said of the reason has been written already.
            socket.close()
        case .waiting, .leaving: context?.close(promise: nil)
        }
    }

    /// Called once a second.
    func checkDeadline() { if listener.second > deadline { close() } }
}
