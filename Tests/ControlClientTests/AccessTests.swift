import Testing

@testable import ControlClient

@Suite("ctl.md A6: users, roles and whether they count")
struct AccessTests {
    private func run(
        _ words: [String], password: String? = nil, _ answer: StubServer.Answer = .json(200, "{}")
    ) async throws -> (Outcome, [String]) {
        try await StubServer.run(answer: { request, _ in
            request.line == "GET /v2/auth/roles/new" ? .json(404, #"{"message":"auth: Role new does not exist."}"#) : answer
        }) { server in
            let outcome = await etcdctl(["--no-sync", "--endpoints", server.url] + words, password: password)
            return (outcome, server.lines)
        }
    }

    @Test("Each change is one request, and a line says that it is done")
    func changes() async throws {
        let cases: [(words: String, out: String, sent: String)] = [
            ("user add bob:b:c", "User bob created", #"PUT /v2/auth/users/bob {"password":"b:c","user":"bob"}"#),
            ("user grant bob --roles a,b", "User bob updated", #"PUT /v2/auth/users/bob {"grant":["a","b"],"user":"bob"}"#),
            ("user revoke --roles a bob", "User bob updated", #"PUT /v2/auth/users/bob {"revoke":["a"],"user":"bob"}"#),
            ("user remove bob", "User bob removed", "DELETE /v2/auth/users/bob "),
            ("role add new", "Role new created", #"PUT /v2/auth/roles/new {"permissions":{"kv":{}},"role":"new"}"#),
            ("role grant r --path /a/* --readwrite", "Role r updated", #"PUT /v2/auth/roles/r {"grant":{"kv":{"read":["/a/*"],"write":["/a/*"]}},"role":"r"}"#),
            ("role grant r --path /a --rw", "Role r updated", #"PUT /v2/auth/roles/r {"grant":{"kv":{"read":["/a"],"write":["/a"]}},"role":"r"}"#),
            ("role revoke r --path /a --read", "Role r updated", #"PUT /v2/auth/roles/r {"revoke":{"kv":{"read":["/a"]}},"role":"r"}"#),
            ("role grant r --path /a --write", "Role r updated", #"PUT /v2/auth/roles/r {"grant":{"kv":{"write":["/a"]}},"role":"r"}"#),
            ("role remove r", "Role r removed", "DELETE /v2/auth/roles/r "), ("auth enable", "Authentication Enabled", "PUT /v2/auth/enable "),
            ("auth disable", "Authentication Disabled", "DELETE /v2/auth/enable "),
        ]
        for one in cases {
            let (outcome, lines) = try await run(one.words.split(separator: " ").map(String.init))
            #expect(outcome == Outcome(out: one.out + "\n"), "\(one)")
            #expect(lines.last?.split(separator: " ") == one.sent.split(separator: " "), "\(one)")
        }
    }

    @Test("A password that is not given is asked for")
    func asking() async throws {
        let (added, lines) = try await run(["user", "add", "bob"], password: "secret")
        #expect(added.out == "User bob created\n" && lines == [#"PUT /v2/auth/users/bob {"password":"secret","user":"bob"}"#])
        let (changed, _) = try await run(["user", "passwd", "bob"], password: "new")
        #expect(changed.out == "Password updated\n")
        #expect(try await run(["user", "passwd", "bob"]).0.status == 1, "the end of the input")
    }

    @Test("Users and roles are shown as etcdctl shows them")
    func shown() async throws {
        let role = #"{"role":"rw","permissions":{"kv":{"read":["/a/*","/b"],"write":null}}}"#
        #expect(try await run(["user", "list"], .json(200, #"{"users":[{"user":"a","roles":[\#(role)]},{"user":"b"}]}"#)).0.out == "a\nb\n")
        #expect(try await run(["user", "list"], .json(200, #"{"users":null}"#)).0 == Outcome())
        #expect(try await run(["user", "get", "a"], .json(200, #"{"user":"a","roles":[\#(role)]}"#)).0.out == "User: a\nRoles:  rw\n")
        #expect(try await run(["user", "get", "b"], .json(200, #"{"user":"b"}"#)).0.out == "User: b\nRoles: \n")
        #expect(try await run(["role", "list"], .json(200, #"{"roles":[\#(role)]}"#)).0.out == "rw\n")
        #expect(try await run(["role", "get", "rw"], .json(200, role)).0.out == "Role: rw\nKV Read:\n\t/a/*\n\t/b\nKV Write:\n")
    }

    @Test("The server's reason is the error")
    func refused() async throws {
        let refusal = StubServer.Answer.json(401, #"{"message":"Insufficient credentials"}"#)
        for words in [["user", "list"], ["user", "get", "a"], ["role", "get", "r"], ["auth", "enable"], ["user", "add", "a:b"]] {
            #expect(try await run(words, refusal).0 == Outcome(err: "Insufficient credentials\n", status: 1), "\(words)")
        }
        #expect(try await run(["role", "list"], refusal).0 == Outcome(err: "unexpected status code 401\n", status: 1))
        #expect(try await run(["role", "add", "r"], .json(200, #"{"role":"r"}"#)).0 == Outcome(err: "Role r already exists\n", status: 1))
    }

    @Test(
        "Arguments that will not do",
        arguments: [
            (["user", "add"], "Please provide a username"), (["role", "get"], "Please provide a role name"),
            (["user", "grant", "a"], "No roles specified; please use `--roles`"),
            (["role", "grant", "r", "--read"], "No path specified; please use `--path`"),
            (["role", "grant", "r", "--path", "/a"], "Please specify exactly one of --read, --write or --readwrite"),
            (["role", "grant", "r", "--path", "/a", "--read", "--write"], "Please specify exactly one of --read, --write or --readwrite"),
            (["role", "grant", "r", "--path", "a//b", "--read"], "Not canonical path; please use `--path=/a/b`"),
        ] as [([String], String)])
    func arguments(words: [String], text: String) async throws {
        #expect(await etcdctl(words) == Outcome(err: text + "\n", status: 1))
    }
}
