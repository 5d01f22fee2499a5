import ClientAPI
import Foundation
import HTTPTransport
import Keyspace
import NIOCore
import ReplicaHost
import Testing

@Suite("The door: policy, limits, probes, backup")
struct DoorTests {
    @Test("Without v2 its paths are gone and the others stay")
    func withoutV2() throws {
        var configuration = ClientAPIConfiguration()
        configuration.isV2Enabled = false
        let server = try APIServer(configuration)
        for path in ["/v2/keys/a", "/v2/members", "/v2/machines", "/v2/auth/enable"] {
            #expect(try server.ask("GET", path).body == "404 page not found\n")
        }
        #expect(try server.ask("GET", "/version").status == 200)
        #expect(try server.ask("GET", "/health").status == 200)
    }

    @Test("Origins on a list are echoed, others get no CORS headers")
    func origins() throws {
        var configuration = ClientAPIConfiguration()
        configuration.corsOrigins = ["http://a.example:80"]
        let server = try APIServer(configuration)
        let listed = try server.ask("GET", "/version", fields: "Origin: http://a.example:80\r\n")
        #expect(listed.contains("Access-Control-Allow-Origin: http://a.example:80\n"))
        for fields in ["", "Origin: http://b.example\r\n"] {
            #expect(!(try server.ask("GET", "/version", fields: fields)).contains("Access-Control"))
        }
    }

    @Test("Hosts that are not on the list get 421")
    func hosts() throws {
        var configuration = ClientAPIConfiguration()
        configuration.hostWhitelist = ["A.example", "::1"]
        let server = try APIServer(configuration)
        func ask(_ host: String) throws -> String {
            let client = try server.client()
            client.send("GET /version HTTP/1.1\r\nHost: \(host)\r\n\r\n")
            return try client.answer()
        }
        #expect(try ask("a.EXAMPLE:2379").status == 200)
        #expect(try ask("[::1]:2379").status == 200)
        let refused = try ask("localhost:2379")
        #expect(refused.status == 421)
        #expect(refused.body.hasPrefix("\netcd received your request, but the Host header was unrecognized."))
    }

    @Test("Only a member that asks for itself says that it starts; whoever says it otherwise has said nothing")
    func starting() throws {
        let server = try APIServer()
        func add(_ more: String) throws -> Int {
            let client = try server.client()
            let body = "{\"peerURLs\":[\"http://a:1\"]\(more)}"
            client.send("POST /v2/members HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)")
            _ = try client.answer()
            return try server.onLoop { $0.startingMembers }
        }
        for more in ["", ",\"starting\":false", ",\"starting\":\"true\"", ",\"starting\":1"] { #expect(try add(more) == 0) }
        #expect(try add(",\"starting\":true") == 1)
    }

    @Test("A value of 10 MiB goes in and comes out; one byte more is error 210")
    func largeValue() throws {
        let server = try APIServer()
        let value = String(repeating: "v", count: (10 << 20) - 6)
        #expect(try server.ask("PUT", "/v2/keys/big?noValueOnSuccess=true", form: "value=\(value)").status == 201)
        let answer = try server.ask("GET", "/v2/keys/big")
        #expect(answer.body.utf8.count > value.utf8.count)
        let refused = try server.ask("PUT", "/v2/keys/big", form: "value=\(value)v")
        #expect(refused.body.contains("\"errorCode\":210"))
        #expect(refused.body.contains("\"cause\":\"http: POST too large\""))
        #expect(refused.contains("Connection: close\n"))
    }

    @Test("A body that nobody reads may be too large")
    func ignoredBody() throws {
        var limits = HTTPServerLimits()
        limits.bodyBytesMax = 10
        let server = try APIServer(limits: limits)
        let fields = "Content-Type: text/plain\r\nContent-Length: 100\r\n"
        #expect(try server.ask("PUT", "/v2/keys/a?value=x", fields: fields).status == 201)
    }

    @Test("The client's address goes with its change")
    func address() throws {
        let server = try APIServer()
        _ = try server.ask("PUT", "/v2/keys/a", form: "value=1")
        let client = try #require(try server.onLoop { $0.clients.last })
        #expect(String(decoding: client, as: UTF8.self).hasPrefix("127.0.0.1:"))
    }

    @Test("An answer that comes when the client is gone goes nowhere")
    func lateAnswer() throws {
        let server = try APIServer()
        try server.onLoop { $0.held = [] }
        do {
            let client = try server.client()
            client.send(APIServer.request("PUT", "/v2/keys/a", form: "value=1"))
            #expect(try server.eventually { $0.clients.count == 1 })
        }
        try server.onLoop { $0.answerHeld() }
        #expect(try server.ask("GET", "/v2/keys/a").body.contains("\"value\":\"1\""))
    }

    @Test("Listings without a TTL are kept, others are not")
    func keeping() throws {
        let server = try APIServer()
        _ = try server.ask("PUT", "/v2/keys/d/a", form: "value=1")
        let first = try server.ask("GET", "/v2/keys/d?recursive=true")
        #expect(try server.onLoop { $0.keptCount } == 1)
        #expect(try server.ask("GET", "/v2/keys/d?recursive=true") == first)
        _ = try server.ask("PUT", "/v2/keys/d/b", form: "value=1&ttl=100")
        _ = try server.ask("GET", "/v2/keys/d?recursive=true")
        #expect(try server.onLoop { $0.keptCount } == 1)
    }

    @Test("Every reason to be unavailable has a text")
    func unavailable() throws {
        let server = try APIServer()
        let reasons: [Unavailable] = [
            .timedOut, .timedOutLeaderLost, .timedOutConnectionLost, .noLeader, .stopped, .diskFull, .overloaded,
        ]
        var texts: Set<String> = []
        for reason in reasons {
            try server.onLoop { $0.unavailable = reason }
            let answer = try server.ask("DELETE", "/v2/keys/a")
            #expect(answer.status == 500)
            #expect(answer.body.hasPrefix("{\"errorCode\":300,\"message\":\"Raft Internal Error\",\"cause\":\"etcdserver: "))
            texts.insert(answer.body)
        }
        #expect(texts.count == reasons.count)
    }

    @Test("Metrics have the names that people alert on")
    func metrics() throws {
        let server = try APIServer()
        _ = try server.ask("PUT", "/v2/keys/a", form: "value=1")
        _ = try server.ask("PUT", "/v2/keys/a?prevIndex=1", form: "value=1")
        _ = try server.ask("GET", "/v2/keys/a?quorum=true")
        _ = try server.ask("GET", "/health")
        try server.onLoop { replica in
            replica.counters.logCommits.record(nanoseconds: 1_500_000)
            replica.counters.applies.record(nanoseconds: 250_000, times: 3)
            replica.counters.lateHeartbeats = 7
            var peer = PeerRecord(id: 0xb0b)
            (peer.isConnected, peer.disconnects, peer.bytesSent) = (true, 2, 1234)
            peer.roundTrips.record(nanoseconds: 3_000_000)
            peer.snapshots.sent = 1
            replica.peers = [peer]
        }
        let answer = try server.ask("GET", "/metrics")
        #expect(answer.contains("Content-Type: text/plain; version=0.0.4; charset=utf-8\n"))
        for line in [
            "etcd_server_has_leader 1", "etcd_server_is_leader 1", "etcd_server_proposals_applied_total 6",
            "etcd_server_version{server_version=\"3.4.23\"} 1", "etcd_server_health_success 1",
            "etcd_disk_wal_fsync_duration_seconds_bucket{le=\"0.001\"} 0",
            "etcd_disk_wal_fsync_duration_seconds_bucket{le=\"0.002\"} 1",
            "etcd_disk_wal_fsync_duration_seconds_bucket{le=\"+Inf\"} 1",
            "etcd_disk_wal_fsync_duration_seconds_sum 0.0015", "etcd_disk_wal_fsync_duration_seconds_count 1",
            "etcd_server_apply_duration_seconds_bucket{version=\"v2\",le=\"0.0002\"} 0",
            "etcd_server_apply_duration_seconds_bucket{version=\"v2\",le=\"0.0004\"} 3",
            "etcd_server_apply_duration_seconds_bucket{version=\"v2\",le=\"52.4288\"} 3",
            "etcd_server_heartbeat_send_failures_total 7", "etcd_server_slow_apply_total 0", "etcd_server_read_indexes_failed_total 0",
            "etcd_network_active_peers{Local=\"ce2a822cea30bfca\",Remote=\"b0b\"} 1",
            "etcd_network_disconnected_peers_total{Local=\"ce2a822cea30bfca\",Remote=\"b0b\"} 2",
            "etcd_network_peer_sent_bytes_total{To=\"b0b\"} 1234", "etcd_network_peer_received_bytes_total{From=\"b0b\"} 0",
            "etcd_network_peer_round_trip_time_seconds_bucket{To=\"b0b\",le=\"0.0016\"} 0",
            "etcd_network_peer_round_trip_time_seconds_bucket{To=\"b0b\",le=\"0.0032\"} 1",
            "etcd_network_peer_round_trip_time_seconds_bucket{To=\"b0b\",le=\"3.2768\"} 1",
            "etcd_network_snapshot_send_success{To=\"b0b\"} 1",
            "etcd_http_received_total{method=\"PUT\"} 2", "etcd_http_received_total{method=\"QGET\"} 1",
            "etcd_http_failed_total{code=\"412\",method=\"PUT\"} 1",
            "etcd_http_successful_duration_seconds_count{method=\"PUT\"} 1", "etcd_debugging_store_watchers 0",
        ] {
            #expect(answer.contains("\n\(line)\n"), "\(line)")
        }
        for name in ["process_resident_memory_bytes", "process_open_fds", "process_max_fds"] {
            let line = answer.components(separatedBy: "\n").first { $0.hasPrefix("\(name) ") } ?? ""
            #expect((Int(line.dropFirst(name.count + 1)) ?? 0) > 0, "\(name)")
        }
        let names = answer.components(separatedBy: "\n").filter { $0.hasPrefix("# TYPE") }
        #expect(Set(names).count == names.count)
        for complaint in Self.complaints(aboutMetrics: answer.components(separatedBy: "\n\n").last ?? "") { Issue.record("\(complaint)") }
    }

    /// What Prometheus would not read: a sample of no type, one apart from its others, a bucket that falls, a value that is no number.
    private static func complaints(aboutMetrics page: String) -> [String] {
        var complaints: [String] = []
        var (name, kind) = (Substring(), Substring())
        var buckets: [Substring: Double] = [:]
        for line in page.split(separator: "\n") {
            if let type = line.wholeMatch(of: /# TYPE ([a-z_]+) (counter|gauge|histogram)/) {
                (name, kind) = (type.1, type.2)
                buckets = [:]
                continue
            }
            guard let sample = line.wholeMatch(of: /([a-z_]+)(\{([A-Za-z_]+="[^"\n]*",?)+\})? ([-+.e0-9]+)/), let value = Double(sample.4) else {
                complaints.append("no sample: \(line)")
                continue
            }
            let suffixes = kind == "histogram" ? ["_bucket", "_sum", "_count"] : [""]
            if !suffixes.contains(where: { sample.1 == name + $0 }) { complaints.append("not of \(name): \(line)") }
            guard sample.1.hasSuffix("_bucket") else { continue }
            let labels = line.prefix { $0 != " " }.split(separator: "le=").first ?? ""
            if value < buckets[labels] ?? 0 { complaints.append("it falls: \(line)") }
            buckets[labels] = value
        }
        return complaints
    }

    @Test("Debug variables are JSON")
    func debugVariables() throws {
        let body = try APIServer().ask("GET", "/debug/vars").body
        let json = try JSONSerialization.jsonObject(with: Data(body.utf8)) as? [String: Any]
        #expect(json?["raft.status"] != nil)
    }

    @Test("A backup is sent whole, with its hash, and its file is given back", arguments: [0, 1, 700_001])
    func backup(size: Int) throws {
        let server = try APIServer()
        let path = NSTemporaryDirectory() + "/backup-\(UUID().uuidString)"
        let bytes = (0..<size).map { UInt8(truncatingIfNeeded: $0 &* 31 >> 3) }
        try Data(bytes).write(to: URL(fileURLWithPath: path))
        try server.onLoop { replica in
            let copy = BackupCopy(path: path, size: UInt64(size), stateHash: "abc") { unlink(path) }
            replica.backupResult = .success(copy)
        }
        let client = try server.client()
        client.send(APIServer.request("GET", "/etclite/backup"))
        let head = try client.take(through: "\r\n\r\n")
        #expect(head.contains("Content-Type: application/octet-stream\r\n"))
        #expect(head.contains("X-Etclite-State-Hash: abc\r\n"))
        #expect(head.contains("Content-Length: \(size)\r\n"))
        #expect(try client.take(size) == bytes)
        client.send(APIServer.request("GET", "/version"))
        #expect(try client.answer().status == 200)
        #expect(!FileManager.default.fileExists(atPath: path))
    }

    @Test("A listing that comes as a file is the answer that it would have been; HEAD gets its head; the file is let go of")
    func largeListing() throws {
        let server = try APIServer()
        let client = try server.client()
        for key in ["a", "b/c", "b/d/e", "f/_h", "g"] {
            client.send(APIServer.request("PUT", "/v2/keys/dir/\(key)", form: "value=\(key)"))
            #expect(try client.answer().status == 201)
        }
        for target in ["/v2/keys/dir", "/v2/keys/dir?recursive=true", "/v2/keys/?recursive=true&sorted=true", "/v2/keys/dir/b?quorum=true"] {
            try server.onLoop { $0.listingMax = 0 }
            client.send(APIServer.request("GET", target))
            let large = try client.answer()
            client.send(APIServer.request("HEAD", target))
            let head = try client.answer(isHead: true)
            try server.onLoop { $0.listingMax = .max }
            client.send(APIServer.request("GET", target))
            let small = try client.answer()
            #expect(large.status == 200 && large == small, "\(target)")
            #expect(head.body.isEmpty && small.hasPrefix(head), "\(target)")
        }
        client.send(APIServer.request("GET", "/version"))
        #expect(try client.answer().status == 200)
        #expect(try server.eventually { $0.released.count.load(ordering: .relaxed) == 8 })
    }

    @Test("A client that leaves in the middle of a listing lets go of its file")
    func abandonedListing() throws {
        let server = try APIServer()
        try server.onLoop { replica in
            replica.listingMax = 0
            for number in 0..<10 {
                var command = Command(.set, TreePath("/dir/k\(number)"))
                command.value = [UInt8](repeating: UInt8(ascii: "v"), count: 1 << 20)
                _ = replica.tree.apply(command, at: 0, watched: WatchedPaths())
            }
        }
        do {
            let client = try server.client()
            client.send(APIServer.request("GET", "/v2/keys/dir"))
            _ = try client.take(through: "\r\n\r\n")
        }
        #expect(try server.eventually { $0.released.count.load(ordering: .relaxed) == 1 })
    }

    @Test("A backup that nobody takes gives its file back as well")
    func abandonedBackup() throws {
        let server = try APIServer()
        let path = NSTemporaryDirectory() + "/backup-\(UUID().uuidString)"
        try Data(count: 30_000_000).write(to: URL(fileURLWithPath: path))
        try server.onLoop { replica in
            let copy = BackupCopy(path: path, size: 30_000_000, stateHash: "abc") { unlink(path) }
            replica.backupResult = .success(copy)
        }
        do {
            let client = try server.client()
            client.send(APIServer.request("GET", "/etclite/backup"))
            _ = try client.take(through: "\r\n\r\n")
        }
        #expect(try server.eventually { _ in !FileManager.default.fileExists(atPath: path) })
    }

    /// The seed is part of the test's name: a failure says how to repeat it.
    @Test("Mangled targets, types and forms are answered", arguments: [1, 2, UInt64.random(in: 3...UInt64.max)])
    func mangled(seed: UInt64) throws {
        var state = seed
        func random(_ bound: Int) -> Int {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int((state >> 33) % UInt64(bound))
        }
        let words = [
            "/v2/keys", "/a", "/_h", "//", "/../", "/.", "%", "%2F", "%ff", "%zz", "?", "&", "=", ";", "+", "\"", "\\", "~",
            "recursive=true", "prevIndex=", "18446744073709551616", "ttl=99999999999999999999", "value=", "prevValue=x",
            "refresh=1", "dir=1", "/v2/members/", "/v2/auth/users/", "{\"peerURLs\":[\"", "\\u", "]}", "\u{e9}", "[[[[",
        ]
        func text() -> String { (0..<random(9)).map { _ in words[random(words.count)] }.joined() }
        let server = try APIServer()
        let client = try server.client()
        for _ in 0..<2000 {
            let verb = ["GET", "PUT", "POST", "DELETE", "HEAD"][random(5)]
            let type = ["application/json", "application/x-www-form-urlencoded", "a/", "x; y", ";"][random(5)]
            let target = ("/v2/keys/" + text()).replacingOccurrences(of: " ", with: "")
            let body = text()
            let probe = try server.client()
            probe.send(
                "\(verb) \(target) HTTP/1.1\r\nHost: x\r\nContent-Type: \(type)\r\nContent-Length: \(body.utf8.count)\r\n"
                    + "Connection: close\r\n\r\n\(body)")
            let answer = try probe.takeAll()
            #expect(answer.hasPrefix("HTTP/1.1 "), "\(verb) \(target) \(type) \(body)")
            let members = "POST /v2/members HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
            client.send("\(members)Content-Length: \(body.utf8.count)\r\n\r\n\(body)")
            #expect(try client.answer().hasPrefix("HTTP/1.1 400"))
        }
    }

    @Test("Keys that are too long or too deep are refused, whatever is asked of them", arguments: ["GET", "PUT", "POST", "DELETE"])
    func longKeys(verb: String) throws {
        let server = try APIServer()
        let form = verb == "PUT" || verb == "POST" ? "value=1" : nil
        for path in [String(repeating: "/a", count: 257), "/" + String(repeating: "a", count: 4096), "/_" + String(repeating: "%61", count: 4096)] {
            let answer = try server.ask(verb, "/v2/keys" + path, form: form)
            #expect(answer.status == 400)
            #expect(
                answer.body
                    == "{\"errorCode\":209,\"message\":\"Invalid field\",\"cause\":\"key is longer than 4096 bytes or deeper than 256 levels\",\"index\":0}\n"
            )
        }
        let longest = "/v2/keys" + String(repeating: "/a", count: 256)
        #expect(try server.ask(verb, longest, form: form).status == (verb == "PUT" ? 201 : verb == "POST" ? 400 : 404))
        #expect(try server.ask("GET", "/v2/keys" + String(repeating: "/a", count: 20_000) + "?wait=true").status == 400)
    }

    @Test("/metrics is answered whatever the verb is; the other pages are for GET, as with etcd")
    func verbsOfPages() throws {
        let server = try APIServer()
        #expect(try server.ask("HEAD", "/metrics").status == 200)
        #expect(try server.ask("POST", "/metrics", form: "").status == 200)
        #expect(try server.ask("GET", "/metrics").contains("etclite_client_connections "))
        for path in ["/health", "/version", "/debug/vars", "/v2/stats/self"] {
            #expect(try server.ask("HEAD", path).status == 405)
            #expect(try server.ask("GET", path).status == 200)
        }
    }
}
