import NIOCore
import Raft
import Wire

/// A connection that somebody dialled to this member's peer port: checks the hello, then takes messages or a snapshot.
/// Anything may come; what makes no sense ends the connection. Confined to the loop.
final class AcceptedConnection: ChannelDuplexHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private enum Phase {
        case greeting
        case messages
        case snapshot(SnapshotReceiver)
        /// Refused or done: only what was written is still to be sent.
        case leaving
        case ended
    }

    /// `.none` before the hello.
    private(set) var member = MemberID.none
    private let links: PeerLinks
    private var phase = Phase.greeting
    private var input = FrameInput()
    private var parts = PartsInput()
    private var context: ChannelHandlerContext?
    private var isReadHeld = false
    /// Whole seconds without a byte.
    private var silentSeconds = 0

    init(links: PeerLinks) { self.links = links }

    var isForMessages: Bool {
        if case .messages = phase { true } else { false }
    }

    func handlerAdded(context: ChannelHandlerContext) { self.context = context }

    func handlerRemoved(context: ChannelHandlerContext) {
        // Also the end of a channel that never became active.
        ended(.closed)
        self.context = nil
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch phase {
        case .leaving, .ended: return
        case .greeting, .messages, .snapshot: silentSeconds = 0
        }
        let arrived = unwrapInboundIn(data)
        if case .messages = phase { links.counted(arrived.readableBytes, from: member) }
        input.append(arrived)
        while true {
            let bytesMax: Int
            switch phase {
            case .greeting: bytesMax = PeerLimits.helloBytesMax
            case .messages: bytesMax = links.frameBytesMax(of: member)
            case .snapshot: bytesMax = links.limits.chunkBytesMax + PeerLimits.headerBytesMax
            case .leaving, .ended: return
            }
            switch input.next(bytesMax: bytesMax) {
            case .incomplete: return
            case .broken(let fault): return giveUp(fault.text)
            case .unknown(let kind):
                // Among messages a later version may say more than this one understands: both work together while members are replaced
                // one by one, so it must not cost the connection.
                guard isForMessages else { return giveUp(FrameFault.unknown(kind)) }
            case .frame(let kind, let body): take(kind, body)
            }
        }
    }

    /// A snapshot that comes faster than the disk takes it makes the kernel's buffer, and then the sender, wait.
    func read(context: ChannelHandlerContext) {
        if case .snapshot(let receiver) = phase, receiver.isBehind { isReadHeld = true } else { context.read() }
    }

    /// The receiver has written what waited.
    func caughtUp() {
        guard isReadHeld else { return }
        isReadHeld = false
        context?.read()
    }

    private func take(_ kind: FrameKind, _ body: [UInt8]) {
        switch phase {
        case .greeting:
            var reader = ByteReader(body, from: 1)
            guard kind == .hello, let hello = Hello(from: &reader) else { return giveUp("no hello") }
            greeted(hello)
        case .messages: takeMessages(kind, body)
        case .snapshot(let receiver): receiver.received(kind, body)
        case .leaving, .ended: return
        }
    }

    private func greeted(_ hello: Hello) {
        let refusal = links.refusal(of: hello, expected: hello.from)
        var answer = Hello(hello.purpose, from: links.identity, to: hello.from)
        answer.protocolVersion = Hello.protocolVersion
        send(Frame.wrap(HelloReply(hello: answer, refusal: refusal).frame))
        if let refusal {
            links.notice(.refused(hello, refusal, local: links.identity))
            return closeAfterSending()
        }
        member = hello.from
        switch hello.purpose {
        case .messages:
            phase = .messages
            links.began(self)
        case .snapshot: phase = .snapshot(SnapshotReceiver(links: links, connection: self, from: hello.from))
        }
    }

    private func takeMessages(_ kind: FrameKind, _ body: [UInt8]) {
        switch kind {
        case .messages: takeMessages(body, from: 1)
        case .part:
            switch parts.append(body, bytesMax: links.frameBytesMax(of: member)) {
            case .incomplete: return
            case .broken(let reason): giveUp(reason)
            case .whole(let bytes): takeMessages(bytes, from: 0)
            }
        case .ping:
            guard body.count == 9 else { return giveUp("a malformed ping") }
            // A peer that pings and never reads its answers must not make them pile up.
            guard context?.channel.isWritable == true else { return }
            send(Frame.wrap([FrameKind.pong.rawValue] + body[1...]))
        case .time:
            var reader = ByteReader(body, from: 1)
            guard let word = reader.readWord(), reader.isAtEnd else { return giveUp("a malformed time") }
            links.handlers.clockTold(Int64(bitPattern: word), member)
        case .addresses:
            guard let addresses = AcceptedConnection.addresses(body) else { return giveUp("malformed addresses") }
            links.told(addresses, on: self)
        case .hello, .helloReply, .pong, .snapshotHeader, .snapshotReply, .snapshotChunk, .snapshotEnd:
            giveUp("a frame of kind \(kind.rawValue) among messages")
        }
    }

    private func takeMessages(_ bytes: [UInt8], from start: Int) {
        guard let messages = PeerMessageCodec.decode(bytes, from: start) else {
            return giveUp("a frame of what is no message of version \(PeerMessageCodec.version)")
        }
        links.received(messages, on: self)
    }

    private static func addresses(_ body: [UInt8]) -> [String]? {
        var reader = ByteReader(body, from: 1)
        guard let count = reader.readByte(), Int(count) <= PeerLimits.addressesMax else { return nil }
        var addresses: [String] = []
        for _ in 0..<count {
            guard let bytes = reader.readString(), bytes.count <= PeerLimits.addressBytesMax else { return nil }
            addresses.append(String(decoding: bytes, as: UTF8.self))
        }
        return reader.isAtEnd ? addresses : nil
    }

    func send(_ frame: ByteBuffer) { context?.writeAndFlush(wrapOutboundOut(frame), promise: nil) }

    /// Ends this side. The other has a few seconds to read what was said and to close: closing with its bytes unread would
    /// reset the connection and destroy our last word.
    func closeAfterSending() {
        guard let context else { return }
        if case .ended = phase { return }
        phase = .leaving
        silentSeconds = 0
        caughtUp()
        let connection = NIOLoopBound(self, eventLoop: links.loop)
        let promise = context.eventLoop.makePromise(of: Void.self)
        promise.futureResult.whenComplete { _ in connection.value.context?.close(mode: .output, promise: nil) }
        context.writeAndFlush(wrapOutboundOut(ByteBuffer()), promise: promise)
    }

    /// The bytes make no sense: nothing that follows them can.
    func giveUp(_ reason: String) {
        links.notice(.broken(member, because: reason))
        ended(.broken(reason))
        context?.close(promise: nil)
    }

    func channelInactive(context: ChannelHandlerContext) {
        ended(.closed)
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        ended(.closed)
        context.close(promise: nil)
    }

    private func ended(_ end: ConnectionEnd) {
        let before = phase
        phase = .ended
        input = FrameInput()
        parts = PartsInput()
        switch before {
        case .ended: return
        case .snapshot(let receiver): receiver.connectionEnded(end.text)
        case .greeting, .messages, .leaving: break
        }
        links.ended(self, end)
    }

    func close() {
        ended(.closed)
        context?.close(promise: nil)
    }

    /// Called once a second.
    func checkDeadline() {
        silentSeconds += 1
        let secondsMax: Int
        switch phase {
        case .greeting, .leaving: secondsMax = links.limits.helloSecondsMax
        case .messages: secondsMax = links.limits.silentSecondsMax
        case .snapshot(let receiver):
            // While it is our turn, the sender has nothing to say.
            if receiver.isWorking { silentSeconds = 0 }
            secondsMax = links.limits.transferSilentSecondsMax
        case .ended: return
        }
        if silentSeconds > secondsMax { close() }
    }
}
