import HTTPTransport
import NIOCore
import NIOHTTP1

/// One request on its way to a member, and the answer on its way back: piece by piece, the next when the client has taken the last.
///
/// A request that may have reached a member is sent to another only if it changes nothing: who proposes a change twice may find it done
/// twice. (etcd's proxy sends it again.) Confined to the proxy's loop.
final class Forwarding: MemberConnection.Hearer {
    private let door: ProxyDoor
    private let request: HTTPRequest
    /// Of requests that change something; others have none that anybody reads, and may last for hours.
    private let body: ByteBuffer
    private let exchange: HTTPExchange
    private let endpoints: [HTTPURL]
    private let start = NIODeadline.now()
    private var next = 0
    private var connection: MemberConnection?
    private var hasBegun = false
    private var isOver = false
    private let head: HTTPRequestHead

    init(_ request: HTTPRequest, on exchange: HTTPExchange, to endpoints: [HTTPURL], door: ProxyDoor) {
        body = request.verb == .get || request.verb == .head ? ByteBuffer() : request.body
        var request = request
        request.body = ByteBuffer()
        self.request = request
        self.exchange = exchange
        self.endpoints = endpoints
        self.door = door
        head = ForwardedFields.head(of: request, bodyBytes: body.readableBytes)
    }

    func begin() {
        // Holds itself until then: nobody else does.
        exchange.onClose { self.end(closing: true) }
        tryNext()
    }

    private func tryNext() {
        guard exchange.isOpen, !isOver else { return end(closing: true) }
        guard next < endpoints.count else { return giveUp(endpoints.count) }
        let url = endpoints[next]
        next += 1
        door.connections.connect(to: url) { [self] result in
            switch result {
            case .success(let made):
                guard exchange.isOpen, !isOver else { return door.connections.giveBack(made) }
                connection = made
                made.send(head(for: url), body, for: self)
            case .failure(.tooMany):
                door.metrics.dropped(request.verb, .failedSending)
                refuse(.serviceUnavailable, "too many connections")
            case .failure(.failed(let reason)):
                door.metrics.dropped(request.verb, .failedSending)
                door.endpoints.setAside(url, because: reason)
                tryNext()
            }
        }
    }

    /// A client that speaks HTTP/1.0 names no host, and a member must be told one.
    private func head(for url: HTTPURL) -> HTTPRequestHead {
        guard head.headers[canonicalForm: "host"].isEmpty else { return head }
        var head = head
        head.headers.add(name: "Host", value: url.hostHeader)
        return head
    }

    func heard(_ news: MemberConnection.News) {
        guard exchange.isOpen, !isOver else { return end(closing: true) }
        if let head = news.head {
            hasBegun = true
            door.metrics.handled(request.verb, status: UInt16(head.status.code), after: .now() - start)
            if news.isEnd, !isForHead(head) { return answer(head, news.body) }
            startStream(head)
        }
        guard news.body.readableBytes > 0 else {
            if news.isEnd { return finish() }
            exchange.flush()
            connection?.read()
            return
        }
        let forwarding = NIOLoopBound(self, eventLoop: exchange.eventLoop)
        let isEnd = news.isEnd
        exchange.send(news.body) { isSent in
            let forwarding = forwarding.value
            guard isSent, !forwarding.isOver else { return forwarding.end(closing: true) }
            if isEnd { forwarding.finish() } else { forwarding.connection?.read() }
        }
    }

    func broke(_ reason: String, isUnsent: Bool, blames isBlamed: Bool) {
        guard !isOver else { return }
        let broken = connection
        connection = nil
        guard !hasBegun else {
            isOver = true
            return exchange.abort()
        }
        door.metrics.dropped(request.verb, .failedSending)
        // One that was kept may have been closed at just that moment, which says nothing about the member. Nor does what comes of a verb that no
        // client of the API sends: anybody could have all members set aside with it.
        guard isBlamed, request.verb != .other else { return giveUp(1) }
        if let broken, !broken.isUsed { door.endpoints.setAside(broken.url, because: reason) }
        let changesNothing =
            switch request.verb {
            case .get, .head, .options: true
            case .put, .post, .delete, .other: false
            }
        guard isUnsent || changesNothing else { return giveUp(1) }
        // A kept connection that was dead is no attempt.
        if broken?.isUsed == true { next -= 1 }
        tryNext()
    }

    /// A whole answer, in one piece.
    private func answer(_ head: HTTPResponseHead, _ body: ByteBuffer) {
        exchange.respond(HTTPStatus(UInt16(head.status.code)), nil, body: body) { ForwardedFields.write(head.headers, into: &$0) }
        end(closing: false)
    }

    private func startStream(_ head: HTTPResponseHead) {
        let length = head.headers.first(name: "Content-Length").flatMap { UInt64($0) }
        exchange.startStream(HTTPStatus(UInt16(head.status.code)), nil, contentLength: length) {
            ForwardedFields.write(head.headers, into: &$0)
        }
    }

    /// Tells the length of a body that does not come.
    private func isForHead(_ head: HTTPResponseHead) -> Bool { request.verb == .head && !HTTPStatus(UInt16(head.status.code)).hasNoBody }

    private func finish() {
        exchange.endStream()
        end(closing: false)
    }

    private func giveUp(_ count: Int) {
        door.metrics.dropped(request.verb, .failedGetting)
        refuse(.badGateway, "unable to get response from \(count) endpoint(s)")
    }

    private func refuse(_ status: HTTPStatus, _ reason: String) {
        ProxyDoor.refuse(exchange, status, reason)
        end(closing: true)
    }

    private func end(closing isClosing: Bool) {
        isOver = true
        guard let connection else { return }
        self.connection = nil
        if isClosing { connection.close() } else { door.connections.giveBack(connection) }
    }
}
