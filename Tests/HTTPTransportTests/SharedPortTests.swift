import HTTPTransport
import NIOCore
import TestSupport
import Testing

/// Sends back what it gets, in capitals.
private final class Shouter: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let text = String(buffer: unwrapInboundIn(data)).uppercased()
        context.writeAndFlush(wrapOutboundOut(ByteBuffer(string: text)), promise: nil)
    }
}

@Suite("Two protocols on one port")
struct SharedPortTests {
    private static func server(_ limits: HTTPServerLimits = HTTPServerLimits()) throws -> TestServer {
        let server = try TestServer(limits)
        try server.onLoop { listener, _ in
            listener.secondProtocol = SecondProtocol(preface: Array("SHOUT\n".utf8)) { channel in
                try channel.pipeline.syncOperations.addHandler(Shouter())
            }
        }
        return server
    }

    @Test("The first bytes decide, in however many pieces they come")
    func decides() throws {
        let server = try Self.server()
        for pieces in [["SHOUT\nhello"], ["SHO", "UT\nhel", "lo"], ["S", "H", "O", "U", "T", "\n", "h", "e", "l", "l", "o"]] {
            let client = try server.client()
            for piece in pieces {
                client.send(piece)
                pause(milliseconds: 2)
            }
            #expect(try client.take(5) == Array("HELLO".utf8))
            client.send("more")
            #expect(try client.take(4) == Array("MORE".utf8))
        }
        for pieces in [
            ["GET /a HTTP/1.1\r\nHost: x\r\n\r\n"], ["G", "ET /a HTTP/1.1\r\nHost: x\r\n\r\n"],
            ["SHARE", " /a HTTP/1.1\r\n\r\n"],
        ] {
            let client = try server.client()
            for piece in pieces {
                client.send(piece)
                pause(milliseconds: 2)
            }
            #expect(try client.answer().hasPrefix("HTTP/1.1 "))
        }
        let client = try server.client()
        client.send("GET /a HTTP/1.1\r\nHost: x\r\n\r\n")
        #expect(try client.answer().hasSuffix("get /a none 0"))
        // Later on HTTP keeps the connection, whatever comes.
        client.send("SHOUT\nhello\r\n\r\n")
        #expect(try client.answer().hasPrefix("HTTP/1.1 400 "))
    }

    @Test("A client that ends its side gets its answer from HTTP, and its end from the other")
    func halfClosed() throws {
        let server = try Self.server()
        for (text, answer) in [
            ("GET /a HTTP/1.0\r\n\r\n", "HTTP/1.0 200 OK"), ("SHOUT\nhello", "HELLO"), ("SHOUT", ""), ("", ""),
            ("SH /a HTTP/1.0\r\n\r\n", "HTTP/1.0 "),
        ] {
            let client = try server.client()
            client.send(text)
            client.endOutput()
            #expect(try client.takeAll().hasPrefix(answer), "\(text)")
        }
        #expect(try server.eventually { listener, _ in listener.connectionCount == 0 })
    }

    @Test("All count against the maximum, and go with the listener")
    func counted() throws {
        var limits = HTTPServerLimits()
        limits.connectionsMax = 3
        let server = try Self.server(limits)
        let undecided = try server.client()
        let shouting = try server.client()
        shouting.send("SHOUT\na")
        #expect(try shouting.take(1) == Array("A".utf8))
        let http = try server.client()
        http.send("GET /a HTTP/1.1\r\nHost: x\r\n\r\n")
        #expect(try http.answer().hasSuffix("get /a none 0"))
        #expect(try server.onLoop { listener, _ in listener.connectionCount } == 3)

        // In order: who has said nothing goes, and whoever belongs to the other protocol is its own to end.
        try server.onLoop { listener, _ in listener.drain() }
        #expect(try undecided.takeAll() == "")
        #expect(try http.takeAll() == "")
        shouting.send("b")
        #expect(try shouting.take(1) == Array("B".utf8))
        try server.onLoop { listener, _ in listener.close() }
        #expect(try shouting.takeAll() == "")
        #expect(try server.eventually { listener, _ in listener.connectionCount == 0 })
    }

    @Test("Guests make no place: when there are only such, whoever comes is closed at once")
    func full() throws {
        var limits = HTTPServerLimits()
        limits.connectionsMax = 2
        let server = try Self.server(limits)
        let guests = try (0..<2).map { _ in try server.client() }
        for guest in guests {
            guest.send("SHOUT\na")
            #expect(try guest.take(1) == Array("A".utf8))
        }
        let tooMany = try server.client()
        #expect(try tooMany.takeAll() == "")
        #expect(try server.onLoop { listener, _ in listener.connectionCount } == 2)
        #expect(try server.onLoop { listener, _ in listener.refusedConnectionsTotal } == 1)
        withExtendedLifetime(guests) {}
    }

    @Test("Whoever says nothing has as long as for the head of a request")
    func deadline() throws {
        var limits = HTTPServerLimits()
        limits.headSecondsMax = 1
        let server = try Self.server(limits)
        let silent = try server.client()
        let half = try server.client()
        half.send("SHO")
        let shouting = try server.client()
        shouting.send("SHOUT\na")
        #expect(try silent.takeAll() == "")
        #expect(try half.takeAll() == "")
        shouting.send("b")
        #expect(try shouting.take(2) == Array("AB".utf8))
    }

    @Test("Nobody has less time than the limit, whenever the connection began", arguments: [true, false])
    func wholeSeconds(isShared: Bool) throws {
        var limits = HTTPServerLimits()
        limits.headSecondsMax = 1
        let server = isShared ? try Self.server(limits) : try TestServer(limits)
        for _ in 0..<4 {
            let start = ContinuousClock.now
            #expect(try server.client().takeAll() == "")
            #expect(ContinuousClock.now - start >= .milliseconds(990))
            pause(milliseconds: 270)
        }
    }

    @Test("Who has said nothing, or is idle, makes place on a full port; guests and requests that are answered stay")
    func room() throws {
        var limits = HTTPServerLimits()
        limits.connectionsMax = 4
        let server = try Self.server(limits)
        let guest = try server.client()
        guest.send("SHOUT\na")
        #expect(try guest.take(1) == Array("A".utf8))
        let busy = try server.client()
        busy.send("GET /hold HTTP/1.1\r\nHost: x\r\n\r\n")
        #expect(try server.eventually { _, responder in responder.held.count == 1 })
        let idle = try server.client()
        idle.send("GET /a HTTP/1.1\r\nHost: x\r\n\r\n")
        #expect(try idle.answer().hasSuffix("get /a none 0"))
        var silent: [RawClient] = []
        for _ in 0..<20 { silent.append(try server.client()) }
        let late = try server.client()
        late.send("SHOUT\nb")
        #expect(try late.take(1) == Array("B".utf8))
        #expect(try server.onLoop { listener, _ in listener.connectionCount } <= 4)
        guest.send("c")
        #expect(try guest.take(1) == Array("C".utf8))
        try server.onLoop { _, responder in
            for exchange in responder.held { exchange.respond(.ok, .text, body: ByteBuffer(string: "held")) }
        }
        #expect(try busy.answer().hasSuffix("held"))
    }
}
