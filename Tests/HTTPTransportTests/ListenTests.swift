import HTTPTransport
import NIOCore
import TestSupport
import Testing

@Suite("Addresses to listen on")
struct ListenTests {
    private static let hasIPv6: Bool = {
        guard let server = try? TestServer(HTTPServerLimits(), host: "::1") else { return false }
        return (try? RawClient(port: server.port, isIPv6: true)) != nil
    }()

    private static func isServed(_ server: TestServer, isIPv6: Bool) throws -> Bool {
        guard let client = try? RawClient(port: server.port, isIPv6: isIPv6) else { return false }
        client.send("GET /a HTTP/1.1\r\nHost: x\r\n\r\n")
        return try client.answer().hasSuffix("get /a none 0")
    }

    @Test("Every address of either kind means all of both", arguments: ["0.0.0.0", "::", "0:0:0:0:0:0:0:0", ""])
    func every(host: String) throws {
        let server = try TestServer(HTTPServerLimits(), host: host)
        #expect(try Self.isServed(server, isIPv6: false))
        if Self.hasIPv6 { #expect(try Self.isServed(server, isIPv6: true)) }
    }

    @Test("One address means that one")
    func one() throws {
        let v4 = try TestServer()
        #expect(try Self.isServed(v4, isIPv6: false))
        #expect(try !Self.isServed(v4, isIPv6: true))
        guard Self.hasIPv6 else { return print("not tested: listening on ::1 (there is no IPv6 here)") }
        let v6 = try TestServer(HTTPServerLimits(), host: "::1")
        #expect(try Self.isServed(v6, isIPv6: true))
        #expect(try !Self.isServed(v6, isIPv6: false))
    }
}
