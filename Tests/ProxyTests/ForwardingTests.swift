import HTTPTransport
import Logging
import NIOCore
import NIOPosix
import Synchronization
import TestSupport
import Testing

@testable import Proxy

/// A member of a few lines: what it is sent, a closure answers with bytes.
final class ScriptedMember: Sendable {
    enum Answer: Sendable {
        case bytes(String)
        /// The connection ends.
        case hangUp
        case silence
    }

    let heard = Mutex<[String]>([])
    let connections = Mutex<Int>(0)
    private let channel = Mutex<(any Channel)?>(nil)
    private let answer: @Sendable (_ request: String, _ number: Int) -> Answer

    init(_ answer: @escaping @Sendable (_ request: String, _ number: Int) -> Answer) { self.answer = answer }

    func listen() async throws -> String {
        let channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    self.connections.withLock { $0 += 1 }
                    try channel.pipeline.syncOperations.addHandler(Handler(self))
                }
            }.bind(host: "127.0.0.1", port: 0).get()
        self.channel.withLock { $0 = channel }
        return "http://127.0.0.1:\(channel.localAddress?.port ?? 0)"
    }

    func close() async throws { try await channel.withLock { $0 }?.close() }

    private final class Handler: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        typealias OutboundOut = ByteBuffer
        private let member: ScriptedMember
        private var input = ""

        init(_ member: ScriptedMember) { self.member = member }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            input += String(buffer: unwrapInboundIn(data))
            guard let end = input.firstRange(of: "\r\n\r\n") else { return }
            let length = input.firstMatch(of: /(?i)content-length: (\d+)/).flatMap { Int($0.1) } ?? 0
            guard input[end.upperBound...].utf8.count >= length else { return }
            let request = input
            input = ""
            let number = member.heard.withLock { heard in
                heard.append(request)
                return heard.count
            }
            switch member.answer(request, number) {
            case .silence: break
            case .hangUp: context.close(promise: nil)
            case .bytes(let text): context.writeAndFlush(wrapOutboundOut(ByteBuffer(string: text)), promise: nil)
            }
        }
    }
}

/// A proxy with a listener, in the test's process.
struct RunningProxy {
    let port: Int
    let door: NIOLoopBound<ProxyDoor>

    static func run(
        _ urls: [String], _ configuration: ProxyConfiguration = ProxyConfiguration(), origins: [String] = [],
        _ body: @escaping @Sendable (RunningProxy) throws -> Void
    ) async throws {
        let loop = MultiThreadedEventLoopGroup.singleton.next()
        let made = try await loop.submit {
            let door = ProxyDoor(
                configuration, policy: BrowserPolicy(origins: origins, hosts: []), http: HTTPClient(eventLoop: loop),
                log: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() }), loop: loop, process: { _ in }, fetch: { urls })
            return NIOLoopBound((door, Listener(responder: door, limits: HTTPServerLimits(), loop: loop)), eventLoop: loop)
        }.get()
        let port = try await loop.flatSubmit { made.value.1.bind(.tcp(host: "127.0.0.1", port: 0)) }.get() ?? 0
        try await loop.submit { made.value.0.start() }.get()
        let door = try await loop.submit { NIOLoopBound(made.value.0, eventLoop: loop) }.get()
        let proxy = RunningProxy(port: port, door: door)
        while try await loop.submit({ made.value.0.endpoints.all.isEmpty }).get() { try await Task.sleep(for: .milliseconds(5)) }
        let result: Result<Void, any Error>
        do {
            result = .success(try await NIOThreadPool.singleton.runIfActive { try body(proxy) })
        } catch {
            result = .failure(error)
        }
        try await loop.submit {
            made.value.1.close()
            made.value.0.close()
        }.get()
        try result.get()
    }

    /// The whole answer to a request whose connection ends with it.
    func ask(_ verb: String, _ target: String, fields: String = "", body: String = "") throws -> String {
        let client = try RawClient(port: port)
        let length = body.isEmpty ? "" : "Content-Length: \(body.utf8.count)\r\n"
        client.send("\(verb) \(target) HTTP/1.1\r\nHost: store.example\r\nConnection: close\r\n\(fields)\(length)\r\n\(body)")
        return try client.takeAll()
    }
}

@Suite("Forwarding one request")
struct ForwardingTests {
    private static let ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-Own: 1\r\n\r\nok"

    @Test("Fields of a connection end with it, in both directions; the client's address is added")
    func fields() async throws {
        let member = ScriptedMember { _, _ in
            .bytes(
                "HTTP/1.1 299 Strange\r\nConnection: keep-alive, X-Hop\r\nX-Hop: 1\r\nKeep-Alive: 5\r\nX-Etcd-Index: 4\r\nDate: never\r\n"
                    + "Access-Control-Allow-Origin: *\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n")
        }
        let url = try await member.listen()
        try await RunningProxy.run([url], origins: ["http://a.example"]) { proxy in
            let answer = try proxy.ask(
                "PUT", "/v2/keys/a%20b?x=1&y", fields:
                    "X-Forwarded-For: 10.0.0.1\r\nX-Private: 1\r\nConnection: x-private, host\r\nTE: trailers\r\nUpgrade: h2c\r\n"
                    + "Origin: http://a.example\r\nExpect: 100-continue\r\nAuthorization: Basic eDp5\r\n", body: "value=1")
            #expect(answer.hasPrefix("HTTP/1.1 299 "))
            #expect(answer.contains("\r\nX-Etcd-Index: 4\r\n") && answer.hasSuffix("\r\n\r\nok"))
            #expect(!answer.contains("X-Hop") && !answer.contains("Keep-Alive") && !answer.contains("never") && !answer.contains("chunked"))
            #expect(answer.components("Access-Control-Allow-Origin: ") == 1 && answer.contains("Access-Control-Allow-Origin: http://a.example\r\n"))
        }
        let request = try #require(member.heard.withLock { $0.first })
        #expect(request.hasPrefix("PUT /v2/keys/a%20b?x=1&y HTTP/1.1\r\n") && request.hasSuffix("\r\n\r\nvalue=1"))
        #expect(request.contains("Host: store.example\r\n") && request.contains("Authorization: Basic eDp5\r\n"))
        #expect(request.contains("Content-Length: 7\r\n") && request.contains("X-Forwarded-For: 10.0.0.1, 127.0.0.1\r\n"))
        for name in ["X-Private", "TE:", "Upgrade", "Expect", "Connection"] { #expect(!request.contains(name), "\(request)") }
        try await member.close()
    }

    @Test("Bytes that no target has are escaped, and none sets a member aside; what a reader sends along is not kept")
    func strangeTargets() async throws {
        let member = ScriptedMember { _, _ in .bytes(Self.ok) }
        let url = try await member.listen()
        try await RunningProxy.run([url]) { proxy in
            for target in ["/v2/keys/a|b", "/v2/keys/\u{e4}<>", "/v2/keys/{x}^`\\\"", "/v2/keys/plain"] {
                let answer = try proxy.ask("GET", target, body: "value=1")
                #expect(answer.hasSuffix("ok"), "\(target): \(answer)")
            }
            let odd = try proxy.ask("GET", "/", fields: "X-Odd: a\u{e4}\tb\r\n")
            #expect(odd.hasSuffix("ok"), "\(odd)")
        }
        let heard = member.heard.withLock { $0 }
        #expect(heard.count == 5 && heard.allSatisfy { $0.hasSuffix("\r\n\r\n") })
        #expect(heard.first?.hasPrefix("GET /v2/keys/a%7Cb HTTP/1.1\r\n") == true, "\(heard)")
        #expect(heard.dropFirst().first?.hasPrefix("GET /v2/keys/%C3%A4%3C%3E HTTP/1.1\r\n") == true, "\(heard)")
        try await member.close()
    }

    @Test("One connection serves many requests")
    func reuse() async throws {
        let member = ScriptedMember { _, _ in .bytes(Self.ok) }
        let url = try await member.listen()
        try await RunningProxy.run([url]) { proxy in
            for _ in 0..<20 {
                let answer = try proxy.ask("GET", "/")
                #expect(answer.hasSuffix("ok"))
            }
        }
        #expect(member.connections.withLock { $0 } == 1 && member.heard.withLock { $0.count } == 20)
        try await member.close()
    }

    @Test("Who has gone without an answer is not asked again for a change, and another one is for a read", arguments: ["GET", "PUT", "POST", "DELETE"])
    func twice(verb: String) async throws {
        let members = (0..<2).map { _ in ScriptedMember { _, number in number == 1 ? .hangUp : .bytes(Self.ok) } }
        let urls = [try await members[0].listen(), try await members[1].listen()]
        try await RunningProxy.run(urls) { proxy in
            let answer = try proxy.ask(verb, "/v2/keys/a", body: verb == "GET" ? "" : "value=1")
            #expect(answer.hasPrefix("HTTP/1.1 502 ") && answer.contains("\"httpproxy: unable to get response from"))
        }
        let heard = members.map { $0.heard.withLock { $0.count } }
        #expect(heard.reduce(0, +) == (verb == "GET" ? 2 : 1), "\(heard)")
        for member in members { try await member.close() }
    }

    @Test("A member that is not there is passed over for a change, too, and left out from then on")
    func absent() async throws {
        let member = ScriptedMember { _, _ in .bytes(Self.ok) }
        let url = try await member.listen()
        try await RunningProxy.run(["http://127.0.0.1:1", url]) { proxy in
            for _ in 0..<5 {
                let answer = try proxy.ask("POST", "/v2/keys/a", body: "value=1")
                #expect(answer.hasSuffix("ok"))
            }
        }
        #expect(member.heard.withLock { $0.count } == 5)
        try await member.close()
    }

    @Test("A kept connection that ended meanwhile costs nobody an answer, and the member no trust")
    func stale() async throws {
        // Each connection serves one request and says nothing of it.
        let member = ScriptedMember { _, number in number % 2 == 1 ? .bytes(Self.ok) : .hangUp }
        let url = try await member.listen()
        try await RunningProxy.run([url]) { proxy in
            for _ in 0..<10 {
                let answer = try proxy.ask("GET", "/")
                #expect(answer.hasSuffix("ok"))
            }
        }
        try await member.close()
    }

    @Test("An answer that breaks off ends the client's connection, and nothing is made up")
    func broken() async throws {
        let member = ScriptedMember { request, _ in
            request.contains("/chunked")
                ? .bytes("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nnonsense\r\n")
                : .bytes("nonsense\r\n\r\n")
        }
        let url = try await member.listen()
        var configuration = ProxyConfiguration()
        configuration.failureWait = .zero
        try await RunningProxy.run([url], configuration) { proxy in
            let answer = try proxy.ask("GET", "/chunked")
            #expect(!answer.hasSuffix("0\r\n\r\n"), "\(answer)")
            #expect(try proxy.ask("PUT", "/", body: "x").hasPrefix("HTTP/1.1 502 "))
        }
        try await member.close()
    }

    @Test("Time limits: for an answer when there is one, and more connections than allowed are refused without blaming the member")
    func limits() async throws {
        let member = ScriptedMember { _, _ in .silence }
        let url = try await member.listen()
        var configuration = ProxyConfiguration()
        configuration.readTimeout = .milliseconds(300)
        configuration.connectionsMax = 1
        try await RunningProxy.run([url], configuration) { proxy in
            let first = try RawClient(port: proxy.port)
            first.send("PUT /a HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\nx")
            let second = try proxy.ask("GET", "/")
            #expect(second.hasPrefix("HTTP/1.1 503 ") && second.contains("too many connections"), "\(second)")
            #expect(try first.answer().contains("unable to get response from 1 endpoint(s)"))
        }
        try await member.close()
    }
}

extension String {
    fileprivate func components(_ separator: String) -> Int { ranges(of: separator).count }
}
