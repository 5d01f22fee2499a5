import HTTPTransport
import TestSupport
import Testing

@Suite("Mangled requests")
struct FuzzTests {
    private static let seeds = [
        "GET /v2/keys/a?recursive=true HTTP/1.1\r\nHost: x\r\nAccept: */*\r\n\r\n",
        "PUT /a HTTP/1.1\r\nHost: x\r\nContent-Type: text/x\r\nContent-Length: 5\r\n\r\nabcde",
        "PUT /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n",
        "HEAD /stream HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
        "POST /a HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\nab",
        "GET /stream HTTP/1.1\r\nHost: x\r\n\r\nGET /a HTTP/1.1\r\nHost: x\r\n\r\n",
    ]

    /// The seed is part of the test's name: a failure says how to repeat it.
    @Test("The server survives them and still answers", arguments: [1, 2, 3, UInt64.random(in: 4...UInt64.max)])
    func mangled(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let server = try TestServer()
        for round in 0..<1500 {
            let client = try server.client()
            var bytes = Array(Self.seeds[random.below(Self.seeds.count)].utf8)
            for _ in 0...random.below(4) { mangle(&bytes, &random) }
            let cut = random.below(bytes.count + 1)
            client.send(Array(bytes[..<cut]))
            if random.below(4) == 0 { pause(milliseconds: 1) }
            client.send(Array(bytes[cut...]))
            client.endOutput()
            // Whatever it was: an end comes.
            _ = try client.takeAll()
            if round % 100 == 99 {
                let probe = try server.client()
                probe.send("GET /alive HTTP/1.1\r\nHost: x\r\n\r\n")
                #expect(try probe.answer().hasSuffix("get /alive none 0"))
            }
        }
        #expect(try server.eventually { listener, _ in listener.connectionCount <= 15 })
    }

    private func mangle(_ bytes: inout [UInt8], _ random: inout SeededGenerator) {
        let words = ["\r\n", "\n", "\r\n\r\n", ":", " ", "\0", "%", "chunked", "Content-Length: 9", "0\r\n\r\n", "ffffffff"]
        let place = random.below(bytes.count + 1)
        switch random.below(6) {
        case 0: bytes.insert(UInt8(truncatingIfNeeded: random.next()), at: place)
        case 1: if place < bytes.count { bytes[place] = UInt8(truncatingIfNeeded: random.next()) }
        case 2: if place < bytes.count { bytes.remove(at: place) }
        case 3: bytes.removeSubrange(place...)
        case 4: bytes.insert(contentsOf: words[random.below(words.count)].utf8, at: place)
        default: bytes.insert(contentsOf: bytes[place...].prefix(40), at: place)
        }
    }
}
