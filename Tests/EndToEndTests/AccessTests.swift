import Foundation
import Testing

/// Users and roles of a running server and cluster, through everything that keeps them.
@Suite("Users and roles", .blocking)
struct AccessTests {
    private static let secret = "a-password-that-nobody-should-find"

    /// Root, a role for `/app/*`, the user alice who has it, and guests without any right.
    private func secure(_ client: HTTPClient) throws {
        func send(_ path: String, _ json: String) throws {
            let answer = try client.request("PUT", "/v2/auth/" + path, json: json)
            #expect(answer.status == 200 || answer.status == 201, "\(path): \(answer.status) \(answer.text)")
        }
        try send("users/root", #"{"user":"root","password":"\#(Self.secret)"}"#)
        try send("roles/app", #"{"role":"app","permissions":{"kv":{"read":["/app/*"],"write":["/app/*"]}}}"#)
        try send("users/alice", #"{"user":"alice","password":"\#(Self.secret)-2","roles":["app"]}"#)
        try send("roles/guest", #"{"role":"guest"}"#)
        try send("enable", "")
    }

    private func alice(_ client: HTTPClient) -> HTTPClient {
        client.user = "alice:\(Self.secret)-2"
        return client
    }

    private func root(_ client: HTTPClient) -> HTTPClient {
        client.user = "root:\(Self.secret)"
        return client
    }

    @Test("They survive kill -9, backup, restore and replay, and no password stands anywhere in clear")
    func kept() throws {
        let place = try Workplace()
        let server = try Server(place("data"), flags: ["--log-level", "debug"])
        try secure(server.client())
        #expect(try alice(server.client()).put("/app/a", "1").status == 201)
        #expect(try alice(server.client()).put("/other", "1").status == 401)
        #expect(try server.client().get("/app/a").status == 401)
        server.kill()
        try server.restart()
        #expect(try server.client().get("/app/a").status == 401)
        #expect(try alice(server.client()).get("/app/a").status == 200)
        #expect(try server.client().request("GET", "/etclite/backup").status == 401)
        let backup = try root(server.client()).request("GET", "/etclite/backup")
        #expect(backup.status == 200)
        try Files.write(backup.body, to: place("backup.db"))
        let hot = ["backup", "--endpoint", "http://127.0.0.1:\(server.port)"]
        #expect(try Run(Program.offlineTool, hot + [place("none.db")]).text.contains("the server answers 401 Unauthorized"))
        #expect(try Run(Program.offlineTool, hot + ["--username", "root:\(Self.secret)", place("flag.db")]).isClean)
        let variable = try Run(Program.offlineTool, hot + [place("variable.db")], environment: ["ETCDCTL_USERNAME": "root:\(Self.secret)"])
        #expect(variable.isClean, "\(variable.text)")
        #expect(try server.stop() == .signal(SIGTERM))

        let log = try Program.etcliteutl("log", server.directory, "--user", "alice")
        #expect(log.isClean && log.text.contains("alice@127.0.0.1:") && log.text.contains("/app/a") && !log.text.contains("createUser"), "\(log.text)")
        #expect(try Program.etcliteutl("check", server.directory).isClean)
        #expect(try Program.etcliteutl("replay", server.directory, "--into", place("again")).isClean)
        #expect(try Program.etcliteutl("restore", place("backup.db"), "--data-dir", place("restored")).isClean)
        for directory in ["again", "restored"] {
            let other = try Server(place(directory))
            #expect(try other.client().get("/app/a").status == 401, "\(directory)")
            #expect(try alice(other.client()).get("/app/a").status == 200, "\(directory)")
            #expect(try root(other.client()).request("GET", "/v2/auth/users").status == 200, "\(directory)")
        }

        let needle = Data(Self.secret.utf8)
        #expect(server.log.range(of: Self.secret) == nil)
        for file in FileManager.default.subpaths(atPath: place.path) ?? [] {
            guard let contents = FileManager.default.contents(atPath: place(file)) else { continue }
            #expect(contents.range(of: needle) == nil, "\(file)")
        }
    }

    @Test("All members of a cluster decide alike, whoever was asked, and after the leader is gone")
    func cluster() throws {
        let place = try Workplace()
        let cluster = try LocalCluster(["a", "b", "c"], in: place)
        try cluster.start()
        let leader = try cluster.leader()
        let follower = try #require(cluster.followers(of: leader).first)
        try secure(follower.client())
        for member in cluster.running {
            #expect(eventually { (try? member.client().get("/app").status) == 401 }, "\(member.name)")
            #expect(try alice(member.client()).put("/app/\(member.name)", "1").status == 201)
        }
        let watching = alice(follower.client())
        #expect(try watching.watch("/app/", "recursive=true&stream=true").status == 200)
        leader.kill()
        _ = try cluster.leader()
        let revoke = try root(follower.client()).request(
            "PUT", "/v2/auth/roles/app", json: #"{"role":"app","revoke":{"kv":{"read":["/app/*"],"write":["/app/*"]}}}"#)
        #expect(revoke.status == 200, "\(revoke.text)")
        #expect(try watching.nextEvent() == nil, "the right to watch was taken")
        try leader.spawn()
        try leader.awaitReady()
        for member in cluster.running {
            #expect(eventually { (try? alice(member.client()).get("/app/a").status) == 401 }, "\(member.name)")
            #expect(try root(member.client()).put("/app/root", "1").isSuccess)
        }
    }
}
