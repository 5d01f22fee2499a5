import HTTPTransport
import NIOCore
import Raft
import Wire

/// How a connection that this member dialled came to its end.
enum ConnectionEnd: Sendable {
    case notConnected(DialFailure)
    /// The peer's word, or ours about the peer (`isOurs`).
    case refused(HelloRefusal, peerCluster: MemberID, isOurs: Bool)
    /// What came makes no sense.
    case broken(String)
    case closed

    var text: String {
        switch self {
        case .notConnected(let failure): failure.text
        case .refused(let refusal, _, _): refusal.text
        case .broken(let reason): reason
        case .closed: "connection closed"
        }
    }
}

/// Whoever uses a connection that it has dialled. Called on the loop.
protocol DialedConnectionOwner: AnyObject {
    /// Both sides have said hello and agree.
    func opened(_ connection: DialedConnection)
    /// - Parameter body: begins with the kind.
    func received(_ kind: FrameKind, _ body: [UInt8], on connection: DialedConnection)
    /// The system has taken what waited, and there is room for more.
    func becameWritable(_ connection: DialedConnection)
    /// Once, and last.
    func ended(_ connection: DialedConnection, _ end: ConnectionEnd)
}

/// A connection to a peer from this side: connects, says hello, checks the answer, then carries frames. Confined to the loop.
final class DialedConnection: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private enum Phase {
        case connecting
        case greeting
        case open
        case ended
    }

    let url: HTTPURL
    private let hello: Hello
    private let links: PeerLinks
    /// The owner keeps this connection, and so cannot be kept by it.
    private weak var owner: (any DialedConnectionOwner)?
    private var phase = Phase.connecting
    private var input = FrameInput()
    private var context: ChannelHandlerContext?
    private var deadline: Scheduled<Void>?
    /// What the peer understands; empty before its hello.
    private(set) var peerFeatures: Hello.Features = []
    /// Bytes given to `write` so far.
    private(set) var writtenBytes = 0

    init(_ purpose: Hello.Purpose, to member: MemberID, at url: HTTPURL, links: PeerLinks, owner: any DialedConnectionOwner) {
        self.url = url
        self.links = links
        self.owner = owner
        hello = Hello(purpose, from: links.identity, to: member)
    }

    func start() {
        let connection = NIOLoopBound(self, eventLoop: links.loop)
        PeerDialer.connect(to: url, for: hello.purpose, on: links.loop, links.limits, links.tls).whenComplete { result in
            let connection = connection.value
            switch result {
            case .failure(let error): connection.end(.notConnected(DialFailure(error)))
            case .success(let channel): connection.adopt(channel)
            }
        }
    }

    private func adopt(_ channel: any Channel) {
        guard case .connecting = phase else { return channel.close(promise: nil) }
        do {
            try channel.pipeline.syncOperations.addHandler(self)
        } catch {
            channel.close(promise: nil)
            end(.closed)
        }
    }

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        if context.channel.isActive { greet(context) }
    }

    func handlerRemoved(context: ChannelHandlerContext) { self.context = nil }

    func channelActive(context: ChannelHandlerContext) {
        greet(context)
        context.fireChannelActive()
    }

    private func greet(_ context: ChannelHandlerContext) {
        guard case .connecting = phase else { return }
        phase = .greeting
        var first = ByteBuffer(bytes: Hello.preface)
        first.writeImmutableBuffer(Frame.wrap(.hello) { hello.encode(into: &$0) })
        context.writeAndFlush(wrapOutboundOut(first), promise: nil)
        let connection = NIOLoopBound(self, eventLoop: links.loop)
        deadline = links.loop.scheduleTask(in: .seconds(Int64(links.limits.helloSecondsMax))) {
            connection.value.end(.broken("no answer to the hello"))
        }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        if case .ended = phase { return }
        input.append(unwrapInboundIn(data))
        while true {
            let bytesMax: Int
            switch phase {
            case .connecting, .greeting: bytesMax = PeerLimits.helloBytesMax
            case .open: bytesMax = PeerLimits.headerBytesMax
            case .ended: return
            }
            switch input.next(bytesMax: bytesMax) {
            case .incomplete: return
            case .broken(let fault): return end(.broken(fault.text))
            case .unknown(let kind): return end(.broken(FrameFault.unknown(kind)))
            case .frame(let kind, let body): take(kind, body)
            }
        }
    }

    private func take(_ kind: FrameKind, _ body: [UInt8]) {
        guard case .greeting = phase else {
            owner?.received(kind, body, on: self)
            return
        }
        guard kind == .helloReply, let reply = HelloReply(body) else { return end(.broken("no hello for an answer")) }
        let cluster = reply.hello.cluster
        if let refusal = reply.refusal { return end(.refused(refusal, peerCluster: cluster, isOurs: false)) }
        if let refusal = links.refusal(of: reply.hello, expected: hello.to) {
            return end(.refused(refusal, peerCluster: cluster, isOurs: true))
        }
        deadline?.cancel()
        phase = .open
        peerFeatures = reply.hello.features
        owner?.opened(self)
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        if case .open = phase, context.channel.isWritable { owner?.becameWritable(self) }
        context.fireChannelWritabilityChanged()
    }

    func channelInactive(context: ChannelHandlerContext) {
        end(.closed)
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        if let error = error as? IOError {
            end(.broken(DialFailure(error).text))
        } else {
            end(.closed)
        }
    }

    func end(_ reason: ConnectionEnd) {
        if case .ended = phase { return }
        phase = .ended
        deadline?.cancel()
        input = FrameInput()
        context?.close(promise: nil)
        let owner = owner
        self.owner = nil
        owner?.ended(self, reason)
    }

    /// Ends without a word to the owner.
    func abandon() {
        owner = nil
        end(.closed)
    }

    // Frames to the peer; thrown away when the connection is not open.

    func write(_ frame: ByteBuffer) {
        guard case .open = phase, let context else { return }
        writtenBytes += frame.readableBytes
        context.write(wrapOutboundOut(frame), promise: nil)
    }

    func flush() { context?.flush() }

    /// `sent` is called when the system has taken the bytes, or with false when it never will.
    func send(_ frame: ByteBuffer, sent: @escaping (Bool) -> Void) {
        guard case .open = phase, let context else { return sent(false) }
        let sent = NIOLoopBound(sent, eventLoop: links.loop)
        let promise = context.eventLoop.makePromise(of: Void.self)
        promise.futureResult.whenComplete { result in
            if case .success = result { sent.value(true) } else { sent.value(false) }
        }
        context.writeAndFlush(wrapOutboundOut(frame), promise: promise)
    }

    /// False while enough waits for the system to take it.
    var isWritable: Bool { context?.channel.isWritable ?? false }

    /// Bytes that the system has not taken yet.
    var unsentBytes: Int { (try? context?.channel.syncOptions?.getOption(.bufferedWritableBytes)) ?? 0 }
}
