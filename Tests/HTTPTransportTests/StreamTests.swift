import HTTPTransport
import Testing

@Suite("Streams")
struct StreamTests {
    private let server: TestServer

    init() throws { server = try TestServer() }

    @Test("A stream is chunked and the connection goes on after it")
    func chunks() throws {
        let client = try server.client()
        client.send("GET /stream HTTP/1.1\r\nHost: x\r\n\r\nGET /after HTTP/1.1\r\nHost: x\r\n\r\n")
        #expect(try client.take(through: "\r\n\r\n").contains("Transfer-Encoding: chunked\r\n"))
        #expect(try client.take(through: "0\r\n\r\n") == "00000004\r\none\n\r\n00000004\r\ntwo\n\r\n0\r\n\r\n")
        #expect(try client.answer().hasSuffix("get /after none 0"))
    }

    @Test("The responder hears of a watcher that goes away")
    func closing() throws {
        let client = try server.client()
        client.send("GET /watch HTTP/1.1\r\nHost: x\r\n\r\n")
        _ = try client.take(through: "\r\n\r\n")
        client.endOutput()
        #expect(try server.eventually { _, responder in responder.closedCount == 1 })
        #expect(try server.onLoop { listener, _ in listener.connectionCount } == 0)
    }

    @Test("A client that reads nothing is cut off within the bound")
    func slowReader() throws {
        let client = try server.client()
        client.send("GET /flood HTTP/1.1\r\nHost: x\r\n\r\n")
        #expect(try server.eventually { _, responder in responder.closedCount > 0 })
        // The kernel takes some megabytes, we hold half a megabyte more.
        #expect(try server.onLoop { _, responder in responder.closedCount } < 200)
        #expect(try server.eventually { listener, _ in listener.connectionCount == 0 })
    }

    @Test("A long answer is sent as long as the client takes of it, and no longer", arguments: ["keep-alive", "close"])
    func slowAnswer(connection: String) throws {
        var limits = HTTPServerLimits()
        limits.writeSecondsMax = 3
        limits.idleSecondsMax = 3
        let server = try TestServer(limits)
        let request = "GET /huge HTTP/1.1\r\nHost: x\r\nConnection: \(connection)\r\n\r\n"
        let client = try server.client()
        client.send(request)
        let stuck = try server.client()
        stuck.send(request)
        _ = try client.take(through: "\r\n\r\n")
        for _ in 0..<40 {
            _ = try client.take(1_000_000)
            pause(milliseconds: 100)
        }
        #expect(try server.eventually { listener, _ in listener.connectionCount == 0 })
        withExtendedLifetime(stuck) {}
    }

    @Test("Stopping the listener ends idle connections and lets others finish")
    func draining() throws {
        let idle = try server.client()
        idle.send("GET /a HTTP/1.1\r\nHost: x\r\n\r\n")
        _ = try idle.answer()
        let busy = try server.client()
        busy.send("GET /hold HTTP/1.1\r\nHost: x\r\n\r\n")
        #expect(try server.eventually { _, responder in responder.held.count == 1 })
        try server.onLoop { listener, _ in listener.drain() }
        #expect(try idle.takeAll().isEmpty)
        try server.onLoop { _, responder in
            for exchange in responder.held { exchange.respond(.ok, .text) }
        }
        #expect(try busy.takeAll().contains("Connection: close\r\n"))
        #expect(throws: (any Error).self) { try server.client() }
    }
}
