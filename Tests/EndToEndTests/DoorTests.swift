import Foundation
import TestSupport
import Testing

/// What clients may do at the doors of a real member.
@Suite("Doors", .blocking)
struct DoorTests {
    @Test("A client that asks two thousand times for a large value and reads nothing costs no more than a little memory")
    func unread() throws {
        let place = try Workplace()
        let server = try Server(place("data"))
        let client = server.client()
        #expect(try client.put("/large", String(repeating: "x", count: 1_000_000)).isSuccess)
        let before = try residentKilobytes(server.child.pid)
        let greedy = try RawClient(port: Int(server.port), seconds: 3)
        greedy.send(String(repeating: "GET /v2/keys/large HTTP/1.1\r\nHost: x\r\n\r\n", count: 2000))
        for number in 1...30 {
            #expect(try client.put("/meanwhile/\(number)", "1").isSuccess)
            usleep(100_000)
        }
        #expect(try residentKilobytes(server.child.pid) - before < 64_000)
        #expect(try server.stop() == .signal(SIGTERM))
    }

    @Test("What was asked of a member that cannot serve is not done later, and its probes are answered meanwhile")
    func notReady() throws {
        let place = try Workplace()
        let cluster = try LocalCluster(["a", "b", "c"], in: place)
        let a = try cluster["a"]
        try a.spawn()
        #expect(eventually { (try? a.client(timeoutSeconds: 2).request("GET", "/version").status) == 200 })
        for number in 1...100 {
            let client = try RawClient(port: Int(a.port))
            let form = "value=1&prevExist=false&ttl=60"
            client.send(
                "PUT /v2/keys/lock\(number) HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\n"
                    + "Content-Length: \(form.utf8.count)\r\n\r\n\(form)")
            client.hangUp()
        }
        let health = try a.client(timeoutSeconds: 5).request("GET", "/health")
        #expect(health.status == 503 && health.text.contains("NOT READY"))
        #expect(try a.client(timeoutSeconds: 5).request("GET", "/metrics").text.contains("etcd_server_has_leader 0"))
        #expect(try a.client(timeoutSeconds: 20).put("/early", "1").text.contains("\"errorCode\":300"))

        for name in ["b", "c"] { try cluster[name].spawn() }
        for member in cluster.members { try member.awaitReady() }
        #expect(try a.client().put("/first", "1").isSuccess)
        let watcher = a.client()
        _ = try watcher.watch("/", "recursive=true&waitIndex=1")
        #expect(try watcher.nextEvent()?.node?.key == "/first")
    }

    @Test("The log level changes while the server runs, and an unknown one is refused")
    func logLevel() throws {
        let place = try Workplace()
        let server = try Server(place("data"))
        let client = server.client()
        #expect(try client.request("PUT", "/config/local/log", json: "{\"Level\":\"BAD\"}").text == "{\"message\":\"Invalid log level BAD\"}")
        #expect(try client.request("PUT", "/config/local/log", json: "{\"Level\":\"DEBUG\"}").status == 204)
        #expect(eventually { server.log.contains("globalLogLevel set to \"DEBUG\"") })
        #expect(try client.request("PUT", "/config/local/log", json: "{\"Level\":\"ERROR\"}").status == 204)
        #expect(try server.stop() == .signal(SIGTERM))
        #expect(!server.log.contains("shutting down"))
    }

    @Test("A key that costs its square is refused before it costs anything")
    func deepKey() throws {
        let place = try Workplace()
        let server = try Server(place("data"))
        let client = server.client()
        let before = try residentKilobytes(server.child.pid)
        let answer = try client.put(String(repeating: "/a", count: 20_000), "1")
        #expect(answer.status == 400 && answer.text.contains("deeper than 256 levels"))
        #expect(try client.get("/a").status == 404)
        #expect(try residentKilobytes(server.child.pid) - before < 32_000)
    }

    @Test("0.0.0.0 is every address, of either kind")
    func everyAddress() throws {
        let place = try Workplace()
        let (port, peerPort) = (try Ports.free(), try Ports.free())
        let child = try Child(
            Program.server,
            [
                "--data-dir", place("data"), "--listen-client-urls", "http://0.0.0.0:\(port)", "--advertise-client-urls",
                "http://[::1]:\(port)", "--listen-peer-urls", "http://0.0.0.0:\(peerPort)", "--initial-advertise-peer-urls",
                "http://127.0.0.1:\(peerPort)", "--initial-cluster", "default=http://127.0.0.1:\(peerPort)",
            ], output: place("log"))
        #expect(eventually(within: Server.startSeconds) { child.text.contains("ready to serve client requests") || child.ended != nil })
        #expect(try HTTPClient(port: port).put("/a", "1").isSuccess)
        guard (try? String(contentsOfFile: "/proc/net/if_inet6", encoding: .utf8))?.contains(" lo\n") == true else {
            return print("not tested: IPv6 (there is none here)")
        }
        let client = try RawClient(port: Int(port), isIPv6: true)
        client.send("GET /v2/keys/a HTTP/1.1\r\nHost: x\r\n\r\n")
        #expect(try client.answer().contains("\"value\":\"1\""))
    }

    private func residentKilobytes(_ pid: pid_t) throws -> Int {
        let text = try String(contentsOfFile: "/proc/\(pid)/status", encoding: .utf8)
        guard let match = text.firstMatch(of: /VmRSS:\s+(\d+) kB/), let size = Int(match.1) else { throw Failure("strange: \(text)") }
        return size
    }
}
