import Testing

@testable import ControlClient

@Suite("ctl.md A2: keys")
struct KeyCommandTests {
    /// One command line against a server that answers everything with `answer`; no sync.
    private func run(
        _ words: [String], input: String = "", answer: StubServer.Answer = nodeAnswer()
    ) async throws -> (outcome: Outcome, lines: [String]) {
        try await StubServer.run(answer: { _, _ in answer }) { server in
            let outcome = await etcdctl(["--no-sync", "--endpoints", server.url] + words, input: input)
            return (outcome, server.lines)
        }
    }

    @Test(
        "Each command sends the request that etcdctl sends",
        arguments: [
            (["get", "/k"], "GET /v2/keys/k?quorum=false&recursive=false&sorted=false"),
            (["get", "-q", "--sort", "k"], "GET /v2/keys/k?quorum=true&recursive=false&sorted=true"),
            (["ls"], "GET /v2/keys/?quorum=false&recursive=false&sorted=false"),
            (["ls", "-r", "/d/"], "GET /v2/keys/d/?quorum=false&recursive=true&sorted=false"),
            (["set", "/k", "a b"], "PUT /v2/keys/k value=a+b"),
            (["set", "--ttl", "5", "/k", "v"], "PUT /v2/keys/k ttl=5&value=v"),
            (["set", "--ttl", "-5", "/k", "v"], "PUT /v2/keys/k value=v"),
            (["set", "--swap-with-value", "x y", "/k", "v"], "PUT /v2/keys/k?prevValue=x+y value=v"),
            (["set", "--swap-with-index", "3", "/k", "v"], "PUT /v2/keys/k?prevIndex=3 value=v"),
            (["mk", "/k", "v"], "PUT /v2/keys/k?prevExist=false value=v"),
            (["mk", "--in-order", "/q", "v"], "POST /v2/keys/q value=v"),
            (["update", "/k", "v"], "PUT /v2/keys/k?prevExist=true value=v"),
            (["mkdir", "/d"], "PUT /v2/keys/d?dir=true&prevExist=false"),
            (["setdir", "--ttl", "7", "/d"], "PUT /v2/keys/d?dir=true ttl=7"),
            (["updatedir", "/d"], "PUT /v2/keys/d?dir=true&prevExist=true"),
            (["rmdir", "/d"], "DELETE /v2/keys/d?dir=true"),
            (["rm", "/k"], "DELETE /v2/keys/k"),
            (["rm", "-r", "/d"], "DELETE /v2/keys/d?recursive=true"),
            (["rm", "--dir", "/d"], "DELETE /v2/keys/d?dir=true"),
            (["rm", "--with-value", "v", "--with-index", "3", "/k"], "DELETE /v2/keys/k?prevIndex=3&prevValue=v"),
        ] as [([String], String)])
    func sendsTheRequest(words: [String], line: String) async throws {
        #expect(try await run(words).lines == [line])
    }

    @Test("A value that is not given comes from stdin, newline included")
    func readsStdin() async throws {
        let (outcome, lines) = try await run(["set", "/k"], input: "x\n", answer: nodeAnswer(value: #"x\n"#))
        #expect(lines == ["PUT /v2/keys/k value=x%0A"])
        #expect(outcome == Outcome(out: "x\n\n"))
    }

    @Test("Missing arguments are status 1")
    func missingArguments() async throws {
        for command in ["get", "set", "mk", "update", "mkdir", "setdir", "updatedir", "rm", "rmdir", "watch"] {
            #expect(try await run([command]).outcome == Outcome(err: "Error:  key required\n", status: 1))
        }
        #expect(try await run(["set", "/k"]).outcome == Outcome(err: "Error:  value required\n", status: 1))
        #expect(
            try await run(["exec-watch", "/k"]).outcome
                == Outcome(err: "Error:  key and command to exec required\n", status: 1))
    }

    @Test("The server's refusal is one line and status 4")
    func refusal() async throws {
        let body = #"{"errorCode":100,"message":"Key not found","cause":"/nope","index":5}"#
        for format in ["simple", "json"] {
            #expect(
                try await run(["-o", format, "get", "/nope"], answer: .json(404, body)).outcome
                    == Outcome(err: "Error:  100: Key not found (/nope) [5]\n", status: 4))
        }
    }

    @Test("get refuses a directory, and the directory commands are silent unless a format asks")
    func directories() async throws {
        let answer = StubServer.Answer.json(
            200, #"{"action":"get","node":{"key":"/d","dir":true,"modifiedIndex":6,"createdIndex":6}}"#)
        #expect(
            try await run(["get", "/d"], answer: answer).outcome == Outcome(err: "/d: is a directory\n", status: 1))
        #expect(try await run(["mkdir", "/d"], answer: answer).outcome == Outcome())
        #expect(try await run(["rm", "-r", "/d"], answer: answer).outcome == Outcome())
        let json =
            #"{"action":"get","node":{"key":"/d","dir":true,"value":"","nodes":null,"#
            + #""createdIndex":6,"modifiedIndex":6},"prevNode":null}"#
        #expect(try await run(["-o", "json", "mkdir", "/d"], answer: answer).outcome == Outcome(out: json + "\n"))
    }

    @Test("ls prints a path a line, with a slash after directories when asked")
    func listing() async throws {
        let answer = StubServer.Answer.json(
            200,
            #"""
            {"action":"get","node":{"dir":true,"nodes":[{"key":"/m","value":"v"},
            {"key":"/a","dir":true,"nodes":[{"key":"/a/b","dir":true}]}]}}
            """#)
        #expect(try await run(["ls", "-r"], answer: answer).outcome == Outcome(out: "/m\n/a\n/a/b\n"))
        #expect(try await run(["ls", "-r", "-p"], answer: answer).outcome == Outcome(out: "/m\n/a/\n/a/b/\n"))
        #expect(try await run(["ls", "/k"]).outcome == Outcome(out: "/k\n"))
    }

    @Test("rm prints what was there")
    func removal() async throws {
        let answer = nodeAnswer("delete", value: "", previous: "old")
        #expect(try await run(["rm", "/k"], answer: answer).outcome == Outcome(out: "PrevNode.Value: old\n"))
    }

    @Test("An unknown format is a remark after the deed")
    func unknownFormat() async throws {
        let (outcome, lines) = try await run(["-o", "foo", "set", "/k", "v"])
        #expect(lines.count == 1)
        #expect(outcome == Outcome(err: "Unsupported output format: foo\n"))
    }

    @Test(
        "Answers that are not etcd's are named",
        arguments: [
            (StubServer.Answer.json(200, ""), "client: response body is empty"),
            (
                .json(200, "not json"),
                "client: response is invalid json. The endpoint is probably not valid etcd cluster endpoint"
            ),
            (
                .json(200, #"{"members":[]}"#),
                "client: response is invalid json. The endpoint is probably not valid etcd cluster endpoint"
            ),
            (
                .json(404, "404 page not found"),
                "client: response is invalid json. The endpoint is probably not valid etcd cluster endpoint"
            ),
        ] as [(StubServer.Answer, String)])
    func strangeAnswers(answer: StubServer.Answer, text: String) async throws {
        #expect(
            try await run(["get", "/k"], answer: answer).outcome == Outcome(err: "Error:  \(text)\n", status: 4))
    }
}
