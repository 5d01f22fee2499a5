import Foundation
import TestCertificates
import Testing

/// A process that forwards to a cluster of which it is no member (server.md §9.1).
@Suite("The proxy", .blocking)
struct ProxyTests {
    private func cluster(_ names: [String], in place: Workplace) throws -> LocalCluster {
        let cluster = try LocalCluster(names, in: place)
        try cluster.start()
        return cluster
    }

    /// Starts a proxy before the cluster, and waits until it has found it.
    private func proxy(_ cluster: LocalCluster, in place: Workplace, mode: String = "on", flags: [String] = []) throws -> LooseMember {
        let proxy = try LooseMember("proxy", in: place)
        let members = cluster.members.map { "\($0.name)=\($0.peerURL)" }.joined(separator: ",")
        try proxy.spawn(finding: ["--proxy", mode, "--initial-cluster", members] + flags)
        try proxy.awaitLog("endpoints found")
        return proxy
    }

    /// Of a kept connection, everything but what differs between two answers to the same question.
    private func comparable(_ response: HTTPClient.Response) -> String {
        var headers = response.headers
        for name in ["date", "x-raft-index", "x-raft-term", "x-etcd-index"] { headers[name] = nil }
        return "\(response.status) \(headers.sorted { $0.key < $1.key }) \(response.text)"
    }

    @Test("Answers are those of a member, whatever is asked; the proxy has some of its own")
    func answers() throws {
        let place = try Workplace()
        let cluster = try cluster(["a", "b", "c"], in: place)
        let proxy = try proxy(cluster, in: place)
        let (direct, through) = (cluster.members[0].client(), proxy.client())
        #expect(try through.put("/dir/a", "1").status == 201)
        #expect(try through.put("/dir/a", "2").status == 200)
        #expect(try through.request("POST", "/v2/keys/dir", ["value": "x"]).status == 201)
        #expect(try through.request("DELETE", "/v2/keys/dir/a?prevValue=1").status == 412)
        let index = try through.get("/dir").index
        #expect(try eventually { try direct.get("/dir").index >= index })
        for (verb, target) in [
            ("GET", "/v2/keys/dir?recursive=true&sorted=true"), ("GET", "/v2/keys/none"), ("HEAD", "/v2/keys/dir/a"), ("GET", "/v2/members"),
            ("GET", "/version"), ("GET", "/nowhere"), ("GET", "/v2/keys/../x"), ("PATCH", "/v2/keys/dir"), ("DELETE", "/v2/members/zz"),
            ("GET", "/v2/keys/dir/a?quorum=true"), ("GET", "/health"), ("GET", "/v2/machines"), ("HEAD", "/v2/machines"),
        ] {
            let (one, other) = (try direct.request(verb, target), try through.request(verb, target))
            #expect(comparable(one) == comparable(other), "\(verb) \(target)")
        }
        let long = String(repeating: "v", count: 3 << 20)
        #expect(try through.put("/long", long).isSuccess)
        #expect(try through.get("/long").answer().node?.value == long)

        let endpoints = try through.request("GET", "/v2/config/local/proxy")
        for member in cluster.members { #expect(endpoints.text.contains("\"http://127.0.0.1:\(member.port)\"")) }
        #expect(endpoints.text.hasPrefix("{\"endpoints\":[") && endpoints.text.hasSuffix("]}\n"))
        #expect(try through.request("PUT", "/v2/config/local/proxy").status == 405)
        let metrics = try through.request("GET", "/metrics").text
        #expect(metrics.contains("etcd_proxy_requests_total{method=\"PUT\"} 3\n"))
        #expect(metrics.contains("etcd_proxy_handled_total{code=\"412\",method=\"DELETE\"} 1\n"))
        #expect(metrics.contains("etcd_proxy_handling_duration_seconds_count{method=\"POST\"} 1\n"))
        #expect(metrics.contains("etcd_proxy_requests_total{method=\"OTHER\"} 1\n") && !metrics.contains("PATCH"))
        // Clients that people have do not notice.
        let list = try Run(Program.client, ["--endpoints", proxy.clientURL, "--no-sync", "ls", "--recursive", "/dir"])
        #expect(list.isClean && list.text.contains("/dir/a"), "\(list.text)")
        proxy.child?.send(SIGTERM)
        #expect(proxy.child?.wait(seconds: 20) == .signal(SIGTERM))
    }

    @Test("Watches stream through, event by event, for as long as they like")
    func watches() throws {
        let place = try Workplace()
        let cluster = try cluster(["a"], in: place)
        let proxy = try proxy(cluster, in: place)
        let writer = cluster.members[0].client()
        let (stream, once) = (proxy.client(), proxy.client())
        // The head comes at once.
        #expect(try stream.watch("/w", "stream=true&recursive=true").status == 200)
        #expect(try once.watch("/w/7", "").status == 200)
        for number in 0..<20 {
            try writer.put("/w/\(number)", "\(number)")
            #expect(try stream.nextEvent()?.node?.value == "\(number)")
        }
        #expect(try once.nextEvent()?.node?.value == "7")
        #expect(try once.nextEvent() == nil)
        // Whoever leaves is gone at the member, too.
        func watchers() throws -> String? {
            try writer.request("GET", "/metrics").text.split(separator: "\n").first { $0.hasPrefix("etcd_debugging_store_watchers ") }.map(String.init)
        }
        stream.close()
        #expect(try eventually { try watchers() == "etcd_debugging_store_watchers 0" })
        // And who has a member that goes hears the end.
        let other = proxy.client()
        #expect(try other.watch("/w", "stream=true&recursive=true").status == 200)
        cluster.members[0].kill()
        #expect(throws: Failure.self) { while try other.nextEvent() != nil {} }
    }

    @Test("Clients that do not read hold a little each, at the pace of a member that waits")
    func unread() throws {
        let place = try Workplace()
        let cluster = try cluster(["a"], in: place)
        let proxy = try proxy(cluster, in: place)
        let value = String(repeating: "v", count: 9 << 20)
        #expect(try cluster.members[0].client().put("/l", value).isSuccess)
        #expect(try proxy.client().get("/l").body.count > 9 << 20)
        let before = try residentBytes(proxy)
        let clients = try (0..<15).map { _ in try Socket.unreading(proxy.port, RawRequest.get("/v2/keys/l")) }
        usleep(3_000_000)
        // 15 answers of 9 MiB, of which the system buffers up to four each.
        let held = try residentBytes(proxy) - before
        #expect(held < 20 << 20, "\(held) bytes")
        for client in clients { client.close() }
        // A member that is not optimised needs a third of a second for each of those answers, and longer on a busy machine.
        #expect(try eventually(within: 60) { try proxy.client().put("/other", "1").isSuccess })
        #expect(try proxy.client().get("/l").body.count > 9 << 20)
    }

    private func residentBytes(_ proxy: LooseMember) throws -> Int {
        let text = try String(contentsOfFile: "/proc/\(proxy.child?.pid ?? 0)/status", encoding: .utf8)
        guard let match = text.firstMatch(of: /VmRSS:\s+(\d+) kB/), let size = Int(match.1) else { throw Failure("strange: \(text)") }
        return size << 10
    }

    @Test("A member that is gone is left out for a while, all that are gone are told, and one that comes back is found")
    func failures() throws {
        let place = try Workplace()
        let cluster = try cluster(["a", "b", "c"], in: place)
        let proxy = try proxy(cluster, in: place, flags: ["--proxy-failure-wait", "1000", "--proxy-refresh-interval", "500"])
        let client = proxy.client()
        #expect(try client.put("/a", "1").isSuccess)
        for member in cluster.members.dropFirst() {
            member.kill()
            // Each request finds its way, once there is a leader again.
            #expect(try client.get("/a").isSuccess)
            try member.start()
        }
        for member in cluster.members { member.kill() }
        // So many as were not left out already.
        let gone = try client.get("/a")
        let told = /\{"message":"httpproxy: unable to get response from [123] endpoint\(s\)"\}/
        #expect(gone.status == 502 && gone.text.wholeMatch(of: told) != nil, "\(gone.text)")
        let none = try client.put("/a", "2")
        #expect(none.status == 503 && none.text == #"{"message":"httpproxy: zero endpoints currently available"}"#, "\(none.text)")
        #expect(proxy.log.contains("zero endpoints currently available"))
        #expect(try client.request("GET", "/metrics").text.contains("etcd_proxy_dropped_total{method=\"PUT\",proxying_error=\"zero_endpoints\"} 1"))
        for member in cluster.members { try member.spawn() }
        for member in cluster.members { try member.awaitReady() }
        #expect(try eventually(within: 20) { try client.put("/a", "3").isSuccess })
        // One more member is found by itself.
        let d = try cluster.add("d", by: cluster.members[0])
        try d.start()
        #expect(try eventually { try client.request("GET", "/v2/config/local/proxy").text.contains(":\(d.port)\"") })
        #expect(try String(decoding: Files.read(proxy.directory + "/proxy/cluster"), as: UTF8.self).contains(d.peerURL))

        // The next life goes by its file.
        proxy.kill()
        try proxy.spawn(finding: ["--initial-cluster", "x=http://127.0.0.1:1"])
        try proxy.awaitLog("endpoints found")
        #expect(proxy.log.contains("proxy: using peer urls [\(cluster.members.map(\.peerURL).sorted().joined(separator: " "))] from cluster file"))
        #expect(try proxy.client().get("/a").isSuccess)
        proxy.kill()
        try Files.write(Array("{\"PeerURLs\":".utf8), to: proxy.directory + "/proxy/cluster")
        try proxy.spawn(finding: [])
        #expect(try proxy.awaitEnd() == .exit(1))
        #expect(proxy.log.contains("cluster file \(proxy.directory)/proxy/cluster cannot be read"))
    }

    @Test("A read-only proxy lets GET pass and nothing else")
    func readOnly() throws {
        let place = try Workplace()
        let cluster = try cluster(["a"], in: place)
        let proxy = try proxy(cluster, in: place, mode: "readonly")
        #expect(try cluster.members[0].client().put("/a", "1").isSuccess)
        #expect(try proxy.client().get("/a").isSuccess)
        for verb in ["PUT", "POST", "DELETE", "HEAD", "PATCH"] {
            let answer = try proxy.client().request(verb, "/v2/keys/a", verb == "HEAD" ? nil : ["value": "2"])
            #expect(answer.status == 501 && answer.body.isEmpty, "\(verb)")
        }
        #expect(try cluster.members[0].client().get("/a").answer().node?.value == "1")
    }

    @Test("Clients of HTTP/1.0 are served; whoever asks for a way to somewhere else takes no member away from the others")
    func odd() throws {
        let place = try Workplace()
        let cluster = try cluster(["a"], in: place)
        let proxy = try proxy(cluster, in: place, flags: ["--proxy-failure-wait", "60000"])
        func ask(_ text: String) throws -> String {
            let socket = try Socket(connectingTo: proxy.port)
            try socket.send(Array(text.utf8))
            var answer = ""
            while let more = try? socket.receive(), !more.isEmpty { answer += String(decoding: more, as: UTF8.self) }
            return answer
        }
        let health = try ask("GET /health HTTP/1.0\r\n\r\n")
        #expect(health.hasPrefix("HTTP/1.0 200 OK\r\n") && health.hasSuffix("{\"health\":\"true\"}"), "\(health)")
        for target in ["127.0.0.1:\(cluster.members[0].port)", "/v2/keys/a"] {
            let answer = try ask("CONNECT \(target) HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            #expect(answer.hasPrefix("HTTP/1.1 404 Not Found\r\n") && answer.hasSuffix("404 page not found\n"), "\(answer)")
        }
        #expect(try ask("OPTIONS * HTTP/1.0\r\n\r\n").hasPrefix("HTTP/1.0 200 OK\r\n"))
        #expect(try proxy.client().put("/a", "1").status == 201)
        #expect(!proxy.log.contains("marked endpoint"), "\(proxy.log)")
    }

    @Test("With certificates that everybody has made for himself it encrypts on both sides", .enabled(if: Program.isInstalled("curl"), "needs curl"))
    func automatic() throws {
        let place = try Workplace()
        let member = try EncryptedMember("a", in: place, flags: ["--auto-tls", "--peer-auto-tls"])
        try member.start()
        let proxy = try EncryptedMember("p", in: place, flags: ["--proxy", "on", "--auto-tls", "--peer-auto-tls"])
        proxy.initialCluster = member.initialCluster
        try proxy.spawn()
        try proxy.awaitLog("endpoints found [\"\(member.url)\"]")
        let put = try Run("curl", ["-sSk", "-m", "20", "-XPUT", "-d", "value=1", proxy.url + "/v2/keys/k"])
        #expect(put.text.contains("\"action\":\"set\""), "\(put.text)")
        #expect(try Run("curl", ["-sSk", "-m", "20", member.url + "/v2/keys/k"]).text.contains("\"value\":\"1\""))
        #expect(try !Run("curl", ["-sS", "-m", "20", proxy.url + "/v2/keys/k"]).isClean)
        #expect(Files.names(proxy.directory) == ["fixtures", "proxy"])
        // It finds its own directory again.
        try proxy.stop()
        try proxy.spawn()
        try proxy.awaitLog("endpoints found")
        try proxy.stop()
        try member.stop()
    }

    @Test("A member that stands still: a time limit passes on to the next, clients that leave take nothing with them")
    func stalled() throws {
        let place = try Workplace()
        let cluster = try cluster(["a", "b", "c"], in: place)
        let proxy = try proxy(cluster, in: place, flags: ["--proxy-read-timeout", "1000", "--proxy-failure-wait", "60000"])
        #expect(try proxy.client().put("/a", "1").isSuccess)
        let endpoints = try proxy.client().request("GET", "/v2/config/local/proxy").text
        let first = try #require(cluster.members.first { endpoints.contains("[\"http://127.0.0.1:\($0.port)\"") })
        first.child?.send(SIGSTOP)
        defer { first.child?.send(SIGCONT) }
        #expect(try proxy.client().get("/a").isSuccess)
        for _ in 0..<50 { try Socket.unreading(proxy.port, RawRequest.get("/v2/keys/a?wait=true")).reset() }
        #expect(try proxy.client().get("/a").isSuccess)
        #expect(eventually { descriptors(proxy) < 60 }, "\(descriptors(proxy))")
    }

    private func descriptors(_ proxy: LooseMember) -> Int { Files.names("/proc/\(proxy.child?.pid ?? 0)/fd").count }

    @Test("A proxy that starts before its cluster serves when that does; a member's directory stays a member's")
    func early() throws {
        let place = try Workplace()
        let cluster = try LocalCluster(["a"], in: place)
        let proxy = try LooseMember("proxy", in: place)
        try proxy.spawn(finding: ["--proxy", "on", "--initial-cluster", "a=\(cluster.members[0].peerURL)"])
        try proxy.awaitLog("v2 proxy started listening on client requests on")
        #expect(try proxy.client().get("/a").status == 503)
        try cluster.start()
        try proxy.awaitLog("endpoints found")
        #expect(try proxy.client().put("/a", "1").isSuccess)
        try cluster.members[0].stop()
        cluster.members[0].flags += ["--proxy", "on"]
        try cluster.members[0].start()
        #expect(try cluster.members[0].client().get("/a").answer().node?.value == "1")
    }

    @Test(
        "Encryption on both sides, and inside only; a member with a certificate of others is not trusted",
        .enabled(if: Program.isInstalled("curl"), "needs curl"))
    func encrypted() throws {
        let place = try Workplace()
        let authority = try TestAuthority()
        func made(_ name: String, _ flags: [String] = []) throws -> EncryptedMember {
            let one = try EncryptedMember(name, in: place)
            try one.trust(authority)
            try one.certify(by: authority)
            one.flags = one.files() + one.files("peer-") + flags
            return one
        }
        let member = try made("a")
        try member.start()
        let proxy = try made("p", ["--proxy", "on", "--proxy-refresh-interval", "500"])
        proxy.initialCluster = member.initialCluster
        try proxy.spawn()
        try proxy.awaitLog("endpoints found")
        #expect(proxy.log.contains("clients that send no password have the rights of its common name there"))
        let long = String(repeating: "v", count: 1 << 20)
        try Files.write(Array("value=\(long)".utf8), to: place("long"))
        #expect(try proxy.curl("/v2/keys/long", ["-XPUT", "-d", "@" + place("long")]).isClean)
        #expect(try proxy.curl("/v2/keys/long").text.contains(long))
        for number in 0..<10 { #expect(try proxy.curl("/v2/keys/k", ["-XPUT", "-d", "value=\(number)"]).text.contains("\"\(number)\"")) }
        #expect(try proxy.curl("/v2/keys/k?wait=true&waitIndex=1").text.contains("\"action\""))
        #expect(try !proxy.curl("/v2/keys/k", as: nil).isClean)

        // In clear to its clients, who need nothing.
        let (port, output) = (try Ports.free(), place("clear.log"))
        let clear = try Child(
            Program.server,
            ["--proxy", "on", "--data-dir", place("clear"), "--initial-cluster", member.initialCluster, "--listen-client-urls", "http://127.0.0.1:\(port)"]
                + member.files("peer-"), output: output)
        guard eventually(within: 20, { clear.text.contains("endpoints found") }) else { throw Failure(clear.text) }
        #expect(try HTTPClient(port: port).get("/k").answer().node?.value == "9")
        let watcher = HTTPClient(port: port)
        #expect(try watcher.watch("/k", "stream=true").status == 200)
        for number in 0..<5 {
            #expect(try HTTPClient(port: port).put("/k", "\(number)").isSuccess)
            #expect(try watcher.nextEvent()?.node?.value == "\(number)")
        }

        let other = try TestAuthority()
        let stranger = try made("s", ["--proxy", "on"])
        stranger.initialCluster = member.initialCluster
        try stranger.trust(other)
        try stranger.spawn()
        try stranger.awaitLog("x509: certificate signed by unknown authority")
    }
}
