import Foundation
import Testing

/// What the articles show and no other test looks at in their way (Tests/SEEDS.md).
@Suite("The articles", .blocking)
struct ArticleTests {
    @Test("The leader is killed: its successor shows in the log, in the list of members, and at /v2/leader")
    func failOver() throws {
        let place = try Workplace()
        let cluster = try LocalCluster(["a", "b", "c"], in: place)
        try cluster.start()
        let leader = try cluster.leader()
        let old = try leader.id()
        leader.kill()
        let next = try cluster.leader()
        let new = try next.id()
        for text in [
            "peer \(old) became inactive", "\(new) is starting a new election at term ", "\(new) became candidate at term ", "\(new) became leader at term ",
            "raft.node: \(new) lost leader \(old) at term ", "raft.node: \(new) elected leader \(new) at term ",
        ] { try next.awaitLog(text) }
        for other in cluster.followers(of: next) { try other.awaitLog("elected leader \(new) at term ") }

        let client = ["--no-sync", "--endpoint", "http://127.0.0.1:\(next.port)"]
        let list = try Run(Program.client, client + ["member", "list"]).text.split(separator: "\n")
        #expect(list.first { $0.hasPrefix(new) }?.hasSuffix("isLeader=true") == true && list.count { $0.hasSuffix("isLeader=true") } == 1, "\(list)")
        #expect(try next.client().request("GET", "/v2/leader").text == next.peerURL)
        let health = try Run(Program.client, client + ["cluster-health"])
        #expect(health.ending == .exit(5) && health.text.contains("member \(old) is unreachable: [http://127.0.0.1:\(leader.port)] are all unreachable"))
        #expect(health.text.hasSuffix("cluster is degraded\n"))
    }

    @Test("An extra word behind a key is passed over")
    func extraWord() throws {
        let place = try Workplace()
        let server = try Server(place("data"))
        let endpoint = ["--endpoint", "http://127.0.0.1:\(server.port)"]
        #expect(try Run(Program.client, endpoint + ["set", "/message", "Hello"]).text == "Hello\n")
        #expect(try Run(Program.client, endpoint + ["get", "/message", "Hello"]).text == "Hello\n")
    }

    @Test(
        "Without any flag there is one member on 2379 and 2380, and the client finds it, or one on 4001",
        .enabled(if: NetworkNamespace.hindrance == nil, "\(NetworkNamespace.hindrance ?? "")"))
    func defaults() throws {
        let place = try Workplace()
        let network = try NetworkNamespace(addresses: [], records: [], in: place)
        func set(_ value: String) throws -> String { try network.run(Program.client, ["set", "test", value]).text }
        func serve(_ flags: [String], _ name: String) throws -> Child {
            // In a directory of its own: it makes `default.etcd` where it stands.
            let folder = place(name)
            try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
            return try network.spawn("sh", ["-c", "cd '\(folder)' && exec \"$0\" \"$@\"", Program.server] + flags, output: place(name + ".log"))
        }
        let plain = try serve([], "plain")
        #expect(eventually(within: 20) { plain.text.contains("ready to serve client requests") }, "\(plain.text)")
        #expect(try set("hello world") == "hello world\n")
        #expect(Files.names(place("plain")) == ["default.etcd"])
        plain.kill()
        let old = try serve(["-addr", "127.0.0.1:4001", "-peer-addr", "127.0.0.1:7001", "-name", "machine1", "-data-dir", "machines/machine1"], "old")
        #expect(eventually(within: 20) { old.text.contains("ready to serve client requests") }, "\(old.text)")
        #expect(try set("hoge") == "hoge\n")
        #expect(try network.run("curl", ["-sS", "http://127.0.0.1:4001/v2/machines"]).text == "http://127.0.0.1:4001")
    }
}
