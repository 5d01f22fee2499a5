import Testing

@testable import ControlClient

@Suite("ctl.md A4: members and health")
struct MemberTests {
    @Test("member list prints a line a member and marks the leader")
    func list() async throws {
        try await StubServer.run(answer: { request, _ in
            request.line == "GET /v2/members/leader"
                ? .json(200, #"{"id":"b","name":"two","peerURLs":[],"clientURLs":[]}"#)
                : .json(
                    200,
                    #"""
                    {"members":[{"id":"a","name":"","peerURLs":["http://p1","http://p2"],"clientURLs":[]},
                    {"id":"b","name":"two","peerURLs":["http://p3"],"clientURLs":["http://c1","http://c2"]}]}
                    """#)
        }) { server in
            #expect(
                await etcdctl(["--no-sync", "--endpoints", server.url, "member", "list"])
                    == Outcome(
                        out: """
                            a[unstarted]: peerURLs=http://p1,http://p2
                            b: name=two peerURLs=http://p3 clientURLs=http://c1,http://c2 isLeader=true\n
                            """))
        }
        #expect(await etcdctl(["member", "list", "x"]) == Outcome(err: "No arguments accepted\n", status: 1))
    }

    @Test("member list without a leader is status 1")
    func noLeader() async throws {
        try await StubServer.run(answer: { request, _ in
            request.line == "GET /v2/members" ? memberList("http://c") : .json(503, "{}")
        }) { server in
            #expect(
                await etcdctl(["--no-sync", "--endpoints", server.url, "member", "list"])
                    == Outcome(
                        err: """
                            Failed to get leader:  client: etcd cluster is unavailable or misconfigured; \
                            error #0: client: etcd member \(server.url) has no leader\n\n
                            """, status: 1))
        }
    }

    /// `cluster-health` over one member per answer to `/health`; a nil answer is a port where nobody listens.
    private func health(_ answers: StubServer.Answer?...) async throws -> (Outcome, urls: [String]) {
        let port = try await closedPort()
        return try await StubServer.run(answer: { _, number in answers.compactMap { $0 }[number - 1] }) { members in
            let urls = answers.map { $0 == nil ? "http://127.0.0.1:\(port)" : members.url }
            let list = urls.enumerated().map { #"{"id":"\#($0)","clientURLs":["\#($1)"]}"# }.joined(separator: ",")
            let outcome = try await StubServer.run(answer: { _, _ in .json(200, #"{"members":[\#(list)]}"#) }) {
                await etcdctl(["--endpoints", $0.url, "cluster-health"])
            }
            return (outcome, urls)
        }
    }

    @Test("All members healthy")
    func healthy() async throws {
        let (outcome, urls) = try await health(.json(200, #"{"health":"true"}"#), .json(200, #"{"health":true}"#))
        #expect(
            outcome
                == Outcome(
                    out: """
                        member 0 is healthy: got healthy result from \(urls[0])
                        member 1 is healthy: got healthy result from \(urls[1])
                        cluster is healthy\n
                        """))
    }

    @Test("Some members down: degraded, status 5")
    func degraded() async throws {
        let (outcome, urls) = try await health(.json(200, #"{"health":"true"}"#), nil)
        let address = urls[1].dropFirst("http://".count)
        #expect(
            outcome
                == Outcome(
                    out: """
                        member 0 is healthy: got healthy result from \(urls[0])
                        failed to check the health of member 1 on \(urls[1]): \
                        Get "\(urls[1])/health": dial tcp \(address): connect: connection refused
                        member 1 is unreachable: [\(urls[1])] are all unreachable
                        cluster is degraded\n
                        """, status: 5))
    }

    @Test("No member healthy: unavailable, status 5")
    func unavailable() async throws {
        let (outcome, urls) = try await health(.json(503, #"{"health":"false"}"#))
        #expect(
            outcome
                == Outcome(
                    out: """
                        member 0 is unhealthy: got unhealthy result from \(urls[0])
                        cluster is unavailable\n
                        """, status: 5))
    }

    @Test("Without a member list: status 4")
    func noMembers() async throws {
        let port = try await closedPort()
        let outcome = await etcdctl(["--endpoints", "127.0.0.1:\(port)", "cluster-health"])
        #expect(outcome.out == "cluster may be unhealthy: failed to list members\n")
        #expect(outcome.status == 4)
    }
}
