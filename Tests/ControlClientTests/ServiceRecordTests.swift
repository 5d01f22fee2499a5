import Discovery
import Testing

@testable import ControlClient

@Suite("ctl.md A1: endpoints by DNS")
struct ServiceRecordTests {
    private static func target(_ scheme: String, _ port: Int) -> ServiceDiscovery.Target {
        .init(scheme: scheme, service: "etcd-client", host: "127.0.0.1", port: UInt16(port))
    }

    @Test("What the records say goes before what the flags say", arguments: [["--insecure-discovery"], []])
    func taken(flags: [String]) async throws {
        try await StubServer.run { _, _ in nodeAnswer("get") } _: { server in
            let port = server.port
            let isAllowed = !flags.isEmpty
            let given = isAllowed ? "http://127.0.0.1:1" : server.url
            let outcome = await etcdctl(["--no-sync", "-D", "example.test", "--endpoints", given] + flags + ["get", "k"]) { domain in
                #expect(domain == "example.test")
                return [Self.target("http", isAllowed ? port : 1)]
            }
            #expect(outcome.status == 0 && outcome.out == "v\n", "\(outcome)")
            #expect(outcome.err == (isAllowed ? "" : "ignoring discovered insecure endpoint \"http://127.0.0.1.:1\"\n"))
        }
    }

    @Test("Both variables; and a domain without records")
    func variables() async throws {
        try await StubServer.run { _, _ in nodeAnswer("get") } _: { server in
            let port = server.port
            let environment = ["ETCDCTL_DISCOVERY_SRV": "a.test", "ETCDCTL_INSECURE_DISCOVERY": "true"]
            let outcome = await etcdctl(["--no-sync", "get", "k"], environment: environment) { _ in [Self.target("http", port)] }
            #expect(outcome == Outcome(out: "v\n", err: "", status: 0))
        }
        let none = await etcdctl(["-D", "a.test", "get", "k"]) { _ in throw ServiceDiscovery.Failure(reasons: [("x", "one"), ("y", "other")]) }
        #expect(none == Outcome(out: "", err: "dns lookup errors: one and other\n", status: 1))
    }
}
