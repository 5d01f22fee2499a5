import HTTPTransport
import Testing

@Suite("Requests as HTTP/1.1 clients send them")
struct RequestTests {
    private let server: TestServer

    init() throws { server = try TestServer() }

    private func ask(_ text: String, isHead: Bool = false) throws -> String {
        let client = try server.client()
        client.send(text)
        return try client.answer(isHead: isHead)
    }

    @Test("A whole request is answered with one head and one body")
    func simple() throws {
        let answer = try ask("GET /a?b=c HTTP/1.1\r\nHost: x\r\n\r\n")
        #expect(
            answer
                == """
                HTTP/1.1 200 OK
                Content-Type: text/plain; charset=utf-8
                Content-Length: 15

                get /a?b=c none 0
                """.replacing("15", with: "17"))
    }

    @Test("A head may arrive a byte at a time")
    func dripping() throws {
        let client = try server.client()
        for byte in "PUT /a HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc".utf8 {
            client.send([byte])
            pause(milliseconds: 1)
        }
        #expect(try client.answer().hasSuffix("put /a complete 3"))
    }

    @Test("Requests sent ahead are answered in order")
    func pipelining() throws {
        let client = try server.client()
        client.send((0..<200).map { "GET /\($0) HTTP/1.1\r\nHost: x\r\n\r\n" }.joined())
        for number in 0..<200 { #expect(try client.answer().hasSuffix("get /\(number) none 0")) }
    }

    @Test("A request that waits holds back the ones behind it, whoever answers it")
    func pipeliningBehindAWait() throws {
        let client = try server.client()
        client.send("GET /hold HTTP/1.1\r\nHost: x\r\n\r\nGET /after HTTP/1.1\r\nHost: x\r\n\r\n")
        #expect(try server.eventually { _, responder in responder.held.count == 1 })
        #expect(try ask("GET /release HTTP/1.1\r\nHost: x\r\n\r\n").hasSuffix("released 1"))
        #expect(try client.answer().hasSuffix("held"))
        #expect(try client.answer().hasSuffix("get /after none 0"))
    }

    @Test("A client that sends far ahead is made to wait and loses nothing")
    func backPressure() throws {
        let client = try server.client()
        client.send("GET /hold HTTP/1.1\r\nHost: x\r\n\r\n")
        #expect(try server.eventually { _, responder in responder.held.count == 1 })
        let padding = String(repeating: "p", count: 1000)
        let count = 400
        let sender = Sender(client, String(repeating: "GET /\(padding) HTTP/1.1\r\nHost: x\r\n\r\n", count: count))
        _ = try ask("GET /release HTTP/1.1\r\nHost: x\r\n\r\n")
        #expect(try client.answer().hasSuffix("held"))
        for _ in 0..<count { #expect(try client.answer().hasSuffix("get /\(padding) none 0")) }
        sender.join()
    }

    @Test("Chunked bodies with extensions and trailers are put together")
    func chunked() throws {
        let head = "PUT /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: Chunked\r\n\r\n"
        #expect(try ask(head + "3;x=y\r\nabc\r\n00A \r\n0123456789\r\n0\r\nT: u\r\n\r\n").hasSuffix("complete 13"))
        #expect(try ask(head + "0\r\n\r\n").hasSuffix("complete 0"))
    }

    @Test("100-continue is answered when a body is waited for, and only then")
    func expectContinue() throws {
        let client = try server.client()
        client.send("PUT /a HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n")
        #expect(try client.take(through: "\r\n\r\n") == "HTTP/1.1 100 Continue\r\n\r\n")
        client.send("abc")
        #expect(try client.answer().hasSuffix("complete 3"))
        client.send("GET /a HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n\r\n")
        #expect(try client.answer().hasPrefix("HTTP/1.1 200"))
        #expect(try ask("GET /a HTTP/1.1\r\nHost: x\r\nExpect: tea\r\n\r\n").hasPrefix("HTTP/1.1 417"))
    }

    @Test("HEAD has the length of the body and not the body")
    func head() throws {
        let client = try server.client()
        client.send("HEAD /a HTTP/1.1\r\nHost: x\r\n\r\nGET /b HTTP/1.1\r\nHost: x\r\n\r\n")
        #expect(try client.answer(isHead: true).contains("Content-Length: 14"))
        #expect(try client.answer().hasSuffix("get /b none 0"))
    }

    @Test("204 has no length")
    func noContent() throws {
        #expect(try ask("GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n") == "HTTP/1.1 204 No Content\n\n")
    }

    @Test("Any token is a verb")
    func verbs() throws {
        #expect(try ask("FOO /a HTTP/1.1\r\nHost: x\r\n\r\n").hasSuffix("other /a none 0"))
        #expect(try ask("get /a HTTP/1.1\r\nHost: x\r\n\r\n").hasSuffix("other /a none 0"))
        #expect(try ask("OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n").hasSuffix("options * none 0"))
    }

    @Test("Bare line feeds and empty lines in front are forgiven")
    func leniency() throws {
        #expect(try ask("\r\n\r\nGET /a HTTP/1.1\nHost: x\n\n").hasSuffix("get /a none 0"))
    }

    @Test("Field names match in any case, values lose the blanks around them")
    func fields() throws {
        let answer = try ask("GET /a HTTP/1.1\r\nhOST: x\r\nCONTENT-type: \t text/x  \r\n\r\n")
        #expect(answer.contains("X-Type: text/x\n"))
    }

    @Test("HTTP/1.0 closes unless it asks to stay, and gets no chunks")
    func oldVersion() throws {
        let client = try server.client()
        client.send("GET /a HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
        #expect(try client.answer().hasPrefix("HTTP/1.0 200 OK\n"))
        client.send("GET /stream HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
        let all = try client.takeAll()
        #expect(all.hasSuffix("\r\n\r\none\ntwo\n"))
        #expect(!all.contains("chunked"))
        let other = try server.client()
        other.send("GET /a HTTP/1.0\r\n\r\n")
        #expect(try other.takeAll().contains("Connection: close\r\n"))
    }

    @Test("Connection: close is obeyed, in lists as well")
    func close() throws {
        let client = try server.client()
        client.send("GET /a HTTP/1.1\r\nHost: x\r\nConnection: foo, CLOSE\r\n\r\nGET /b HTTP/1.1\r\nHost: x\r\n\r\n")
        let all = try client.takeAll()
        #expect(all.contains("get /a"))
        #expect(!all.contains("get /b"))
    }

    @Test("A client that shuts its side down after the request still gets the answer")
    func halfClosed() throws {
        let client = try server.client()
        client.send("GET /large HTTP/1.1\r\nHost: x\r\n\r\n")
        client.endOutput()
        #expect(try client.takeAll().utf8.count > 3_000_000)
        let waiting = try server.client()
        waiting.send("GET /hold HTTP/1.1\r\nHost: x\r\n\r\n")
        waiting.endOutput()
        #expect(try server.eventually { _, responder in responder.held.count == 1 })
        _ = try ask("GET /release HTTP/1.1\r\nHost: x\r\n\r\n")
        #expect(try waiting.takeAll().hasSuffix("held"))
    }
}
