import HTTPTransport
import NIOCore
import TestSupport
import Testing

/// What clients send and do not read must not grow in our memory.
@Suite("Answers that nobody reads")
struct UnreadTests {
    private static func get(_ target: String) -> String { "GET \(target) HTTP/1.1\r\nHost: x\r\n\r\n" }

    @Test("The requests of a connection wait while its answers are not taken, and go on when they are", arguments: [false, true])
    func pipelined(isEncrypted: Bool) throws {
        let server = try TestServer(isEncrypted: isEncrypted)
        let client = try server.client()
        client.send(String(repeating: Self.get("/large"), count: 40))
        #expect(try server.eventually { listener, _ in listener.requestsTotal > 0 })
        // The kernel takes some megabytes, and one answer of three waits here.
        for _ in 0..<20 {
            pause(milliseconds: 20)
            #expect(try server.onLoop { listener, _ in listener.heldBytes } < 4_000_000)
        }
        #expect(try server.onLoop { listener, _ in listener.requestsTotal } < 10)
        for _ in 0..<40 {
            #expect(try client.take(through: "\r\n\r\n").contains("Content-Length: 3000000\r\n"))
            _ = try client.take(3_000_000)
        }
        #expect(try server.eventually { listener, _ in listener.heldBytes == 0 })
    }

    @Test("Small answers, too; and what is sent ahead without end stays with the client", arguments: [false, true])
    func small(isEncrypted: Bool) throws {
        let server = try TestServer(isEncrypted: isEncrypted)
        let client = try RawClient(port: server.port, seconds: 2)
        // Ends at the client's time limit for sending.
        client.send(String(repeating: Self.get("/\(String(repeating: "a", count: 2000))"), count: 20_000))
        #expect(try server.onLoop { listener, _ in listener.heldBytes } < 300_000)
        #expect(try server.onLoop { listener, _ in listener.requestsTotal } < 20_000)
    }

    @Test("A backlog that grows is no progress: who takes nothing is cut off", arguments: [false, true])
    func growing(isEncrypted: Bool) throws {
        var limits = HTTPServerLimits()
        limits.unsentStreamBytesMax = 1 << 30
        limits.writeSecondsMax = 2
        let server = try TestServer(limits, isEncrypted: isEncrypted)
        let stuck = try server.client()
        stuck.send(Self.get("/watch"))
        _ = try stuck.take(through: "\r\n\r\n")
        let writer = try server.client()
        for _ in 0..<300 {
            if try server.onLoop({ _, responder in responder.closedCount }) > 0 { break }
            writer.send(Self.get("/large-tick"))
            #expect(try writer.answer().hasSuffix("tick"))
            pause(milliseconds: 50)
        }
        #expect(try server.onLoop { _, responder in responder.closedCount } == 1)
        withExtendedLifetime(stuck) {}
    }

    @Test("A few unread bytes are enough: who takes nothing of a stream is cut off", arguments: [false, true])
    func tail(isEncrypted: Bool) throws {
        var limits = HTTPServerLimits()
        limits.writeSecondsMax = 2
        let server = try TestServer(limits, isEncrypted: isEncrypted)
        let stuck = try server.client()
        stuck.send(Self.get("/watch"))
        _ = try stuck.take(through: "\r\n\r\n")
        // Until something waits here for good, and no longer: what only is on its way to the socket does not.
        let writer = try server.client()
        var isWaiting = false
        for _ in 0..<500 where !isWaiting {
            writer.send(Self.get("/large-tick"))
            _ = try writer.answer()
            guard try server.onLoop({ listener, _ in listener.heldBytes }) > 0 else { continue }
            pause(milliseconds: 200)
            isWaiting = try server.onLoop { listener, _ in listener.heldBytes } > 0
        }
        #expect(isWaiting)
        #expect(try server.eventually { _, responder in responder.closedCount == 1 })
        withExtendedLifetime(stuck) {}
    }

    @Test("Above the bound of all together large answers are refused, small ones are not, and those who take nothing make room", arguments: [false, true])
    func all(isEncrypted: Bool) throws {
        var limits = HTTPServerLimits()
        limits.heldBytesMax = 60_000_000
        let server = try TestServer(limits, isEncrypted: isEncrypted)
        let crowd = try (0..<3).map { _ in try server.client() }
        for client in crowd { client.send(Self.get("/huge")) }
        #expect(try server.eventually { listener, _ in listener.heldBytes > 60_000_000 })
        let client = try server.client()
        client.send(Self.get("/small"))
        #expect(try client.answer().hasPrefix("HTTP/1.1 200"))
        client.send(Self.get("/large"))
        #expect(try client.takeAll().hasPrefix("HTTP/1.1 503"))
        #expect(try server.onLoop { listener, _ in listener.heldBytes } < 130_000_000)
        #expect(try server.eventually { listener, _ in listener.heldBytes < 60_000_000 })
        #expect(try server.onLoop { listener, _ in listener.relievedConnectionsTotal } > 0)
        let late = try server.client()
        late.send(Self.get("/large"))
        #expect(try late.take(through: "\r\n\r\n").hasPrefix("HTTP/1.1 200"))
        withExtendedLifetime(crowd) {}
    }

    @Test("One event for many who do not read is held once, and counts once", arguments: [false, true])
    func shared(isEncrypted: Bool) throws {
        var limits = HTTPServerLimits()
        limits.unsentStreamBytesMax = 2_000_000
        let server = try TestServer(limits, isEncrypted: isEncrypted)
        let crowd = try (0..<40).map { _ in try server.client() }
        for client in crowd {
            client.send(Self.get("/watch"))
            _ = try client.take(through: "\r\n\r\n")
        }
        let writer = try server.client()
        var most = 0
        // The kernel takes some megabytes of each, and what each may leave unsent ends it.
        for _ in 0..<400 where try server.onLoop({ _, responder in responder.closedCount }) < 20 {
            writer.send(Self.get("/large-tick"))
            #expect(try writer.answer().hasSuffix("tick"))
            most = max(most, try server.onLoop { listener, _ in listener.heldBytes })
        }
        // By themselves they would be 40 times as many; those whose kernel buffers are larger hold a few of the later events.
        #expect(most > 500_000 && most < 20_000_000, "\(most)")
        #expect(try server.onLoop { listener, _ in listener.relievedConnectionsTotal } == 0)
        withExtendedLifetime(crowd) {}
    }

    @Test("So are bodies and heads that come piece by piece", arguments: ["body", "head"], [false, true])
    func requests(kind: String, isEncrypted: Bool) throws {
        var limits = HTTPServerLimits()
        limits.heldBytesMax = 2_000_000
        let server = try TestServer(limits, isEncrypted: isEncrypted)
        let begin =
            kind == "body"
            ? "PUT /a HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n" : "GET /a HTTP/1.1\r\nHost: x\r\nX-Field: "
        let text = begin + String(repeating: "b", count: 700_000)
        var crowd: [RawClient] = []
        for _ in 0..<10 {
            let client = try server.client()
            client.send(text)
            crowd.append(client)
            #expect(try server.onLoop { listener, _ in listener.heldBytes } < 3_000_000)
        }
        // The first were let in; most probably it is the last that was refused.
        let isRefused = crowd.reversed().contains { (try? $0.takeAll())?.hasPrefix("HTTP/1.1 503") == true }
        #expect(isRefused)
    }

    @Test("The responder hears once when a client ends its side, also when that came first", arguments: [false, true])
    func inputClosed(isEncrypted: Bool) throws {
        let server = try TestServer(isEncrypted: isEncrypted)
        let client = try server.client()
        client.send(Self.get("/hold"))
        #expect(try server.eventually { _, responder in responder.held.count == 1 })
        #expect(try server.onLoop { _, responder in responder.inputClosedCount } == 0)
        client.endOutput()
        #expect(try server.eventually { _, responder in responder.inputClosedCount == 1 })
        let other = try server.client()
        other.send("GET /hold HTTP/1.1\r\nHost: x\r\n\r\n")
        other.endOutput()
        #expect(try server.eventually { _, responder in responder.inputClosedCount == 2 })
        // It may still read.
        try server.onLoop { _, responder in
            for exchange in responder.held { exchange.respond(.ok, .text, body: ByteBuffer(string: "held")) }
        }
        #expect(try other.takeAll().hasSuffix("held"))
    }
}
