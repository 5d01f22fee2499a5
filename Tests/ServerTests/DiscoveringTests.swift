import Discovery
import Testing

@testable import Server

@Suite("cluster.md §7, §8: who the founders are, by a discovery URL or by DNS")
struct DiscoveringTests {
    private static let url = "http://localhost:2379/v2/keys/_etcd/registry/test"

    @Test("The discovery URL takes the place of the token in all identities (the session of the seeds)")
    func identities() throws {
        let ports = [12380, 22380, 32380, 42380, 52380]
        let ids = ["38538e10a590934a", "d9067d913c6c8ec1", "6104f38a34ee187e", "84074fa680e71ff8", "540a30cee9fea123"]
        let values = ports.enumerated().map { "test\($0 + 1)=http://localhost:\($1)" }
        for (port, id) in zip(ports, ids) {
            let configuration = Outcome([
                "--discovery=\(Self.url)", "--name=test1", "--initial-advertise-peer-urls=http://localhost:\(port)",
            ]).configuration
            #expect(MemberIdentity.text(try configuration.founding(surroundings: .memory()).localID) == id)
        }
        let configuration = Outcome([
            "--discovery=\(Self.url)", "--name=test2", "--initial-advertise-peer-urls=http://localhost:22380",
        ]).configuration
        let founding = try configuration.founding(ServerConfiguration.cluster(of: values), surroundings: .memory())
        #expect(MemberIdentity.text(founding.clusterID) == "ae0d4a553ba2d8dd" && MemberIdentity.text(founding.localID) == ids[1])
    }

    @Test("What has been registered must be one name and its URLs each")
    func values() throws {
        func failure(_ values: [String]) -> DiscoveryFailure? {
            do {
                _ = try ServerConfiguration.cluster(of: values)
                return nil
            } catch {
                return error
            }
        }
        #expect(failure(["a=http://127.0.0.1:1,a=http://127.0.0.1:2", "b=http://127.0.0.1:3"]) == nil)
        for value in ["", "nonsense", "a=", "a=ftp://x:1", "a=http://x", "=http://x:1/y"] {
            #expect(failure(["b=http://127.0.0.1:3", value]) == (value.isEmpty ? .duplicateName : .invalidURL), "\(value)")
        }
        #expect(failure(["a=http://127.0.0.1:1", "a=http://127.0.0.1:2"]) == .duplicateName)
        #expect(failure(["a=http://127.0.0.1:1,c=http://127.0.0.1:4", "b=http://127.0.0.1:2"]) == .duplicateName)
    }

    @Test("Flags that do not go with a discovery URL")
    func flags() {
        let existing = Outcome(["--discovery=\(Self.url)", "--initial-cluster-state=existing"])
        #expect(existing.lines.last == "C | etcdmain: discovery URL should not be set when joining existing initial cluster")
        // Who may become a proxy need not advertise.
        let listening = ["--listen-client-urls=http://127.0.0.1:1", "--discovery=\(Self.url)"]
        #expect(Outcome(listening).code == nil)
        #expect(Outcome(listening + ["--discovery-fallback=exit"]).lines.first?.contains("--advertise-client-urls is required") == true)
        #expect(Outcome(["--listen-client-urls=http://127.0.0.1:1", "--proxy=on"]).code == nil)
        let limit = Outcome(["--proxy-dial-timeout=0"])
        #expect(limit.lines.last == Outcome.verifying("--proxy-dial-timeout must be between 1 and 86400000 (set to 0)"))
    }

    @Test("A directory in which a proxy has lived is a proxy's; what etcd leaves beside it when it falls back does not matter")
    func proxyDirectory() {
        for others in [[], ["member"]] {
            let stored = Surroundings.memory(directories: ["d": ["proxy"] + others, "d/member": ["snap"]])
            let outcome = Outcome(["--data-dir=d", "--initial-cluster=x=y"], surroundings: stored)
            #expect(outcome.code == nil && outcome.configuration.isProxy)
            #expect(outcome.notices.contains("N | etcdmain: the server is already initialized as proxy before, starting as etcd proxy..."))
        }
        let member = Surroundings.memory(directories: ["d": ["member"], "d/member": ["log.db"]])
        #expect(!Outcome(["--data-dir=d", "--proxy=on"], surroundings: member).configuration.isProxy)
    }

    // MARK: DNS

    private static let hosts = [
        "infra0.example.test": ["10.0.0.1", "fd00::1"], "infra1.example.test": ["10.0.0.2"], "infra2.example.test": ["10.0.0.3"],
        "mine": ["fd00::1"], "10.0.0.2": ["10.0.0.2"],
    ]

    private func cluster(_ targets: [ServiceDiscovery.Target], own: String) throws(StartupFailure) -> RecordedCluster {
        let urls = (try? EndpointURL.list(own)) ?? []
        return try RecordedCluster(targets, name: "me", own: urls) { Set(Self.hosts[$0] ?? []) }
    }

    private static func targets(_ scheme: String, _ hosts: [String]) -> [ServiceDiscovery.Target] {
        hosts.map { ServiceDiscovery.Target(scheme: scheme, service: "etcd-server", host: $0, port: 2380) }
    }

    private static let three = (0...2).map { "infra\($0).example.test" }

    @Test(
        "The record that leads to this member gets its name, by the host's name or by any of its addresses",
        arguments: [("http://infra0.example.test:2380", 0), ("http://mine:2380", 0), ("http://10.0.0.2:2380", 1)])
    func own(url: String, place: Int) throws {
        let names = (0...2).map { $0 == place ? "me" : String($0 < place ? $0 : $0 - 1) }
        let expected = zip(names, Self.three).map { "\($0)=http://\($1):2380" }.joined(separator: ",")
        #expect(try cluster(Self.targets("http", Self.three), own: url).text == expected)
    }

    @Test("A target without an address is left out; one of this member's with another scheme is a mistake; a port counts")
    func targets() throws {
        let found = try cluster(Self.targets("https", ["gone.example.test"] + Self.three), own: "https://infra2.example.test:2380")
        #expect(found.text == "0=https://infra0.example.test:2380,1=https://infra1.example.test:2380,me=https://infra2.example.test:2380")
        #expect(found.notices.first?.text.contains("gone.example.test: no such host") == true)
        #expect(found.notices.last?.text == "got bootstrap from DNS for etcd-server at me=https://infra2.example.test:2380")
        #expect(throws: RecordedCluster.failure(
            "bootstrap at https://infra0.example.test:2380 from DNS for etcd-server has scheme mismatch with expected peer http://mine:2380")
        ) { try cluster(Self.targets("https", Self.three), own: "http://mine:2380") }
        #expect(try !cluster(Self.targets("http", Self.three), own: "http://mine:2381").text.contains("me="))
        #expect(throws: RecordedCluster.failure("lookup unknown: no such host")) {
            try cluster(Self.targets("http", Self.three), own: "http://unknown:2380")
        }
        #expect(throws: StartupFailure.self) { try cluster(Self.targets("http", ["gone.example.test"]), own: "http://mine:2380") }
    }

    @Test("Identities are those that etcd gives: of URLs and token")
    func recordedIdentities() throws {
        let text = try cluster(Self.targets("https", Self.three), own: "https://infra0.example.test:2380").text
        let configuration = Outcome([
            "--name=me", "--initial-advertise-peer-urls=https://infra0.example.test:2380", "--initial-cluster-token=etcd-cluster-1",
            "--discovery-srv=example.test",
        ]).configuration
        let founding = try configuration.founding(InitialCluster(parsing: text), surroundings: .memory())
        #expect(founding.members.map { MemberIdentity.text($0.id) } == ["2603c73885989684", "454dbb2a383a8dda", "6fb8ca03653f5717"])
        #expect(MemberIdentity.text(founding.clusterID) == "58d1c91619ea60b9")
        #expect(MemberIdentity.text(founding.localID) == "454dbb2a383a8dda")
    }
}
