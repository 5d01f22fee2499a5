import Foundation
import HTTPTransport
import NIOCore
import NIOPosix
import Testing

@Suite("The HTTP client")
struct HTTPClientTests {
    private let client = HTTPClient(eventLoop: MultiThreadedEventLoopGroup.singleton.next())

    private func get(
        _ url: String, _ deadlines: HTTPClientDeadlines = HTTPClientDeadlines()
    ) throws -> HTTPClientRequest {
        HTTPClientRequest(method: "GET", url: try HTTPURL(parsing: url), deadlines: deadlines)
    }

    @Test("URLs are taken apart")
    func parsesURLs() throws {
        let plain = try HTTPURL(parsing: "http://example.com")
        #expect(plain.address == .host("example.com", port: 80))
        #expect(plain.target == "")
        let full = try HTTPURL(parsing: "http://[::1]:2379/base?x=1#f")
        #expect(full.address == .host("::1", port: 2379))
        #expect(full.hostHeader == "[::1]:2379")
        #expect(full.target == "/base?x=1")
        #expect(full.with(target: "/other").target == "/other")
        #expect(try HTTPURL(parsing: "http://h?x").target == "/?x")
        #expect(try HTTPURL(parsing: "unix:///run/s.sock").address == .unixSocket(path: "/run/s.sock"))
        for bad in [
            "", "h:1", "http://", "http://:1", "http://h:-1", "http://a b", "http://u@h", "unix://", "http://h:1\r\n",
        ] {
            #expect(throws: HTTPClientError.self) { try HTTPURL(parsing: bad) }
        }
        #expect(throws: HTTPClientError.unsupportedScheme("ftp")) { try HTTPURL(parsing: "ftp://h") }
        let encrypted = try HTTPURL(parsing: "https://h/x")
        #expect(encrypted.address == .host("h", port: 443) && encrypted.isEncrypted && encrypted.scheme == "https" && !plain.isEncrypted)
        #expect(try HTTPURL(parsing: "unixs:///run/s.sock").isEncrypted)
    }

    @Test(
        "Bodies arrive whole, however they are framed",
        arguments: [
            "Content-Length: 5\r\n\r\nhello", "Transfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n",
            "\r\nhello",
        ])
    func framing(rest: String) async throws {
        try await StubServer.run(answer: { _, _ in .bytes("HTTP/1.1 200 OK\r\nX-A: b\r\n" + rest) }) { server in
            let response = try await client.response(to: get(server.url))
            #expect(response.status == 200)
            #expect(response.headers["x-a"] == "b")
            #expect(String(decoding: response.body, as: UTF8.self) == "hello")
        }
    }

    @Test("A request carries its body, and an answer to HEAD has none")
    func methods() async throws {
        try await StubServer.run(answer: { request, _ in
            .bytes("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n" + (request.line.hasPrefix("HEAD") ? "" : "hello"))
        }) { server in
            let url = try HTTPURL(parsing: server.url + "/x")
            _ = try await client.response(
                to: HTTPClientRequest(method: "PATCH", url: url, body: Array(repeating: 0x61, count: 300_000)))
            #expect(server.requests.last?.body.utf8.count == 300_000)
            #expect(try await client.response(to: HTTPClientRequest(method: "HEAD", url: url)).body.isEmpty)
        }
    }

    @Test("Socket files and IPv6 addresses are reached")
    func otherAddresses() async throws {
        let path = "/tmp/\(UUID().uuidString.prefix(8)).sock"
        defer { try? FileManager.default.removeItem(atPath: path) }
        try await StubServer.run(socketPath: path, answer: { _, _ in nodeAnswer() }) { server in
            let url = try HTTPURL(parsing: "unix://" + path).with(target: "/version")
            #expect(try await client.response(to: HTTPClientRequest(method: "GET", url: url)).status == 200)
            #expect(server.lines == ["GET /version"])
        }
        let status: Int
        do {
            status = try await StubServer.run(host: "::1", answer: { _, _ in nodeAnswer() }) { server in
                try await client.response(to: get("http://[::1]:\(server.port)")).status
            }
        } catch let error as IOError where error.errnoCode == EADDRNOTAVAIL || error.errnoCode == EAFNOSUPPORT {
            return  // A machine without IPv6.
        }
        #expect(status == 200)
    }

    @Test("A long body is read piece by piece, and a limit on collecting it is kept")
    func streams() async throws {
        let size = 8 << 20
        let text = "HTTP/1.1 200 OK\r\nContent-Length: \(size)\r\n\r\n" + String(repeating: "x", count: size)
        try await StubServer.run(answer: { _, _ in .bytes(text) }) { server in
            let (chunks, bytes) = try await client.withResponse(to: get(server.url)) { head, body in
                #expect(head.status == 200)
                var chunks = 0
                var bytes = 0
                for try await chunk in body {
                    chunks += 1
                    bytes += chunk.count
                }
                return (chunks, bytes)
            }
            #expect(bytes == size)
            #expect(chunks > 1)
            await #expect(throws: HTTPClientError.bodyTooLarge(bytesMax: 1000)) {
                try await client.response(to: get(server.url), bodyBytesMax: 1000)
            }
        }
    }

    @Test("Failures have types and etcdctl's words")
    func failures() async throws {
        let port = try await closedPort()
        await #expect(
            throws: HTTPClientError.connectFailed(
                address: "127.0.0.1:\(port)", reason: "connect: connection refused")
        ) { try await client.response(to: get("http://127.0.0.1:\(port)")) }
        let refused = HTTPClientError.connectFailed(address: "h:1", reason: "connect: connection refused")
        #expect(refused.description == "dial tcp h:1: connect: connection refused")
        #expect(refused.isConnectFailure)

        let cases: [(StubServer.Answer, HTTPClientError)] = [
            (.bytes(""), .closedEarly(headReceived: false)),
            (.bytes("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc"), .closedEarly(headReceived: true)),
            (.bytes("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab"), .closedEarly(headReceived: true)),
        ]
        for (answer, error) in cases {
            try await StubServer.run(answer: { _, _ in answer }) { server in
                await #expect(throws: error) { try await client.response(to: get(server.url)) }
            }
        }
        for garbage in [
            "hello world\r\n\r\n", "HTTP/9.9 200 OK\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        ] {
            try await StubServer.run(answer: { _, _ in .bytes(garbage) }) { server in
                do {
                    let response = try await client.response(to: get(server.url))
                    Issue.record("answered \(response.status) to \(garbage)")
                } catch HTTPClientError.malformed {
                } catch {
                    Issue.record("\(error) for \(garbage)")
                }
            }
        }
    }

    @Test("Each deadline is kept")
    func deadlines() async throws {
        try await StubServer.run(answer: { _, _ in .silence }) { server in
            for (deadlines, phase) in [
                (HTTPClientDeadlines(head: .milliseconds(50)), HTTPClientError.Phase.head),
                (HTTPClientDeadlines(total: .milliseconds(50)), .total),
                (HTTPClientDeadlines(head: .milliseconds(50), total: .seconds(60)), .head),
            ] {
                let start = ContinuousClock.now
                await #expect(throws: HTTPClientError.timedOut(phase, address: "127.0.0.1:\(server.port)")) {
                    try await client.response(to: get(server.url, deadlines))
                }
                #expect(start.duration(to: .now) >= .milliseconds(50))
            }
        }
    }

    @Test("The deadline of the head does not hold for the body, the deadline of the whole does")
    func deadlinesOfTheBody() async throws {
        let head = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhe"
        try await StubServer.run(answer: { _, _ in
            .halting(head, rest: "llo", after: .milliseconds(600))
        }) { server in
            let patient = HTTPClientDeadlines(head: .milliseconds(300), total: .seconds(60))
            let response = try await client.response(to: get(server.url, patient))
            #expect(response.body.count == 5)
            let hasty = HTTPClientDeadlines(total: .milliseconds(100))
            await #expect(throws: HTTPClientError.timedOut(.total, address: "127.0.0.1:\(server.port)")) {
                try await client.response(to: get(server.url, hasty))
            }
        }
    }

    @Test("A cancelled task stops waiting")
    func cancellation() async throws {
        try await StubServer.run(answer: { _, _ in .silence }) { server in
            let request = try get(server.url)
            let task = Task { try await client.response(to: request) }
            let limit = ContinuousClock.now + .seconds(10)
            while server.requests.isEmpty, ContinuousClock.now < limit { try await Task.sleep(for: .milliseconds(5)) }
            task.cancel()
            await #expect(throws: CancellationError.self) { try await task.value }
        }
    }
}
