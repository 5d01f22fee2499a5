import HTTPTransport
import TestSupport
import Testing

@Suite("Streams")
struct StreamTests {
    @Test("A stream is chunked and the connection goes on after it", arguments: [false, true])
    func chunks(isEncrypted: Bool) throws {
        let server = try TestServer(isEncrypted: isEncrypted)
        let client = try server.client()
        client.send("GET /stream HTTP/1.1\r\nHost: x\r\n\r\nGET /after HTTP/1.1\r\nHost: x\r\n\r\n")
        #expect(try client.take(through: "\r\n\r\n").contains("Transfer-Encoding: chunked\r\n"))
        #expect(try client.take(through: "0\r\n\r\n") == "00000004\r\none\n\r\n00000004\r\ntwo\n\r\n0\r\n\r\n")
        #expect(try client.answer().hasSuffix("get /after none 0"))
    }

    @Test("The responder hears of a watcher that goes away", arguments: [false, true])
    func closing(isEncrypted: Bool) throws {
        let server = try TestServer(isEncrypted: isEncrypted)
        let client = try server.client()
        client.send("GET /watch HTTP/1.1\r\nHost: x\r\n\r\n")
        _ = try client.take(through: "\r\n\r\n")
        client.endOutput()
        #expect(try server.eventually { _, responder in responder.closedCount == 1 })
        #expect(try server.onLoop { listener, _ in listener.connectionCount } == 0)
    }

    @Test("One event reaches hundreds of streams, each in order", arguments: [3, 600], [false, true])
    func manyStreams(count: Int, isEncrypted: Bool) throws {
        let server = try TestServer(isEncrypted: isEncrypted)
        var watchers: [RawClient] = []
        for _ in 0..<count {
            let watcher = try server.client()
            watcher.send("GET /watch HTTP/1.1\r\nHost: x\r\n\r\n")
            _ = try watcher.take(through: "\r\n\r\n")
            watchers.append(watcher)
        }
        let writer = try server.client()
        for _ in 0..<3 {
            writer.send("GET /tick HTTP/1.1\r\nHost: x\r\n\r\n")
            #expect(try writer.answer().hasSuffix("tick"))
        }
        for watcher in watchers {
            let ticks = ["b", "c", "d"].map { "0000000a\r\n\(String(repeating: $0, count: 10))\r\n" }.joined()
            #expect(try watcher.take(ticks.utf8.count) == Array(ticks.utf8))
        }
    }

    @Test("What a full socket does not take at once follows, in order", arguments: [false, true])
    func fullSocket(isEncrypted: Bool) throws {
        var limits = HTTPServerLimits()
        limits.unsentStreamBytesMax = 64 << 20
        let server = try TestServer(limits, isEncrypted: isEncrypted)
        let watcher = try server.client()
        watcher.send("GET /watch HTTP/1.1\r\nHost: x\r\n\r\n")
        _ = try watcher.take(through: "\r\n\r\n")
        let writer = try server.client()
        // More than the buffers of the kernel hold.
        for _ in 0..<150 {
            writer.send("GET /large-tick HTTP/1.1\r\nHost: x\r\n\r\n")
            #expect(try writer.answer().hasSuffix("tick"))
        }
        for number in 1...150 {
            let letter = String(UnicodeScalar(UInt8(ascii: "a") + UInt8(number % 26)))
            let expected = "000186a0\r\n\(String(repeating: letter, count: 100_000))\r\n"
            #expect(try watcher.take(expected.utf8.count) == Array(expected.utf8), "chunk \(number)")
        }
    }

    @Test("A client that reads nothing is cut off within the bound", arguments: [false, true])
    func slowReader(isEncrypted: Bool) throws {
        let server = try TestServer(isEncrypted: isEncrypted)
        let client = try server.client()
        client.send("GET /flood HTTP/1.1\r\nHost: x\r\n\r\n")
        #expect(try server.eventually { _, responder in responder.closedCount > 0 })
        // The kernel takes some megabytes, we hold half a megabyte more.
        #expect(try server.onLoop { _, responder in responder.closedCount } < 200)
        #expect(try server.eventually { listener, _ in listener.connectionCount == 0 })
        // Whoever pushes is in the middle of something.
        #expect(try server.onLoop { _, responder in responder.wasInterrupted } == false)
    }

    @Test("A long answer is sent as long as the client takes of it, and no longer", arguments: ["keep-alive", "close"], [false, true])
    func slowAnswer(connection: String, isEncrypted: Bool) throws {
        var limits = HTTPServerLimits()
        limits.writeSecondsMax = 3
        limits.idleSecondsMax = 3
        let server = try TestServer(limits, isEncrypted: isEncrypted)
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

    @Test("Stopping the listener ends idle connections and lets others finish", arguments: [false, true])
    func draining(isEncrypted: Bool) throws {
        let server = try TestServer(isEncrypted: isEncrypted)
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
        // The tunnel before an encrypted port still takes connections.
        if isEncrypted {
            #expect(try server.client().takeAll().isEmpty)
        } else {
            #expect(throws: (any Error).self) { try server.client() }
        }
    }
}
