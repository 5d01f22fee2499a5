import Foundation
import TestCertificates
import Testing

/// Patroni and real databases on three members that ask for certificates and a user.
@Suite("Patroni", .blocking, .enabled(if: PatroniNode.isPossible && Program.isInstalled("curl"), "needs patroni, python3-etcd, postgresql and curl"))
struct PatroniTests {
    private let place: Workplace
    private let authority: TestAuthority
    private let members: [EncryptedMember]

    init() throws {
        (place, authority) = (try Workplace(), try TestAuthority())
        members = try ["a", "b", "c"].map { [place] in try EncryptedMember($0, in: place) }
        for member in members {
            try member.trust(authority)
            try member.certify(by: authority)
            member.initialCluster = members.map { "\($0.name)=\($0.peerURL)" }.joined(separator: ",")
            member.flags = member.files() + member.files("peer-")
        }
    }

    /// Root; the user `patroni` with `/service/*`; nothing for anybody else.
    private func secure() throws {
        for (path, json) in [
            ("users/root", #"{"user":"root","password":"r"}"#),
            ("roles/service", #"{"role":"service","permissions":{"kv":{"read":["/service/*"],"write":["/service/*"]}}}"#),
            ("users/patroni", #"{"user":"patroni","password":"p","roles":["service"]}"#), ("roles/guest", #"{"role":"guest"}"#), ("enable", ""),
        ] {
            let status = try members[0].curl("/v2/auth/" + path, ["-XPUT", "-d", json, "-o", "/dev/null", "-w", "%{http_code}"]).text
            #expect(status == "200" || status == "201", "\(path): \(status)")
        }
    }

    private func node(_ path: String, from member: EncryptedMember? = nil) throws -> Answer.Node? {
        let text = try (member ?? members[0]).curl("/v2/keys/service/demo/" + path, ["-u", "root:r"]).text
        return try? JSONDecoder().decode(Answer.self, from: Data(text.utf8)).node
    }

    private func awaitLeader(_ name: String, from member: EncryptedMember? = nil, _ nodes: [PatroniNode]) throws {
        guard try eventually(within: 90, { try node("leader", from: member)?.value == name }) else {
            throw Failure("\(name) does not lead:\n" + nodes.map { "\($0.name): \($0.log.suffix(3000))" }.joined(separator: "\n"))
        }
    }

    @Test("It elects, keeps and hands over its leader, also when a member goes, and elects another one when the leader dies")
    func life() throws {
        for member in members { try member.spawn() }
        for member in members { try member.awaitReady() }
        try secure()
        try authority.issue("somebody").write(to: members[0].certificates, as: "patroni")
        let files = ["ca.pem", "patroni.pem", "patroni-key.pem"].map { "\(members[0].certificates)/\($0)" }
        let hosts = members.map { "\"127.0.0.1:\($0.port)\"" }.joined(separator: ", ")
        let etcd = """
            {hosts: [\(hosts)], protocol: https, cacert: "{files}/ca.pem", cert: "{files}/patroni.pem", key: "{files}/patroni-key.pem",
                   username: patroni, password: p}
            """
        let (one, two) = (
            try PatroniNode("one", in: place, etcd: etcd, files: files), try PatroniNode("two", in: place, etcd: etcd, files: files)
        )
        let nodes = [one, two]
        try one.start()
        try awaitLeader("one", nodes)
        try two.start()
        #expect(try eventually(within: 90) { try node("members/two")?.value?.contains(#""state":"running""#) ?? false }, "\(two.log.suffix(3000))")

        // Kept: the key is the same one, and is given time again and again.
        let first = try #require(try node("leader"))
        #expect(try eventually(within: 30) { try node("leader")?.modifiedIndex ?? 0 > first.modifiedIndex ?? 0 })
        #expect(try node("leader")?.createdIndex == first.createdIndex)
        #expect(try (1...20).contains(node("leader")?.ttl ?? 0))
        // Nobody else sees or touches it, with a certificate or without the password.
        #expect(try members[1].curl("/v2/keys/service/demo/leader", ["-XDELETE"]).text.contains("\"errorCode\":110"))

        // A member goes, the one that leads as well as any: neither database notices.
        members[0].child?.kill()
        let before = try #require(try node("leader", from: members[1]))
        #expect(try eventually(within: 40) { try node("leader", from: members[1])?.modifiedIndex ?? 0 > before.modifiedIndex ?? 0 }, "\(one.log.suffix(3000))")
        #expect(try node("leader", from: members[1])?.createdIndex == first.createdIndex)
        try members[0].start()

        // Handed over on request.
        #expect(try eventually(within: 30) { try one.query("select count(*) from pg_stat_replication where state = 'streaming'") == "1" })
        let handed = try one.control("switchover", "--master", "one", "--candidate", "two", "--force", "demo")
        #expect(handed.text.contains("Successfully switched over to \"two\""), "\(handed.text)")
        try awaitLeader("two", nodes)
        #expect(try eventually(within: 60) { try two.query("create table if not exists t (x int); select pg_is_in_recovery()").hasSuffix("f") })
        #expect(try eventually(within: 60) { try two.query("select count(*) from pg_stat_replication where state = 'streaming'") == "1" }, "\(one.log.suffix(3000))")

        // The leader dies with its database: its key ends, and only then another one is made.
        let last = try #require(try node("leader"))
        two.kill()
        try awaitLeader("one", nodes)
        #expect(try node("leader")?.createdIndex ?? 0 > last.modifiedIndex ?? 0)
        #expect(try eventually(within: 60) { try one.query("select pg_is_in_recovery()") == "f" }, "\(one.log.suffix(3000))")
    }
}
