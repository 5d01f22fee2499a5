import Foundation
import Testing

/// Clusters that are founded through a discovery URL (cluster.md §7).
@Suite("Discovery by a URL", .blocking)
struct DiscoveryTests {
    private static let path = "/_etcd/registry/test"

    /// A cluster of one that serves as the discovery service.
    private final class Service {
        let member: LooseMember
        var url: String { "\(member.clientURL)/v2/keys\(DiscoveryTests.path)" }

        init(in place: Workplace, size: String?) throws {
            member = try LooseMember("discovery", in: place)
            try start()
            if let size { try set(size: size) }
        }

        func start() throws {
            try member.spawn([member])
            try member.awaitReady()
        }

        func set(size: String) throws {
            let answer = try member.client().put(DiscoveryTests.path + "/_config/size", size)
            guard answer.isSuccess else { throw Failure(answer.text) }
        }

        func registered() throws -> [String: String] {
            let nodes = try member.client().get(DiscoveryTests.path).answer().node?.nodes ?? []
            return Dictionary(nodes.map { (String($0.key?.split(separator: "/").last ?? ""), $0.value ?? "") }) { first, _ in first }
        }
    }

    private func members(_ count: Int, in place: Workplace) throws -> [LooseMember] {
        try (1...count).map { try LooseMember("test\($0)", in: place) }
    }

    @Test("The session of the seeds: five found a cluster, the sixth becomes a proxy and stays one, a seventh is added")
    func seeds() throws {
        let place = try Workplace()
        let service = try Service(in: place, size: nil)
        // As the seed has it: a hidden directory that is made on the way, which looks empty.
        let size = try service.member.client().put(Self.path + "/_config/size", "5")
        #expect(size.status == 201 && size.text.hasPrefix(#"{"action":"set","node":{"key":"/_etcd/registry/test/_config/size","value":"5","#))
        let empty = try service.member.client().get(Self.path)
        #expect(empty.text.hasPrefix(#"{"action":"get","node":{"key":"/_etcd/registry/test","dir":true,"modifiedIndex":"#))
        #expect(try service.registered().isEmpty)

        let members = try members(7, in: place)
        let founders = Array(members[0..<5])
        for member in founders.dropLast() { try member.spawn(finding: ["--discovery", service.url]) }
        for member in founders.dropLast() { try member.awaitLog("found 4 peer(s), waiting for 1 more") }
        for member in founders.dropLast() {
            #expect(try member.client().request("GET", "/health").status == 503)
            #expect(!Files.exists(member.directory + "/member"))
        }
        try founders[4].spawn(finding: ["--discovery", service.url])
        for member in founders { try member.awaitReady() }
        #expect(founders[4].log.contains("found 5 needed peer(s)"))
        let ids = try founders.map { try $0.id(asking: founders[0]) }
        #expect(try Set(service.registered().keys) == Set(ids))
        #expect(try service.registered()[ids[2]] == "test3=\(founders[2].peerURL)")
        let list = try founders[0].ctl("member", "list").text
        for member in founders { #expect(list.contains("name=\(member.name) peerURLs=\(member.peerURL) clientURLs=\(member.clientURL)")) }

        // One too many.
        let proxy = members[5]
        try proxy.spawn(finding: ["--discovery", service.url])
        try proxy.awaitLog("discovery cluster full, falling back to proxy")
        try proxy.awaitLog("endpoints found")
        #expect(try service.registered().count == 5)
        #expect(try proxy.client().put("/kept", "1").status == 201)
        #expect(try founders[3].client().get("/kept", "quorum=true").answer().node?.value == "1")
        #expect(Files.names(proxy.directory) == ["proxy"])
        // Its service is not needed any more.
        service.member.kill()
        proxy.child?.send(SIGTERM)
        #expect(proxy.child?.wait(seconds: 20) == .signal(SIGTERM))
        try proxy.spawn(finding: ["--discovery", service.url])
        try proxy.awaitLog("the server is already initialized as proxy before, starting as etcd proxy...")
        try proxy.awaitLog("endpoints found")
        #expect(proxy.log.contains("discovery token ignored since the proxy has already been initialized. Valid cluster file found at"))
        #expect(try proxy.client().get("/kept", "quorum=true").answer().node?.value == "1")

        // Another token, another order: neither matters to one that joins.
        let sixth = members[6]
        let added = try founders[0].ctl("member", "add", sixth.name, sixth.peerURL)
        #expect(added.isClean, "\(added.text)")
        try sixth.spawn([sixth] + founders.reversed(), state: "existing", token: "test-cluster")
        try sixth.awaitReady()
        #expect(try sixth.client().get("/kept", "quorum=true").answer().node?.value == "1")
        #expect(try founders[0].ctl("member", "list").text.split(separator: "\n").count == 6)
        // A member that starts again does not ask any more.
        founders[1].kill()
        try founders[1].spawn(finding: ["--discovery", service.url])
        try founders[1].awaitReady()
        #expect(founders[1].log.contains("discovery token ignored since a cluster has already been initialized. Valid log found at"))
    }

    @Test("One that is killed while it waits, and a registration that is taken away, do not spoil the token")
    func interrupted() throws {
        let place = try Workplace()
        let service = try Service(in: place, size: "3")
        let members = try members(3, in: place)
        try members[0].spawn(finding: ["--discovery", service.url])
        try members[0].awaitLog("found 1 peer(s), waiting for 2 more")
        #expect(try service.member.client().put(Self.path + "/abc", "stuck=http://127.0.0.1:9").isSuccess)
        try members[0].awaitLog("found 2 peer(s), waiting for 1 more")
        #expect(try service.member.client().request("DELETE", "/v2/keys\(Self.path)/abc").status == 200)
        members[0].kill()
        try members[0].spawn(finding: ["--discovery", service.url])
        try members[0].awaitLog("found 1 peer(s), waiting for 2 more")
        for member in members.dropFirst() { try member.spawn(finding: ["--discovery", service.url]) }
        for member in members { try member.awaitReady() }

        // With its data lost it is told, and does not vote anew under its old identity.
        let lost = members[2]
        lost.kill()
        lost.loseData()
        try lost.spawn(finding: ["--discovery", service.url])
        #expect(try lost.awaitEnd() == .exit(1))
        #expect(lost.log.contains("has already been bootstrapped"))
        #expect(lost.log.contains("member \"test3\" has previously registered with discovery service token (\(service.url))."))
        #expect(lost.log.contains("or use a new discovery token if the previous bootstrap failed."))
    }

    @Test("A service that is down is asked again, also by way of an HTTP proxy; who waits ends when told to")
    func down() throws {
        let place = try Workplace()
        let service = try Service(in: place, size: "1")
        let member = try members(1, in: place)[0]
        service.member.kill()
        // A server of keys takes a whole URL for its target, so it can play the proxy for any host.
        let flags = ["--discovery", "http://nowhere.invalid/v2/keys\(Self.path)", "--discovery-proxy", "127.0.0.1:\(service.member.port)"]
        try member.spawn(finding: flags)
        try member.awaitLog("cluster status check: error connecting to http://nowhere.invalid/v2/keys\(Self.path), retrying in 2s")
        member.child?.send(SIGTERM)
        #expect(try member.awaitEnd() == .signal(SIGTERM))
        try member.spawn(finding: flags)
        try member.awaitLog("retrying in 2s")
        try service.start()
        try member.awaitReady()
        #expect(try service.registered().count == 1)
    }

    struct Outcome: CustomTestStringConvertible, Sendable {
        var testDescription: String
        var size: String?
        /// Keys that are registered before, but for the member itself.
        var others: [String] = []
        /// Registered under the member's own identity.
        var own: String?
        var flags: [String] = []
        var url: String?
        var texts: [String]
        var isTokenUsedUp = true
    }

    private static let outcomes = [
        Outcome(testDescription: "no size", texts: ["failed to join discovery cluster (discovery: size key not found)"]),
        Outcome(testDescription: "size no number", size: "many", texts: ["failed to join discovery cluster (discovery: size key is bad)"]),
        Outcome(testDescription: "size 0", size: "0", texts: ["failed to join discovery cluster (discovery: size key is bad)"]),
        Outcome(testDescription: "size -1", size: "-1", texts: ["failed to join discovery cluster (discovery: size key is bad)"]),
        Outcome(
            testDescription: "full", size: "1", others: ["a=http://127.0.0.1:9"], flags: ["--discovery-fallback", "exit"],
            texts: ["failed to join discovery cluster (discovery: cluster is full)"]),
        Outcome(
            testDescription: "no keys there", size: "1", url: "/nowhere",
            texts: ["failed to join discovery cluster (discovery: bad discovery endpoint)"]),
        Outcome(
            testDescription: "a value that is none", size: "2", others: ["nonsense"],
            texts: ["failed to join discovery cluster (discovery: invalid URL)"]),
        Outcome(
            testDescription: "two of one name", size: "2", others: ["test1=http://127.0.0.1:9"],
            texts: [
                "member with duplicated name has registered with discovery service token(", "please check (cURL) the discovery token",
                "please do not reuse the discovery token and generate a new one to bootstrap the cluster.",
            ], isTokenUsedUp: false),
        Outcome(
            testDescription: "two at one URL", size: "2", others: ["other=OWN"],
            texts: ["discovery cluster other=OWN,test1=OWN has duplicate url"], isTokenUsedUp: false),
        Outcome(
            testDescription: "its identity under another name", size: "2", own: "other=OWN",
            texts: [
                "member \"test1\" has previously registered with discovery service token (", "But etcd could not find valid cluster",
                "Please check the given data dir path if the previous bootstrap succeeded",
            ], isTokenUsedUp: false),
        Outcome(
            testDescription: "URL with user", url: "user", texts: ["failed to join discovery cluster (parse "]),
    ]

    @Test("Every way in which it ends without a cluster, in etcd's words (cluster.md §7.3)", arguments: outcomes)
    func outcome(_ outcome: Outcome) throws {
        let place = try Workplace()
        let service = try Service(in: place, size: outcome.size)
        let member = try members(1, in: place)[0]
        func filled(_ text: String) -> String { text.replacingOccurrences(of: "OWN", with: member.peerURL) }
        var url = service.url
        if let path = outcome.url { url = path == "user" ? "http://a:b@127.0.0.1:1/v2/keys/x" : service.member.clientURL + path }
        for (number, value) in outcome.others.enumerated() {
            #expect(try service.member.client().put("\(Self.path)/\(number)", filled(value)).isSuccess)
        }
        if let own = outcome.own {
            // Its identity is what it registers.
            try member.spawn(finding: ["--discovery", url])
            try member.awaitLog("found 1 peer(s), waiting for 1 more")
            member.kill()
            let id = try #require(try service.registered().keys.first)
            #expect(try service.member.client().put("\(Self.path)/\(id)", filled(own)).isSuccess)
        }
        try member.spawn(finding: ["--discovery", url] + outcome.flags)
        #expect(try member.awaitEnd() == .exit(1))
        for text in outcome.texts { #expect(member.log.contains(filled(text)), "\(member.log)") }
        #expect(
            member.log.contains("discovery token \(url) was used, but failed to bootstrap the cluster.") == outcome.isTokenUsedUp, "\(member.log)")
        #expect(!Files.exists(member.directory + "/member"))
    }

    @Test("etcd finds its peers at our URL, and we at etcd's", .enabled(if: Program.isInstalled("etcd"), "etcd is not installed"))
    func withEtcd() throws {
        let place = try Workplace()
        let service = try Service(in: place, size: "2")
        let etcds = try ["e1", "e2"].map { try LooseMember($0, in: place) }
        for etcd in etcds { try etcd.spawn(finding: ["--discovery", service.url, "--enable-v2"], program: "etcd") }
        for etcd in etcds { try etcd.awaitLog("ready to serve client requests", within: 60) }
        #expect(try etcds[0].client().put(Self.path + "/_config/size", "2").isSuccess)
        let members = try members(3, in: place)
        let url = "\(etcds[0].clientURL)/v2/keys\(Self.path)"
        for member in members.dropLast() { try member.spawn(finding: ["--discovery", url]) }
        for member in members.dropLast() { try member.awaitReady() }
        try members[2].spawn(finding: ["--discovery", url])
        try members[2].awaitLog("endpoints found")
        #expect(try members[2].client().put("/x", "1").isSuccess)
    }
}
