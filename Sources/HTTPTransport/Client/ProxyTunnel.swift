import NIOCore

/// Has an HTTP proxy open a tunnel (RFC 9110 §9.3.6) before the handlers behind it hear of the connection, and is gone then. It stands first.
final class ProxyTunnel: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer
    typealias OutboundOut = ByteBuffer

    /// Of the proxy's answer.
    private static let answerBytesMax = 16 << 10

    private let target: HTTPURL.Address
    private let proxy: HTTPURL.Address
    private let deadline: NIODeadline
    private var answer = ByteBuffer()
    private var timer: Scheduled<Void>?
    private var isOver = false

    /// - Parameter deadline: for the proxy to have opened it.
    init(to target: HTTPURL.Address, by proxy: HTTPURL.Address, until deadline: NIODeadline) {
        self.target = target
        self.proxy = proxy
        self.deadline = deadline
    }

    func channelActive(context: ChannelHandlerContext) {
        timer = context.eventLoop.assumeIsolated().scheduleTask(deadline: deadline) {
            self.fail(.timedOut(.connect, address: self.proxy.description), context)
        }
        let request = "CONNECT \(target) HTTP/1.1\r\nHost: \(target)\r\n\r\n"
        context.writeAndFlush(wrapOutboundOut(context.channel.allocator.buffer(string: request)), promise: nil)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard !isOver else { return context.fireChannelRead(data) }
        var more = unwrapInboundIn(data)
        answer.writeBuffer(&more)
        guard let end = Self.end(of: answer.readableBytesView) else {
            if answer.readableBytes > Self.answerBytesMax { refuse("too long an answer", context) }
            return
        }
        let line = String(decoding: answer.readableBytesView.prefix { $0 != UInt8(ascii: "\r") }, as: UTF8.self)
        let words = line.split(separator: " ", maxSplits: 2)
        guard words.count >= 2, words[0].hasPrefix("HTTP/1."), let status = UInt16(words[1]) else { return refuse("no HTTP answer", context) }
        guard (200..<300).contains(status) else { return refuse(words.dropFirst().joined(separator: " "), context) }
        isOver = true
        timer?.cancel()
        answer.moveReaderIndex(forwardBy: end)
        context.fireChannelActive()
        if answer.readableBytes > 0 {
            context.fireChannelRead(wrapInboundOut(answer))
            context.fireChannelReadComplete()
        }
        context.pipeline.syncOperations.removeHandler(self, promise: nil)
    }

    func channelInactive(context: ChannelHandlerContext) {
        if !isOver { refuse("EOF", context) }
        context.fireChannelInactive()
    }

    /// Bytes until behind the empty line.
    private static func end(of bytes: ByteBufferView) -> Int? {
        bytes.firstRange(of: Array("\r\n\r\n".utf8)).map { bytes.distance(from: bytes.startIndex, to: $0.upperBound) }
    }

    private func refuse(_ reason: String, _ context: ChannelHandlerContext) {
        fail(.connectFailed(address: target.description, reason: "the proxy \(proxy) opens no tunnel: \(reason)"), context)
    }

    private func fail(_ error: HTTPClientError, _ context: ChannelHandlerContext) {
        guard !isOver else { return }
        isOver = true
        timer?.cancel()
        context.fireErrorCaught(error)
        context.close(promise: nil)
    }
}
