import Foundation
import TestCertificates
import Testing

/// Founders, endpoints and proxies that are found by DNS (cluster.md §8), with a name server that people run.
@Suite(
    "Discovery by DNS", .blocking,
    .enabled(if: NetworkNamespace.hindrance == nil, "\(NetworkNamespace.hindrance ?? "")"))
struct ServiceRecordTests {
    private static let domain = "example.test"

    private func addressed(_ number: Int) -> String { "10.77.0.\(number + 1)" }

    /// Three hosts; the third has another name, too, and is known to clients and members by that.
    private func network(in place: Workplace, service: String = "", missing: Int = 0) throws -> NetworkNamespace {
        var records = (0..<3).map { "--host-record=infra\($0).\(Self.domain),\(addressed($0))" }
        records[2] = "--host-record=real.\(Self.domain),\(addressed(2))"
        records.append("--cname=infra2.\(Self.domain),real.\(Self.domain)")
        for number in 0..<3 {
            records.append("--srv-host=_etcd-server\(service)._tcp.\(Self.domain),infra\(number).\(Self.domain),2380")
            records.append("--srv-host=_etcd-client\(service)._tcp.\(Self.domain),infra\(number).\(Self.domain),2379")
        }
        // Targets that nobody knows; enough of them do not fit into a datagram.
        for number in 0..<missing { records.append("--srv-host=_etcd-server\(service)._tcp.\(Self.domain),gone\(number).\(Self.domain),2380") }
        return try NetworkNamespace(addresses: (0..<3).map(addressed), records: records, in: place)
    }

    private func member(
        _ number: Int, _ network: NetworkNamespace, in place: Workplace, scheme: String = "http", flags: [String] = []
    ) throws -> Child {
        let host = "infra\(number).\(Self.domain)"
        return try network.spawn(
            Program.server,
            [
                "--name", "infra\(number)", "--data-dir", place("infra\(number)"), "--discovery-srv", Self.domain,
                "--initial-advertise-peer-urls", "\(scheme)://\(host):2380", "--listen-peer-urls", "\(scheme)://\(addressed(number)):2380",
                "--advertise-client-urls", "\(scheme)://\(host):2379", "--listen-client-urls", "\(scheme)://\(addressed(number)):2379",
                "--initial-cluster-token", "etcd-cluster-1",
            ] + flags, output: place("infra\(number).log"))
    }

    private func hear(_ text: String, from child: Child, within seconds: Double = 30) throws {
        guard eventually(within: seconds, { child.text.contains(text) || child.ended != nil }), child.text.contains(text) else {
            throw Failure("it does not say '\(text)': \(child.text)")
        }
    }

    private func three(_ network: NetworkNamespace, in place: Workplace, scheme: String = "http", flags: [String] = []) throws -> [Child] {
        let members = try (0..<3).map { try member($0, network, in: place, scheme: scheme, flags: flags) }
        for child in members { try hear("ready to serve client requests", from: child) }
        return members
    }

    @Test("Three members find each other, clients find them, and so do a proxy and a gateway")
    func founded() throws {
        let place = try Workplace()
        let network = try network(in: place)
        var members = try three(network, in: place)
        #expect(members[0].text.contains("got bootstrap from DNS for etcd-server at infra0=http://infra0.example.test:2380"))
        let list = try network.run(Program.client, ["--discovery-srv", Self.domain, "--insecure-discovery", "member", "list"])
        for number in 0..<3 {
            #expect(list.text.contains("name=infra\(number) peerURLs=http://infra\(number).example.test:2380 clientURLs="), "\(list.text)")
        }
        // Without the word for it nothing insecure is used, and the defaults are nobody's here.
        let refused = try network.run(Program.client, ["--discovery-srv", Self.domain, "member", "list"])
        #expect(refused.text.contains(#"ignoring discovered insecure endpoint "http://infra1.example.test.:2379""#) && !refused.isClean)

        let proxy = try network.spawn(
            Program.server,
            ["--proxy", "on", "--data-dir", place("proxy"), "--discovery-srv", Self.domain, "--listen-client-urls", "http://127.0.0.1:2379"],
            output: place("proxy.log"))
        try hear("endpoints found", from: proxy)
        #expect(try network.run(Program.client, ["--no-sync", "set", "/by", "proxy"]).isClean)
        let gateway = try network.spawn(
            Program.server, ["gateway", "start", "--discovery-srv", Self.domain, "--insecure-discovery"], output: place("gateway.log"))
        try hear("ready to proxy client requests", from: gateway)
        let value = try network.run(Program.client, ["--no-sync", "--endpoints", "http://127.0.0.1:23790", "get", "/by"])
        #expect(value.text == "proxy\n", "\(value.text)")

        // A member that has data does not ask any more.
        members[1].kill()
        members[1] = try member(1, network, in: place)
        try hear("ready to serve client requests", from: members[1])
        #expect(members[1].text.contains("--discovery-srv ignored since a cluster has already been initialized"))
    }

    @Test("With certificates the records of https are found, by members, clients, a proxy and a gateway; a gateway leaves out whom it cannot trust")
    func encrypted() throws {
        let place = try Workplace()
        let network = try network(in: place, service: "-ssl")
        let (authority, other) = (try TestAuthority(), try TestAuthority("Another CA"))
        let (ca, strange) = (place("ca.pem"), place("other.pem"))
        try authority.certificate.write(toFile: ca, atomically: true, encoding: .utf8)
        try other.certificate.write(toFile: strange, atomically: true, encoding: .utf8)
        let hosts = (0..<3).flatMap { ["infra\($0).\(Self.domain)", addressed($0)] } + ["127.0.0.1"]
        try authority.issue("member", hosts: hosts).write(to: place.path, as: "member")
        func pair(_ prefix: String) -> [String] { ["--\(prefix)cert-file", place("member.pem"), "--\(prefix)key-file", place("member-key.pem")] }
        let forPeers = pair("peer-") + ["--peer-client-cert-auth", "--peer-trusted-ca-file", ca]
        let members = try three(network, in: place, scheme: "https", flags: pair("") + forPeers)
        #expect(members[0].text.contains("got bootstrap from DNS for etcd-server-ssl at infra0=https://infra0.example.test:2380"))
        let client = ["--discovery-srv", Self.domain, "--ca-file", ca]
        #expect(try network.run(Program.client, client + ["set", "/by", "name"]).text == "name\n")
        #expect(try network.run(Program.client, client + ["cluster-health"]).text.contains("cluster is healthy"))
        let untrusting = try network.run(Program.client, ["--discovery-srv", Self.domain, "get", "/by"])
        #expect(!untrusting.isClean && untrusting.text.contains("x509: certificate signed by unknown authority"), "\(untrusting.text)")

        let proxy = try network.spawn(
            Program.server,
            ["--proxy", "on", "--data-dir", place("proxy"), "--discovery-srv", Self.domain, "--listen-client-urls", "http://127.0.0.1:2379"] + forPeers,
            output: place("proxy.log"))
        try hear("endpoints found", from: proxy)
        #expect(try network.run(Program.client, ["--no-sync", "get", "/by"]).text == "name\n")

        let gateway = try network.spawn(
            Program.server, ["gateway", "start", "--discovery-srv", Self.domain, "--trusted-ca-file", ca], output: place("gateway.log"))
        try hear("ready to proxy client requests to [infra0.example.test:2379 infra1.example.test:2379 infra2.example.test:2379]", from: gateway)
        let value = try network.run(Program.client, ["--no-sync", "--endpoints", "https://127.0.0.1:23790", "--ca-file", ca, "get", "/by"])
        #expect(value.text == "name\n", "\(value.text)")
        let suspicious = try network.run(
            Program.server, ["gateway", "start", "--discovery-srv", Self.domain, "--trusted-ca-file", strange, "--listen-addr", "127.0.0.1:23791"])
        #expect(suspicious.ending == .exit(1))
        #expect(suspicious.text.contains("discovered endpoint https://infra1.example.test:2379 is left out: x509: certificate signed by unknown authority"), "\(suspicious.text)")
    }

    @Test("So many records that they come by TCP, of which most lead nowhere; and a service with a name")
    func long() throws {
        let place = try Workplace()
        let network = try network(in: place, service: "-prod", missing: 60)
        let members = try three(network, in: place, flags: ["--discovery-srv-name", "prod"])
        #expect(members[0].text.contains("http://gone59.example.test:2380 from DNS for etcd-server-prod left out"))
        #expect(members[2].text.contains("got bootstrap from DNS for etcd-server-prod at infra2=http://infra2.example.test:2380"))
        let list = try network.run(Program.client, ["--no-sync", "--endpoints", "http://\(addressed(1)):2379", "member", "list"])
        #expect(list.text.split(separator: "\n").count == 3, "\(list.text)")
    }

    @Test("Without records, and with those of others only, the start ends with a sentence")
    func refusals() throws {
        let place = try Workplace()
        let network = try network(in: place)
        let none = try member(0, network, in: place, flags: ["--discovery-srv", "nowhere.test"])
        #expect(none.wait(seconds: 30) == .exit(1))
        for service in ["etcd-server-ssl", "etcd-server"] {
            #expect(
                none.text.contains(
                    "error querying DNS SRV records for _\(service) lookup _\(service)._tcp.nowhere.test on 127.0.0.1:53: no such host"),
                "\(none.text)")
        }
        let other = try member(0, network, in: place, flags: ["--initial-advertise-peer-urls", "http://\(addressed(0)):2999"])
        #expect(other.wait(seconds: 30) == .exit(1))
        #expect(other.text.contains(#"error setting up initial cluster: cannot find local etcd member "infra0" in SRV records"#), "\(other.text)")
        let client = try network.run(Program.client, ["--discovery-srv", "nowhere.test", "ls"])
        #expect(client.ending == .exit(1))
        #expect(client.text.contains("dns lookup errors: lookup _etcd-client-ssl._tcp.nowhere.test on 127.0.0.1:53: no such host and lookup"))
    }
}
