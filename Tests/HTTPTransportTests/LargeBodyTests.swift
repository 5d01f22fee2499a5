import HTTPTransport
import NIOCore
import TestSupport
import Testing

/// A large request costs several times its size, so they take turns.
@Suite("Large bodies")
struct LargeBodyTests {
    private static let body = String(repeating: "b", count: 150_000)

    private static func put(_ target: String, _ fields: String = "Content-Length: 150000\r\n") -> String {
        "PUT \(target) HTTP/1.1\r\nHost: x\r\n\(fields)\r\n"
    }

    /// One at a time.
    private static var limits: HTTPServerLimits {
        var limits = HTTPServerLimits()
        limits.largeBodiesBytesMax = 200_000
        return limits
    }

    @Test("One waits, unread, until the one before it is answered")
    func turns() throws {
        let server = try TestServer(Self.limits)
        let (first, second) = (try server.client(), try server.client())
        first.send(Self.put("/hold") + Self.body)
        #expect(try server.eventually { _, responder in responder.held.count == 1 })
        let sender = Sender(second, Self.put("/b") + Self.body)
        for _ in 0..<20 {
            pause(milliseconds: 10)
            // What one read brings, at the most.
            #expect(try server.onLoop { listener, _ in listener.heldBytes } <= 70_000)
        }
        #expect(try server.onLoop { listener, _ in listener.requestsTotal } == 1)
        // Small ones are not concerned.
        let third = try server.client()
        third.send("GET /release HTTP/1.1\r\nHost: x\r\n\r\n")
        #expect(try third.answer().hasSuffix("released 1"))
        #expect(try first.answer().hasSuffix("held"))
        #expect(try second.answer().hasSuffix("put /b complete 150000"))
        sender.join()
    }

    @Test("Who leaves makes place, whether it was served or waited")
    func leaves() throws {
        let server = try TestServer(Self.limits)
        var first: RawClient? = try server.client()
        first?.send(Self.put("/a"))
        #expect(try server.eventually { listener, _ in listener.connectionCount == 1 })
        pause(milliseconds: 50)
        var second: RawClient? = try server.client()
        second?.send(Self.put("/b") + "some")
        pause(milliseconds: 50)
        let third = try server.client()
        let sender = Sender(third, Self.put("/c", "Transfer-Encoding: chunked\r\n") + "249f0\r\n" + Self.body + "\r\n0\r\n\r\n")
        pause(milliseconds: 50)
        #expect(try server.onLoop { listener, _ in listener.requestsTotal } == 0)
        second = nil
        first = nil
        #expect(try third.answer().hasSuffix("put /c complete 150000"))
        sender.join()
        withExtendedLifetime((first, second)) {}
    }

    @Test("The client that asks first is told to go on when it is its turn")
    func expects() throws {
        let server = try TestServer(Self.limits)
        let (first, second) = (try server.client(), try RawClient(port: server.port, seconds: 1))
        let asking = "Content-Length: 150000\r\nExpect: 100-continue\r\n"
        first.send(Self.put("/hold", asking))
        #expect(try first.take(through: "\r\n\r\n").hasPrefix("HTTP/1.1 100 "))
        second.send(Self.put("/b", asking))
        first.send(Self.body)
        #expect(try server.eventually { _, responder in responder.held.count == 1 })
        #expect(throws: (any Error).self, "told before its turn") { try second.take(through: "\r\n\r\n") }
        let third = try server.client()
        third.send("GET /release HTTP/1.1\r\nHost: x\r\n\r\n")
        #expect(try second.take(through: "\r\n\r\n").hasPrefix("HTTP/1.1 100 "))
        second.send(Self.body)
        #expect(try second.answer().hasSuffix("put /b complete 150000"))
    }

    @Test("A body that does not arrive is no reason for others to wait")
    func drips() throws {
        var limits = Self.limits
        limits.largeBodySecondsMax = 1
        let server = try TestServer(limits)
        let slow = try server.client()
        slow.send(Self.put("/a") + "some")
        #expect(try server.eventually { listener, _ in listener.heldBytes > 0 })
        let next = try server.client()
        let sender = Sender(next, Self.put("/b") + Self.body)
        #expect(try next.answer().hasSuffix("put /b complete 150000"))
        #expect(try slow.takeAll().isEmpty)
        sender.join()
    }

    @Test("Nobody waits for ever")
    func waits() throws {
        var limits = Self.limits
        limits.largeBodyWaitSecondsMax = 1
        let server = try TestServer(limits)
        let (first, second) = (try server.client(), try server.client())
        first.send(Self.put("/hold") + Self.body)
        #expect(try server.eventually { _, responder in responder.held.count == 1 })
        let sender = Sender(second, Self.put("/b") + Self.body)
        #expect(try second.takeAll().hasPrefix("HTTP/1.1 503 "))
        sender.join()
        withExtendedLifetime(first) {}
    }

    @Test("What may be answered after hours has no place meanwhile")
    func watches() throws {
        let server = try TestServer(Self.limits)
        let (watcher, second) = (try server.client(), try server.client())
        watcher.send("GET /hold HTTP/1.1\r\nHost: x\r\nContent-Length: 150000\r\n\r\n" + Self.body)
        #expect(try server.eventually { _, responder in responder.held.count == 1 })
        second.send(Self.put("/b") + Self.body)
        #expect(try second.answer().hasSuffix("put /b complete 150000"))
        withExtendedLifetime(watcher) {}
    }
}
