import Foundation
import Testing

/// `etclite gateway start` (server.md §9.2).
@Suite("The gateway", .blocking)
struct GatewayTests {
    private func gateway(_ ports: [UInt16], in place: Workplace, flags: [String] = []) throws -> (child: Child, port: UInt16) {
        let port = try Ports.free()
        let endpoints = ports.map { "http://127.0.0.1:\($0)" }.joined(separator: ",")
        let child = try Child(
            Program.server, ["gateway", "start", "--endpoints", endpoints, "--listen-addr", "127.0.0.1:\(port)"] + flags, output: place("gateway.log"))
        guard eventually(within: 20, { child.text.contains("ready to proxy client requests") }) else { throw Failure(child.text) }
        return (child, port)
    }

    @Test("Requests, watches and long answers go through; one endpoint after the other is used, and none that is gone")
    func forwards() throws {
        let place = try Workplace()
        let cluster = try LocalCluster(["a", "b", "c"], in: place)
        try cluster.start()
        let (child, port) = try gateway(cluster.ports, in: place, flags: ["--retry-delay", "300ms"])
        let value = String(repeating: "v", count: 2 << 20)
        #expect(try HTTPClient(port: port).put("/long", value).isSuccess)
        let watcher = HTTPClient(port: port)
        #expect(try watcher.watch("/w", "stream=true").status == 200)
        for number in 0..<5 {
            #expect(try HTTPClient(port: port).put("/w", "\(number)").isSuccess)
            #expect(try watcher.nextEvent()?.node?.value == "\(number)")
        }
        #expect(try HTTPClient(port: port).get("/long", "quorum=true").answer().node?.value == value)
        // Each connection has gone to the next.
        func names() throws -> Set<String> {
            try Set((0..<6).map { _ in
                let text = try HTTPClient(port: port).request("GET", "/v2/stats/self").text
                return text.firstMatch(of: /"name":"(\w+)"/).map { String($0.1) } ?? text
            })
        }
        #expect(try names() == ["a", "b", "c"])
        let lost = try cluster["b"]
        lost.kill()
        #expect(try names() == ["a", "c"])
        #expect(child.text.contains("deactivated endpoint [127.0.0.1:\(lost.port)] due to dial tcp 127.0.0.1:\(lost.port): connect: connection refused"))
        try lost.start()
        #expect(try eventually(within: 20) { try names().count == 3 })
        #expect(child.text.contains("activated 127.0.0.1:\(lost.port)"))
        child.send(SIGTERM)
        #expect(child.wait(seconds: 20) == .signal(SIGTERM))
    }

    @Test("Who does not read is not read for; half of a connection may end first")
    func backPressure() throws {
        let place = try Workplace()
        let server = try Server(place("data"))
        let value = String(repeating: "v", count: 1 << 20)
        for number in 0..<20 { #expect(try server.client().put("/l/\(number)", value).isSuccess) }
        let (child, port) = try gateway([server.port], in: place)
        let clients = try (0..<20).map { _ in try Socket.unreading(port, RawRequest.get("/v2/keys/l?recursive=true")) }
        usleep(1_000_000)
        let status = try String(contentsOfFile: "/proc/\(child.pid)/status", encoding: .utf8)
        let kilobytes = status.firstMatch(of: /VmRSS:\s+(\d+) kB/).flatMap { Int($0.1) } ?? .max
        // 20 answers of 20 MiB.
        #expect(kilobytes < 100 << 10, "\(kilobytes) kB")
        for client in clients { client.reset() }
        let asking = try Socket(connectingTo: port)
        try asking.send(Array(RawRequest.get("/v2/keys/l/7").utf8))
        asking.finishSending()
        var count = 0
        while case let bytes = try asking.receive(), !bytes.isEmpty { count += bytes.count }
        #expect(count > 1 << 20)
        #expect(eventually { Files.names("/proc/\(child.pid)/fd").count < 30 })
    }

    @Test("What cannot be started says why")
    func refusals() throws {
        let port = try Ports.free()
        let held = try Socket(listeningOn: port)
        defer { held.close() }
        let run = try Run(Program.server, ["gateway", "start", "--listen-addr", "127.0.0.1:\(port)"])
        #expect(run.ending == .exit(1) && run.text.contains("listen tcp 127.0.0.1:\(port): bind: address already in use"), "\(run.text)")
        #expect(try Run(Program.server, ["gateway", "start", "--endpoints", "a"]).text.hasSuffix("error parsing endpoint \"a\"\n"))
    }
}
