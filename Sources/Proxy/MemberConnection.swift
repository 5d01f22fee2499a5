import HTTPTransport
import NIOCore
import NIOHTTP1

/// A connection to a member, used for one request after the other. Reads only when asked: what a client does not take stays at the member.
/// Confined to the proxy's loop.
final class MemberConnection: ChannelInboundHandler {
    typealias InboundIn = HTTPClientResponsePart
    typealias OutboundOut = HTTPClientRequestPart

    /// Who hears of the answer; one at a time.
    protocol Hearer: AnyObject {
        /// All that came by one read. Ask for more with `read`.
        func heard(_ news: MemberConnection.News)
        /// There will be no more.
        ///
        /// - Parameter isUnsent: No byte of the request can have reached the member.
        /// - Parameter blames: the member may be out of order; false: it was too much, or wrong, what it was sent.
        func broke(_ reason: String, isUnsent: Bool, blames isBlamed: Bool)
    }

    struct News {
        var head: HTTPResponseHead?
        var body = ByteBuffer()
        var isEnd = false

        var isEmpty: Bool { head == nil && body.readableBytes == 0 && !isEnd }
    }

    let url: HTTPURL
    /// It has carried an answer before.
    private(set) var isUsed = false
    /// When it was last given back.
    var idleSince = NIODeadline.now()
    private(set) var isReusable = true
    private weak var hearer: (any Hearer)?
    private let configuration: ProxyConfiguration
    private let gone: (MemberConnection) -> Void
    private var context: ChannelHandlerContext?
    private var news = News()
    private var silence: Scheduled<Void>?
    private var isAnswering = false

    /// - Parameter gone: hears, once, that the connection is closed.
    init(_ url: HTTPURL, _ configuration: ProxyConfiguration, gone: @escaping (MemberConnection) -> Void) {
        self.url = url
        self.configuration = configuration
        self.gone = gone
    }

    /// Sends a request whose answer `hearer` gets; it must be the only one.
    func send(_ head: HTTPRequestHead, _ body: ByteBuffer, for hearer: any Hearer) {
        guard let context, context.channel.isActive else { return hearer.broke("connection closed", isUnsent: true, blames: true) }
        self.hearer = hearer
        isAnswering = true
        news = News()
        context.write(wrapOutboundOut(.head(head)), promise: nil)
        if body.readableBytes > 0 { context.write(wrapOutboundOut(.body(.byteBuffer(body))), promise: nil) }
        let connection = NIOLoopBound(self, eventLoop: context.eventLoop)
        let limit = context.eventLoop.scheduleTask(in: configuration.writeTimeout) {
            // It may let large bodies wait for each other.
            connection.value.fail("write: i/o timeout", blames: body.readableBytes <= MemberConnection.smallBytesMax)
        }
        let promise = context.eventLoop.makePromise(of: Void.self)
        promise.futureResult.whenComplete { result in
            limit.cancel()
            if case .failure(let error) = result { connection.value.fail("write: \(error)", blames: !Self.isOfRequest(error)) }
        }
        context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: promise)
        read()
    }

    /// Asks for what comes next.
    func read() {
        guard let context else { return }
        if isAnswering, let limit = configuration.readTimeout {
            silence?.cancel()
            let connection = NIOLoopBound(self, eventLoop: context.eventLoop)
            silence = context.eventLoop.scheduleTask(in: limit) { connection.value.fail("read: i/o timeout") }
        }
        context.read()
    }

    /// The answer is complete, and nobody waits for anything: its end is still noticed.
    func rest() {
        hearer = nil
        isAnswering = false
        isUsed = true
        silence?.cancel()
        read()
    }

    func close() {
        hearer = nil
        context?.close(promise: nil)
    }

    // Events of the channel.

    func handlerAdded(context: ChannelHandlerContext) { self.context = context }

    func handlerRemoved(context: ChannelHandlerContext) { self.context = nil }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head):
            news.head = head
            if head.version != .http1_1 || head.headers[canonicalForm: "connection"].contains(where: { $0.lowercased() == "close" }) {
                isReusable = false
            }
        case .body(var piece):
            if news.body.readableBytes == 0 { news.body = piece } else { news.body.writeBuffer(&piece) }
        case .end:
            news.isEnd = true
            silence?.cancel()
        }
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        guard isAnswering else {
            // Nobody has asked for anything.
            if news.isEmpty { read() } else { close() }
            return
        }
        if news.isEmpty { return read() }
        silence?.cancel()
        deliver()
    }

    private func deliver() {
        let (told, hearer) = (news, hearer)
        news = News()
        if told.isEnd {
            // Whatever becomes of the connection now is no part of this answer.
            self.hearer = nil
            isAnswering = false
        }
        hearer?.heard(told)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { fail("\(error)", blames: !Self.isOfRequest(error)) }

    /// The library refuses to write it.
    private static func isOfRequest(_ error: any Error) -> Bool { (error as? HTTPParserError) == .invalidHeaderToken }

    private static let smallBytesMax = 64 << 10

    func channelInactive(context: ChannelHandlerContext) {
        // What came with the end counts before it.
        if !news.isEmpty, isAnswering { deliver() }
        fail("EOF")
        gone(self)
        context.fireChannelInactive()
    }

    private func fail(_ reason: String, blames isBlamed: Bool = true) {
        silence?.cancel()
        isReusable = false
        let told = hearer
        hearer = nil
        context?.close(promise: nil)
        told?.broke(reason, isUnsent: false, blames: isBlamed)
    }
}
