import Synchronization
import Testing

@testable import ControlClient

/// An address that a stub sends its clients to.
private final class Address: Sendable {
    private let value = Mutex("")

    var text: String {
        get { value.withLock { $0 } }
        set { value.withLock { $0 = newValue } }
    }
}

@Suite("ctl.md A1: endpoints, sync and failures")
struct ClusterTests {
    private func refused(_ port: Int) -> String { "dial tcp 127.0.0.1:\(port): connect: connection refused" }

    private func unavailable(_ text: String) -> String {
        "Error:  client: etcd cluster is unavailable or misconfigured; error #0: \(text)\n\nerror #0: \(text)\n\n"
    }

    @Test("A command first asks for the members, and --debug shows all requests")
    func debug() async throws {
        let outcome = try await StubServer.run(answer: { request, _ in
            request.line == "GET /v2/members" ? .json(200, #"{"members":null}"#) : nodeAnswer()
        }) { server in
            #expect(await etcdctl(["--endpoints", server.url, "get", "/k"]).status == 4)
            return await etcdctl(["--endpoints", server.url, "--no-sync", "--debug", "set", "/k", "v"])
        }
        let lines = outcome.err.split(separator: "\n")
        #expect(lines.count == 2)
        #expect(lines.last?.hasSuffix("/v2/keys/k -d \"value=v\"") == true)
    }

    @Test("After a sync only the published endpoints are used")
    func sync() async throws {
        try await StubServer.run(answer: { _, _ in nodeAnswer(value: "second") }) { second in
            let url = second.url
            try await StubServer.run(answer: { _, _ in memberList(url) }) { first in
                let outcome = await etcdctl(["--debug", "--endpoints", first.url + "/", "get", "/k"])
                #expect(outcome.out == "second\n")
                #expect(
                    outcome.err == """
                        start to sync cluster using endpoints(\(first.url)/)
                        cURL Command: curl -X GET \(first.url)/v2/members
                        got endpoints(\(url)) after sync
                        Cluster-Endpoints: \(url)
                        cURL Command: curl -X GET \(url)/v2/keys/k?quorum=false&recursive=false&sorted=false\n
                        """)
            }
        }
    }

    @Test("A cluster that publishes nothing is status 4, with advice")
    func nothingPublished() async throws {
        try await StubServer.run(answer: { _, _ in .json(200, #"{"members":[]}"#) }) { server in
            #expect(
                await etcdctl(["--endpoints", server.url, "get", "/k"])
                    == Outcome(
                        err: """
                            etcd cluster has no published client endpoints.
                            Try '--no-sync' if you want to access non-published client endpoints(\(server.url)).
                            Error:  client: no endpoints available\n
                            """, status: 4))
        }
    }

    @Test("An unreachable cluster is status 2 when it is found by the sync, else 4")
    func unreachable() async throws {
        let port = try await closedPort()
        let url = "http://127.0.0.1:\(port)"
        #expect(await etcdctl(["--endpoints", url, "get"]) == Outcome(err: unavailable(refused(port)), status: 2))
        #expect(
            await etcdctl(["--endpoints", url, "--no-sync", "get", "/k"])
                == Outcome(err: unavailable(refused(port)), status: 4))
        #expect(
            await etcdctl(["--endpoints", url, "--no-sync", "mk", "/k", "v"])
                == Outcome(err: "Error:  \(refused(port))\n", status: 4))
    }

    @Test("Endpoints that do not answer are passed over, also for requests that are sent once")
    func failover() async throws {
        let port = try await closedPort()
        try await StubServer.run(answer: { _, _ in nodeAnswer() }) { server in
            let endpoints = "127.0.0.1:\(port),\(server.url),http://127.0.0.1:\(port)"
            for command in [["get", "/k"], ["mk", "/k", "v"]] {
                #expect(await etcdctl(["--no-sync", "--endpoints", endpoints] + command) == Outcome(out: "v\n"))
            }
        }
    }

    @Test("A request that must not be repeated stops at the first server that took it")
    func onceOnly() async throws {
        try await StubServer.run(answer: { _, _ in .bytes("") }) { server in
            let endpoints = "\(server.url),\(server.url)/"
            #expect(
                await etcdctl(["--no-sync", "--endpoints", endpoints, "mk", "/k", "v"])
                    == Outcome(err: "Error:  EOF\n", status: 4))
            #expect(server.requests.count == 1)
            #expect(await etcdctl(["--no-sync", "--endpoints", endpoints, "set", "/k", "v"]).status == 4)
            #expect(server.requests.count == 3)
        }
    }

    @Test("Flags beat variables, and the newer name beats the older one")
    func sources() async throws {
        try await StubServer.run(answer: { _, _ in nodeAnswer() }) { server in
            let wrong = "http://127.0.0.1:1"
            let cases: [([String], [String: String])] = [
                (["--endpoints", server.url, "--peers", wrong], [:]),
                (["--endpoint", server.url, "-C", wrong], ["ETCDCTL_ENDPOINTS": wrong]),
                (["-C", server.url], ["ETCDCTL_PEERS": wrong]),
                ([], ["ETCDCTL_ENDPOINTS": server.url, "ETCDCTL_ENDPOINT": wrong]),
                ([], ["ETCDCTL_ENDPOINT": server.url, "ETCDCTL_PEERS": wrong]),
                (["--endpoints", ""], ["ETCDCTL_PEERS": server.url]),
            ]
            for (flags, environment) in cases {
                let outcome = await etcdctl(flags + ["--no-sync", "get", "/k"], environment: environment)
                #expect(outcome == Outcome(out: "v\n"))
            }
        }
    }

    @Test(
        "Endpoints that are no URLs are refused before anything is sent",
        arguments: [
            ("http://[::1", "parse \"http://[::1\": missing ']' in host"),
            ("http://h:abc", "parse \"http://h:abc\": invalid port \":abc\" after host"),
            ("http://h:70000", "parse \"http://h:70000\": invalid port \":70000\" after host"),
        ])
    func badEndpoints(url: String, text: String) async {
        #expect(await etcdctl(["--endpoints", url, "get", "/k"]) == Outcome(err: text + "\n", status: 1))
    }

    @Test("No leader, other server errors and redirects have their own words")
    func serverErrors() async throws {
        let cases: [(StubServer.Answer, @Sendable (String) -> String)] = [
            (.json(503, "{}"), { "client: etcd member \($0) has no leader" }),
            (.json(500, "{}"), { "client: etcd member \($0) has no leader" }),
            (.json(502, ""), { "client: etcd member \($0) returns server error [Bad Gateway]" }),
            (.json(307, ""), { _ in "location header not set" }),
            (.bytes("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{"), { _ in "unexpected EOF" }),
            (.bytes(""), { _ in "EOF" }),
        ]
        for (answer, text) in cases {
            try await StubServer.run(answer: { _, _ in answer }) { server in
                #expect(
                    await etcdctl(["--endpoints", server.url, "get", "/k"])
                        == Outcome(err: unavailable(text(server.url)), status: 4))
            }
        }
    }

    @Test("Redirects are followed, with the request unchanged, and not for ever")
    func redirects() async throws {
        try await StubServer.run(answer: { _, _ in nodeAnswer() }) { target in
            let location = target.url + "/there"
            let answer = "HTTP/1.1 307 X\r\nLocation: \(location)\r\nContent-Length: 0\r\n\r\n"
            try await StubServer.run(answer: { _, _ in .bytes(answer) }) { server in
                let outcome = await etcdctl(["--no-sync", "--endpoints", server.url, "set", "/k", "v"])
                #expect(outcome == Outcome(out: "v\n"))
                #expect(target.lines == ["PUT /there value=v"])
            }
        }
        let circle = Address()
        try await StubServer.run(answer: { _, _ in
            .bytes("HTTP/1.1 307 X\r\nLocation: \(circle.text)\r\nContent-Length: 0\r\n\r\n")
        }) { server in
            for (location, text, count) in [
                ("/x", "location header not valid URL: /x", 1), (server.url, "client: too many redirects", 12),
            ] {
                circle.text = location
                #expect(
                    await etcdctl(["--no-sync", "--endpoints", server.url, "get", "/k"])
                        == Outcome(err: unavailable(text), status: 4))
                #expect(server.requests.count == count)
            }
        }
    }

    @Test("A silent server runs into the request's limit, or into the command's")
    func timeouts() async throws {
        try await StubServer.run(answer: { _, _ in .silence }) { server in
            let text = "client: endpoint \(server.url) exceeded header timeout"
            #expect(
                await etcdctl(["--no-sync", "--timeout", "50ms", "--endpoints", server.url, "get", "/k"])
                    == Outcome(err: unavailable(text), status: 4))
            let flags = ["--timeout", "9s", "--total-timeout", "50ms", "--endpoints", server.url]
            let deadline = "Error:  context deadline exceeded\n"
            #expect(await etcdctl(flags + ["get", "/k"]) == Outcome(err: deadline, status: 2))
            #expect(await etcdctl(flags + ["--no-sync", "get", "/k"]) == Outcome(err: deadline, status: 4))
        }
    }

    @Test("A user is sent with each request, and asked for the password when it is missing")
    func authorization() async throws {
        try await StubServer.run(answer: { _, _ in nodeAnswer() }) { server in
            let flags = ["--no-sync", "--endpoints", server.url, "-u"]
            _ = await etcdctl(flags + ["root:a:b", "get", "/k"])
            _ = await etcdctl(flags + ["root", "get", "/k"], password: "a:b")
            #expect(server.requests.map(\.authorization) == ["Basic cm9vdDphOmI=", "Basic cm9vdDphOmI="])
        }
    }
}
