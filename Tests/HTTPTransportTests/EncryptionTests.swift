import HTTPTransport
import NIOConcurrencyHelpers
import NIOCore
import NIOPosix
import TLS
import TestCertificates
import TestSupport
import Testing

@Suite("Encrypted ports")
struct EncryptionTests {
    let files: TestFiles

    init() throws { files = try TestFiles() }

    private func get(_ server: TestServer, _ policy: TLSPolicy, host: String = "127.0.0.1", scheme: String = "https") async throws -> HTTPClientResponse {
        let url = try HTTPURL(parsing: "\(scheme)://\(host):\(server.port)/x")
        let request = HTTPClientRequest(method: "GET", url: url, deadlines: HTTPClientDeadlines(connect: .seconds(15), head: .seconds(15), total: .seconds(15)))
        return try await HTTPClient(eventLoop: MultiThreadedEventLoopGroup.singleton.next(), tls: policy).response(to: request)
    }

    private func failure(_ server: TestServer, _ policy: TLSPolicy, host: String = "127.0.0.1") async -> HTTPClientError? {
        do {
            _ = try await get(server, policy, host: host)
            return nil
        } catch {
            return error as? HTTPClientError
        }
    }

    @Test("A client that trusts the authority is served, by address and by name; others say why not")
    func server() async throws {
        let server = try TestServer(.encrypted(files.policy("server", trustsOwn: false)))
        let trusting = try files.policy(nil)
        #expect(try await get(server, trusting).body == Array("get /x none 0".utf8))
        #expect(try await get(server, trusting, host: "localhost").status == 200)

        let stranger = await failure(server, .system)
        #expect(stranger?.description.contains("x509: certificate signed by unknown authority") == true)
        #expect(stranger?.isConnectFailure == true)
        try files.authority.issue("elsewhere", hosts: ["elsewhere.example"]).write(to: files.path, as: "elsewhere")
        let wrong = try TestServer(.encrypted(files.policy("elsewhere", trustsOwn: false)))
        for host in ["127.0.0.1", "localhost"] {
            let error = await failure(wrong, trusting, host: host)
            #expect(error?.description.hasPrefix("x509: certificate is not valid for") == true, "\(String(describing: error))")
        }
    }

    @Test("By way of an HTTP proxy the server itself is spoken to, and proves who it is; one that opens no way says why")
    func tunnelled() async throws {
        let server = try TestServer(.encrypted(files.policy("server", trustsOwn: false)))
        let url = try HTTPURL(parsing: "https://127.0.0.1:\(server.port)/x")
        func ask(_ proxy: ConnectProxy, _ policy: TLSPolicy) async throws -> HTTPClientResponse {
            let request = HTTPClientRequest(
                method: "GET", url: try url.through(HTTPURL(parsing: "http://127.0.0.1:\(proxy.port)")),
                deadlines: HTTPClientDeadlines(connect: .seconds(15), head: .seconds(15), total: .seconds(15)))
            return try await HTTPClient(eventLoop: MultiThreadedEventLoopGroup.singleton.next(), tls: policy).response(to: request)
        }
        let proxy = try ConnectProxy()
        #expect(try await ask(proxy, files.policy(nil)).body == Array("get /x none 0".utf8))
        #expect(proxy.asked == ["CONNECT 127.0.0.1:\(server.port) HTTP/1.1"])
        do {
            _ = try await ask(proxy, .system)
            Issue.record("a stranger's word was taken")
        } catch {
            #expect("\(error)".contains("x509: certificate signed by unknown authority"))
        }
        for (answer, reason) in [
            ("HTTP/1.1 403 Not for you\r\n\r\n", "403 Not for you"), ("", "EOF"), ("SSH-2.0\r\n\r\n", "no HTTP answer"),
            (String(repeating: "x", count: 40_000), "too long an answer"),
        ] {
            do {
                _ = try await ask(ConnectProxy(refusal: answer), files.policy(nil))
                Issue.record("\(answer) opened a tunnel")
            } catch {
                #expect("\(error)".hasSuffix("opens no tunnel: \(reason)") && (error as? HTTPClientError)?.isConnectFailure == true, "\(error)")
            }
        }
        #expect(throws: HTTPClientError.self) { try url.through(HTTPURL(parsing: "https://127.0.0.1:1")) }
    }

    @Test("Where certificates are required, only those with a sound one are let in, and the rest is told of")
    func clients() async throws {
        let told = Told()
        let server = try TestServer(.encrypted(files.policy("server", requires: true)))
        try server.onLoop { listener, _ in listener.rejected = { _, reason, _ in told.add(reason) } }
        #expect(try await get(server, files.policy("client")).status == 200)

        let none = await failure(server, try files.policy(nil))
        #expect(none?.description.hasPrefix("remote error: tls: ") == true, "\(String(describing: none))")
        let other = try TestAuthority("Other CA")
        try other.issue("mallory").write(to: files.path, as: "mallory")
        #expect(await failure(server, try files.policy("mallory")) != nil)
        try files.authority.issue("late", days: -5 ... -1).write(to: files.path, as: "late")
        #expect(await failure(server, try files.policy("late")) != nil)
        try files.authority.issue("server only", isForClients: false).write(to: files.path, as: "servers")
        #expect(await failure(server, try files.policy("servers")) != nil)
        #expect(try server.eventually { listener, _ in listener.rejectedHandshakesTotal == 4 && listener.connectionCount == 0 })
        #expect(told.all.first == "tls: client didn't provide a certificate", "\(told.all)")
        #expect(try await get(server, files.policy("client")).status == 200)
    }

    @Test("Clear text on an encrypted port is closed; with both schemes each is served")
    func schemes() async throws {
        let policy = try files.policy("server", trustsOwn: false)
        let encrypted = try TestServer(.encrypted(policy))
        let clear = try encrypted.client()
        clear.send("GET /x HTTP/1.1\r\nHost: x\r\n\r\n")
        #expect(try clear.takeAll().isEmpty)

        let both = try TestServer(.both(policy))
        #expect(try await get(both, files.policy(nil)).status == 200)
        #expect(try await get(both, files.policy(nil), scheme: "http").body == Array("get /x none 0".utf8))
    }

    @Test("New files count for the next connection")
    func renewal() async throws {
        let policy = try files.policy("server", trustsOwn: false)
        let server = try TestServer(.encrypted(policy))
        let old = try files.policy(nil)
        #expect(try await get(server, old).status == 200)
        let next = try TestAuthority("Next CA")
        try next.certificate.write(toFile: files.path + "/ca.pem", atomically: true, encoding: .utf8)
        try next.issue("server", hosts: ["127.0.0.1"]).write(to: files.path, as: "server")
        #expect(policy.poll() != .unchanged)
        #expect(try await get(server, files.policy(nil)).status == 200)
        #expect(await failure(server, old) != nil)
    }

    @Test("Of too many handshakes at a time the oldest go, long before their time is over")
    func excess() async throws {
        var limits = HTTPServerLimits()
        limits.handshakeSecondsMax = 600
        limits.handshakesMax = 50
        let server = try TestServer(.encrypted(files.policy("server", trustsOwn: false)), limits)
        let silent = try (0..<200).map { _ in try server.client() }
        // Accepted behind all of them.
        #expect(try await get(server, files.policy(nil)).status == 200)
        let (unfinished, all) = try server.onLoop { listener, _ in (listener.unfinishedHandshakes, listener.connectionCount) }
        #expect((40...50).contains(unfinished) && all <= 51, "\(unfinished) of \(all)")
        withExtendedLifetime(silent) {}
    }

    @Test("Handshakes that are never finished are ended in time and keep nobody out", arguments: ["", "\u{16}", "\u{16}\u{3}\u{1}"])
    func unfinished(bytes: String) async throws {
        var limits = HTTPServerLimits()
        limits.handshakeSecondsMax = 1
        let server = try TestServer(.encrypted(files.policy("server", trustsOwn: false)), limits)
        var silent: [RawClient] = []
        for _ in 0..<200 {
            let client = try server.client()
            client.send(bytes)
            silent.append(client)
        }
        #expect(try await get(server, files.policy(nil)).status == 200)
        #expect(try server.eventually { listener, _ in listener.connectionCount == 0 })
        withExtendedLifetime(silent) {}
    }

    @Test("A full port gives the place of an unfinished handshake to who comes")
    func room() async throws {
        var limits = HTTPServerLimits()
        limits.connectionsMax = 20
        let server = try TestServer(.encrypted(files.policy("server", trustsOwn: false)), limits)
        let silent = try (0..<20).map { _ in try server.client() }
        #expect(try server.eventually { listener, _ in listener.connectionCount == 20 })
        #expect(try await get(server, files.policy(nil)).status == 200)
        withExtendedLifetime(silent) {}
    }

    @Test("An answer of which only the end of the connection is the end: whole with a farewell, cut off without", arguments: [false, true])
    func cutOff(isAborted: Bool) async throws {
        let server = try TestServer(.encrypted(files.policy("server", trustsOwn: false)))
        let policy = try files.policy(nil)
        let loop = MultiThreadedEventLoopGroup.singleton.next()
        let isCutOff = loop.makePromise(of: Bool.self)
        let channel = try await ClientBootstrap(group: loop).channelInitializer { channel in
            channel.eventLoop.makeCompletedFuture {
                try channel.pipeline.syncOperations.addHandlers([policy.clientHandler(to: "127.0.0.1"), EndWatch(isCutOff)])
            }
        }.connect(host: "127.0.0.1", port: server.port).get()
        try await channel.writeAndFlush(ByteBuffer(string: "GET /watch HTTP/1.0\r\n\r\n")).get()
        #expect(try server.eventually { _, responder in responder.held.count == 1 })
        try server.onLoop { _, responder in
            let exchange = responder.held[0]
            exchange.push(StreamChunk(ByteBuffer(string: "one"), allocator: ByteBufferAllocator()))
            exchange.flush()
            if isAborted { exchange.abort() } else { exchange.endStream() }
        }
        #expect(try await isCutOff.futureResult.get() == isAborted)
    }

    @Test("Only TLS 1.2 and 1.3 are spoken, and versions and cipher suites can be narrowed")
    func versions() async throws {
        var settings = TLSSettings()
        (settings.certificateFile, settings.keyFile) = (files.path + "/server.pem", files.path + "/server-key.pem")
        settings.minimumVersion = .tls13
        let newest = try TestServer(.encrypted(TLSPolicy(settings)))
        #expect(try await get(newest, files.policy(nil)).status == 200)
        var old = TLSSettings()
        old.trustedCAFile = files.path + "/ca.pem"
        old.maximumVersion = .tls12
        let error = await failure(newest, try TLSPolicy(old))
        #expect(error?.description == "remote error: tls: protocol version not supported", "\(String(describing: error))")
        settings.minimumVersion = .tls12
        settings.cipherSuites = [try #require(CipherSuite("TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384"))]
        let narrow = try TestServer(.encrypted(TLSPolicy(settings)))
        #expect(try await get(narrow, TLSPolicy(old)).status == 200)
        old.cipherSuites = [try #require(CipherSuite("TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"))]
        #expect(await failure(narrow, try TLSPolicy(old)) != nil)
    }
}

/// Tells how a connection has ended.
private final class EndWatch: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let isCutOff: EventLoopPromise<Bool>

    init(_ isCutOff: EventLoopPromise<Bool>) { self.isCutOff = isCutOff }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        if TLSErrorText.isCutOff(error) { isCutOff.succeed(true) }
        context.close(promise: nil)
    }

    func channelInactive(context: ChannelHandlerContext) { isCutOff.succeed(false) }
}

/// What a listener told, from its loop to a test.
private final class Told: Sendable {
    private let lines = NIOLockedValueBox<[String]>([])

    var all: [String] { lines.withLockedValue { $0 } }

    func add(_ line: String) { lines.withLockedValue { $0.append(line) } }
}
