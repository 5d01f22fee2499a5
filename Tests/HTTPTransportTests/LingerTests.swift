import HTTPTransport
import Testing

/// Closing while the client still sends would reset the connection: its next write fails, and clients never look at the answer.
@Suite("The end of a connection whose request is not read to its end")
struct LingerTests {
    private static let head = "PUT /a HTTP/1.1\r\nHost: x\r\nContent-Length: 100000000\r\n\r\n"
    private static let piece = String(repeating: "b", count: 1 << 20)

    private func refusing(_ isEncrypted: Bool) throws -> TestServer {
        var limits = HTTPServerLimits()
        limits.bodyBytesMax = 1000
        return try TestServer(limits, isEncrypted: isEncrypted)
    }

    @Test("The answer is sent, then the end of it, and what the client goes on sending is taken and thrown away", arguments: [false, true])
    func goesOn(isEncrypted: Bool) throws {
        let server = try refusing(isEncrypted)
        let client = try server.client()
        client.send(Self.head)
        #expect(try client.takeAll().hasSuffix("put /a tooLarge 0"))
        // More than the buffers of both sockets hold.
        for _ in 1...16 { #expect(client.send(Self.piece), "the connection was reset") }
        #expect(try server.onLoop { listener, _ in listener.connectionCount } == 1)
    }

    @Test("A client that ends its side is let go at once, one that stays after some seconds", arguments: [false, true])
    func ends(isEncrypted: Bool) throws {
        let server = try refusing(isEncrypted)
        let patient = try server.client()
        patient.send(Self.head)
        _ = try patient.takeAll()
        let polite = try server.client()
        polite.send(Self.head)
        _ = try polite.takeAll()
        #expect(try server.onLoop { listener, _ in listener.connectionCount } == 2)
        polite.endOutput()
        #expect(try server.eventually { listener, _ in listener.connectionCount == 1 })
        #expect(try server.eventually { listener, _ in listener.connectionCount == 0 })
    }

    @Test("Who sends on for ever is let go all the same", arguments: [false, true])
    func endless(isEncrypted: Bool) throws {
        let server = try refusing(isEncrypted)
        let client = try server.client()
        client.send(Self.head)
        _ = try client.takeAll()
        for _ in 1...400 where try server.onLoop({ listener, _ in listener.connectionCount }) > 0 {
            client.send(Self.piece)
            pause(milliseconds: 50)
        }
        #expect(try server.eventually { listener, _ in listener.connectionCount == 0 })
    }
}
