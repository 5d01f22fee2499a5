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

    private static let two =
        #"{"members":[{"id":"a","name":"one","peerURLs":["http://p:1","http://p:2"],"clientURLs":["http://c"]},"#
        + #"{"id":"b","name":"","peerURLs":["http://p:3"],"clientURLs":[]}]}"#

    /// A member command at a server that knows two members and answers changes with this.
    private func change(_ words: [String], _ answer: StubServer.Answer) async throws -> (Outcome, [String]) {
        try await StubServer.run(answer: { request, _ in request.line.hasPrefix("GET") ? .json(200, Self.two) : answer }) { server in
            let outcome = await etcdctl(["--no-sync", "--endpoints", server.url, "member"] + words)
            return (outcome, server.lines)
        }
    }

    @Test("member add prints what to start the new one with")
    func add() async throws {
        let (outcome, lines) = try await change(
            ["add", "new", "http://p:3"], .json(201, #"{"id":"b","name":"","peerURLs":["http://p:3"],"clientURLs":[]}"#))
        #expect(
            outcome.out == """
                Added member named new with ID b to cluster

                ETCD_NAME="new"
                ETCD_INITIAL_CLUSTER="one=http://p:1,one=http://p:2,new=http://p:3"
                ETCD_INITIAL_CLUSTER_STATE="existing"\n
                """)
        #expect(outcome.status == 0)
        #expect(lines == [#"POST /v2/members {"peerURLs":["http://p:3"]}"#, "GET /v2/members"])
    }

    @Test("A refused change shows the server's reason")
    func refused() async throws {
        let reason = "etcdserver: unhealthy cluster; remove a dead one first"
        let (outcome, _) = try await change(["add", "new", "http://p:3"], .json(500, #"{"message":"\#(reason)"}"#))
        #expect(outcome == Outcome(err: reason + "\n", status: 1))
        let (exists, _) = try await change(["add", "new", "http://p:3"], .json(409, #"{"message":"membership: peerURL exists"}"#))
        #expect(exists == Outcome(err: "membership: peerURL exists\n", status: 1))
        let (stopped, _) = try await change(["remove", "a"], .json(500, #"{"message":"etcdserver: server stopped"}"#))
        #expect(stopped.err.contains("has no leader"), "another member would have been asked")
        // etcd itself gives none.
        let (silent, _) = try await change(["update", "a", "http://p:3"], .json(500, #"{"message":"Internal Server Error"}"#))
        #expect(silent.err.contains("has no leader") && silent.status == 1)
    }

    @Test("member remove and update")
    func removeAndUpdate() async throws {
        let done = StubServer.Answer.bytes("HTTP/1.1 204 No Content\r\n\r\n")
        let (removed, lines) = try await change(["remove", "a"], done)
        #expect(removed == Outcome(out: "Removed member a from cluster\n"))
        #expect(lines == ["GET /v2/members", "DELETE /v2/members/a"])
        let (unknown, _) = try await change(["remove", "x"], done)
        #expect(unknown == Outcome(err: "Couldn't find a member in the cluster with an ID of x.\n", status: 1))
        let (named, _) = try await change(["remove", "one"], done)
        #expect(named.err.hasPrefix("Found a member named one; if this is correct, please use its ID, eg:\n\tetcdctl member remove a\n"))
        #expect(named.err.hasSuffix("\n\nCouldn't find a member in the cluster with an ID of one.\n"))
        let (failed, _) = try await change(["remove", "a"], .json(500, #"{"message":"no"}"#))
        #expect(failed == Outcome(err: "Received an error trying to remove member a: no", status: 1))
        let (updated, sent) = try await change(["update", "a", "http://p:4,http://p:5"], done)
        #expect(updated == Outcome(out: "Updated member with ID a in cluster\n"))
        #expect(sent == [#"PUT /v2/members/a {"peerURLs":["http://p:4","http://p:5"]}"#])
        let (missing, _) = try await change(["update", "abc", "http://p:4"], .json(404, #"{"message":"No such member: abc"}"#))
        #expect(missing == Outcome(err: "No such member: abc\n", status: 1))
    }

    @Test(
        "Arguments that will not do",
        arguments: [
            (["add"], "Provide a name and a single member peerURL"), (["add", "n"], "Provide a name and a single member peerURL"),
            (["add", "n", "badurl"], "URL scheme must be http, https, unix, or unixs: badurl"),
            (["add", "n", "http://h"], #"URL address does not have the form "host:port": http://h"#),
            (["add", "n", "http://h:1/x"], "URL must not contain a path: http://h:1/x"),
            (["remove"], "Provide a single member ID"),
            (
                ["update", "a"],
                "Provide an ID and a list of comma separated peerURL (0xabcd http://example.com,http://example1.com)"
            ),
            (["update", "a", "http://h:1,bad"], "URL scheme must be http, https, unix, or unixs: bad"),
        ])
    func arguments(words: [String], text: String) async {
        #expect(await etcdctl(["member"] + words) == Outcome(err: text + "\n", status: 1))
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
