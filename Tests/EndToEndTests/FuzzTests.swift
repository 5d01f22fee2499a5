import Foundation
import TestSupport
import Testing

/// Bytes that nobody should send, against the real binaries: an answer or a close, a sentence or success, never a crash.
@Suite("Hostile input", .blocking)
struct FuzzTests {
    private static let seed = UInt64(ProcessInfo.processInfo.environment["ETCLITE_SEED"] ?? "") ?? 20_261_121

    /// Changes a few bytes: flips, cuts, repetitions, numbers at their limits.
    private func mangle(_ bytes: [UInt8], _ generator: inout SeededGenerator) -> [UInt8] {
        var bytes = bytes
        let pieces = [
            "18446744073709551616", "-1", "9223372036854775807", "%00", "%", "%zz", "\r\n", "\r\n\r\n", "\0", "\u{ff}", "//", "/../",
            "?wait=true", "&ttl=", ":", "Content-Length: 99999999999999999999\r\n", "Transfer-Encoding: chunked\r\n", "ffffffffffffffff\r\n",
        ]
        for _ in 0...Int.random(in: 0...3, using: &generator) where !bytes.isEmpty {
            let place = Int.random(in: 0..<bytes.count, using: &generator)
            switch Int.random(in: 0..<6, using: &generator) {
            case 0: bytes[place] = .random(in: 0...255, using: &generator)
            case 1: bytes[place] ^= 1 << UInt8.random(in: 0..<8, using: &generator)
            case 2: bytes.insert(contentsOf: Array((pieces.randomElement(using: &generator) ?? "").utf8), at: place)
            case 3: bytes.removeSubrange(place..<min(bytes.count, place + Int.random(in: 1...20, using: &generator)))
            case 4: bytes.insert(contentsOf: bytes[place..<min(bytes.count, place + 40)], at: place)
            default: bytes.removeLast(bytes.count - place)
            }
        }
        return bytes
    }

    private let requests = [
        "GET /v2/keys/a?recursive=true&sorted=true HTTP/1.1\r\nHost: x\r\n\r\n",
        "PUT /v2/keys/a HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 13\r\n\r\nvalue=1&ttl=5",
        "POST /v2/keys/q HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 7\r\n\r\nvalue=x",
        "DELETE /v2/keys/a?dir=true&recursive=true&prevIndex=7 HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET /v2/keys/a?wait=true&waitIndex=1&stream=true HTTP/1.1\r\nHost: x\r\n\r\n",
        "PUT /v2/keys/c HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nContent-Type: application/x-www-form-urlencoded\r\n\r\n7\r\nvalue=y\r\n0\r\n\r\n",
        "PUT /v2/keys/a?prevExist=true&refresh=true&ttl=10 HTTP/1.0\r\n\r\n",
        "POST /v2/members HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 36\r\n\r\n{\"peerURLs\":[\"http://10.0.0.1:2380\"]}",
        "GET /v2/stats/self HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", "OPTIONS /v2/keys/%E2%82%AC/%2f HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET /metrics HTTP/1.1\r\nHost: x\r\nAccept-Encoding: gzip\r\n\r\n", "HEAD /version HTTP/1.1\r\nHost: x\r\n\r\n",
    ]

    @Test("Thousands of mangled requests over real sockets, on both ports; the same process answers the next good one")
    func requestsOverSockets() throws {
        let place = try Workplace()
        let server = try Server(place("data"), flags: ["--header-timeout", "1000", "--body-timeout", "1000"])
        let pid = server.child.pid
        var generator = SeededGenerator(seed: Self.seed)
        var answers = 0
        for number in 0..<4000 {
            let request = mangle(Array(requests[number % requests.count].utf8), &generator)
            let socket = try Socket(connectingTo: number % 10 == 0 ? server.peerPort : server.port, timeoutSeconds: 5)
            // The server may close before all of it is sent.
            try? socket.send(request)
            if number % 4 == 0 {
                socket.finishSending()
                if let bytes = try? socket.receive(), bytes.starts(with: Array("HTTP/1.".utf8)) { answers += 1 }
            }
            if number % 200 == 0 {
                try #require(server.child.ended == nil, "request \(number): \(server.log.suffix(500))")
                #expect(try server.client().put("/alive", "\(number)").isSuccess)
            }
        }
        #expect(answers > 200, "only \(answers) answers: the requests do not reach far")
        #expect(try server.client().get("/alive").answer().node?.value == "3800")
        #expect(server.child.ended == nil && server.child.pid == pid)
        #expect(try server.stop() == .signal(SIGTERM))
        let check = try Program.etcliteutl("check", server.directory)
        #expect(check.isClean, "\(check.text)")
    }

    @Test("Mangled configuration files: the server refuses them with code 1, or runs")
    func configurationFiles() throws {
        let place = try Workplace()
        let port = try Ports.free()
        // What is left of a good file ends here.
        let taken = try Socket(listeningOn: port)
        defer { taken.close() }
        let good = """
            name: 'one'
            data-dir: \(place("data"))
            listen-client-urls: http://127.0.0.1:\(port)
            advertise-client-urls: http://127.0.0.1:\(port)
            listen-peer-urls: http://127.0.0.1:\(port)
            initial-advertise-peer-urls: http://127.0.0.1:\(port)
            initial-cluster: one=http://127.0.0.1:\(port)
            snapshot-count: 1000
            heartbeat-interval: 100
            election-timeout: 1000
            enable-v2: true
            cors: 'http://a.example,http://b.example'
            client-transport-security:
              cert-file: ''
              client-cert-auth: false
            """
        var generator = SeededGenerator(seed: Self.seed)
        let pieces = ["&a ", "*a", "{", "[", "!!binary ", "? ", "|\n", "\t", "---\n", "- ", "'", "\"", "99999999999999999999", "<<: *a\n", "\u{feff}"]
        try FileManager.default.createDirectory(atPath: place("cwd"), withIntermediateDirectories: true)
        for number in 0..<150 {
            var text = mangle(Array(good.utf8), &generator)
            if number % 2 == 0 {
                let piece = Array((pieces.randomElement(using: &generator) ?? "").utf8)
                text.insert(contentsOf: piece, at: Int.random(in: 0...text.count, using: &generator))
            }
            try Files.write(text, to: place("config.yml"))
            // Where a mangled name may make its directory.
            let child = try Child(
                "env", ["-C", place("cwd"), Program.server, "--config-file", place("config.yml")], output: place("output"))
            let ending = child.wait(seconds: 1)
            #expect(
                [nil, .exit(0), .exit(1), .exit(2)].contains(ending),
                "\(String(describing: ending)): \(child.text.suffix(400))\nfor\n\(String(decoding: text, as: UTF8.self))")
            if ending == .exit(1) { #expect(!child.text.isEmpty) }
            child.kill()
        }
    }

    @Test("Mangled backups: restored exactly, or refused with the name of the file")
    func backups() throws {
        let place = try Workplace()
        let (directory, _) = try Sample.short().copy(to: place("data"))
        #expect(try Program.etcliteutl("backup", directory, place("good")).isClean)
        let good = try Files.read(place("good"))
        let hash = try hash(Program.etcliteutl("restore", place("good"), "--data-dir", place("sound"), "--json").text)
        try #require(hash?.count == 32)
        var generator = SeededGenerator(seed: Self.seed)
        for number in 0..<80 {
            var bytes = good
            for _ in 0...(number % 3) {
                // Half of them in the first page, where the schema and the header are.
                let place = Int.random(in: 0..<(number % 2 == 0 ? 4096 : bytes.count), using: &generator)
                bytes[place] = .random(in: 0...255, using: &generator)
            }
            if number % 10 == 9 { bytes.removeLast(Int.random(in: 1..<bytes.count, using: &generator)) }
            try Files.write(bytes, to: place("bad"))
            let run = try Program.etcliteutl("restore", place("bad"), "--data-dir", place("new"), "--json")
            if run.isClean {
                #expect(hash == self.hash(run.text))
            } else {
                #expect(run.ending == .exit(1) || run.ending == .exit(2), "\(run.ending): \(run.text)")
                #expect(run.text.contains(place("bad")), "\(run.text)")
                #expect(!Files.exists(place("new")))
            }
            Files.remove(place("new"))
        }
    }

    private func hash(_ json: String) -> String? {
        ((try? JSONSerialization.jsonObject(with: Data(json.utf8))) as? [String: Any])?["stateHash"] as? String
    }
}
