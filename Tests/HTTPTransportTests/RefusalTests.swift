import HTTPTransport
import Testing

@Suite("What strangers may not do")
struct RefusalTests {
    private func answer(_ text: String, _ change: (inout HTTPServerLimits) -> Void = { _ in }) throws -> String {
        var limits = HTTPServerLimits()
        change(&limits)
        let server = try TestServer(limits)
        return try withExtendedLifetime(server) {
            let client = try server.client()
            client.send(text)
            return try client.takeAll()
        }
    }

    @Test(
        "Bytes that are no request get 400 and the connection ends",
        arguments: [
            "\u{0}\u{1}\u{2}\r\n\r\n",
            "GET\r\n\r\n",
            "GET /a\r\n\r\n",
            "GET /a HTTP/1.1 \r\nHost: x\r\n\r\n",
            "GET /a b HTTP/1.1\r\nHost: x\r\n\r\n",
            "GET  /a HTTP/1.1\r\nHost: x\r\n\r\n",
            "G(T /a HTTP/1.1\r\nHost: x\r\n\r\n",
            "GET /a HTTP/1.1\r\n\r\n",
            "GET /a HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n",
            "GET /a HTTP/1.1\r\nHost : x\r\n\r\n",
            "GET /a HTTP/1.1\r\nHost: x\r\n folded\r\n\r\n",
            "GET /a HTTP/1.1\r\nHost: x\r\nA: \u{1}\r\n\r\n",
            "GET /a HTTP/1.1\r\nHost: x\r\n: b\r\n\r\n",
            "PUT /a HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabc",
            "PUT /a HTTP/1.1\r\nHost: x\r\nContent-Length: -3\r\n\r\n",
            "PUT /a HTTP/1.1\r\nHost: x\r\nContent-Length: +3\r\n\r\nabc",
            "PUT /a HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999\r\n\r\n",
            "PUT /a HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            "PUT /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
            "PUT /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabcd\r\n",
            "PUT /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\nabc\r\n",
            "PUT /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n",
            "PUT /a HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        ])
    func malformed(_ text: String) throws {
        let answer = try answer(text)
        #expect(answer.hasPrefix("HTTP/1.1 400 Bad Request\r\n"))
        #expect(answer.hasSuffix("Connection: close\r\n\r\n400 Bad Request"))
    }

    @Test("Other codings, versions")
    func unknown() throws {
        #expect(try answer("PUT /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip\r\n\r\n").hasPrefix("HTTP/1.1 501"))
        #expect(try answer("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").hasPrefix("HTTP/1.1 505"))
    }

    @Test("A head that is too long, or has too many fields, gets 431")
    func head() throws {
        let endless = String(repeating: "a", count: 5000)
        let long = try answer("GET /\(endless) HTTP/1.1\r\nHost: x\r\n\r\n") { $0.headBytesMax = 4000 }
        #expect(long.hasPrefix("HTTP/1.1 431 "))
        let unfinished = try answer("GET /\(endless)") { $0.headBytesMax = 4000 }
        #expect(unfinished.hasPrefix("HTTP/1.1 431 "))
        let fields = String(repeating: "a: b\r\n", count: 20)
        let many = try answer("GET / HTTP/1.1\r\nHost: x\r\n\(fields)\r\n") { $0.headFieldsMax = 20 }
        #expect(many.hasPrefix("HTTP/1.1 431 "))
    }

    @Test("A long target within the bound is fine")
    func longTarget() throws {
        let path = String(repeating: "a", count: 500_000)
        #expect(try answer("GET /\(path) HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").hasSuffix("\(path) none 0"))
    }

    @Test("A body that is too long is told as such, and the client can read the answer though it is still sending")
    func body() throws {
        let body = String(repeating: "b", count: 4_000_000)
        let head = "PUT /a HTTP/1.1\r\nHost: x\r\n"
        let counted = try answer("\(head)Content-Length: 4000000\r\n\r\n\(body)") { $0.bodyBytesMax = 1000 }
        #expect(counted.hasSuffix("put /a tooLarge 0"))
        let chunked = try answer("\(head)Transfer-Encoding: chunked\r\n\r\n3d0900\r\n\(body)\r\n0\r\n\r\n") {
            $0.bodyBytesMax = 1000
        }
        #expect(chunked.hasSuffix("put /a tooLarge 0"))
        let exact = try answer("\(head)Connection: close\r\nContent-Length: 1000\r\n\r\n\(body.prefix(1000))") {
            $0.bodyBytesMax = 1000
        }
        #expect(exact.hasSuffix("put /a complete 1000"))
    }

    @Test("Connections above the bound are closed, and accepted again when there is room")
    func connections() throws {
        var limits = HTTPServerLimits()
        limits.connectionsMax = 2
        let server = try TestServer(limits)
        var clients = [try server.client(), try server.client()]
        for client in clients {
            client.send("GET /a HTTP/1.1\r\nHost: x\r\n\r\n")
            #expect(try client.answer().hasPrefix("HTTP/1.1 200"))
        }
        #expect(try server.client().takeAll().isEmpty)
        clients.removeFirst()
        #expect(try server.eventually { listener, _ in listener.connectionCount == 1 })
        let next = try server.client()
        next.send("GET /a HTTP/1.1\r\nHost: x\r\n\r\n")
        #expect(try next.answer().hasPrefix("HTTP/1.1 200"))
    }

    @Test("Deadlines for the head, the body and idleness close the connection")
    func deadlines() throws {
        let texts = ["", "GET /", "PUT /a HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\na"]
        for text in texts {
            let nothing = try answer(text) {
                $0.headSecondsMax = 1
                $0.bodySecondsMax = 1
            }
            #expect(nothing.isEmpty)
        }
        #expect(try answer("GET /a HTTP/1.1\r\nHost: x\r\n\r\n") { $0.idleSecondsMax = 1 }.hasSuffix("get /a none 0"))
    }
}
