import Foundation
import Testing

/// Where members and gateways listen.
@Suite("Addresses", .blocking, .enabled(if: NetworkNamespace.hindrance == nil, "\(NetworkNamespace.hindrance ?? "")"))
struct AddressTests {
    @Test("All addresses can be listened on where nothing but the loopback speaks IPv6, or not even that", arguments: [true, false])
    func everywhere(hasIPv6: Bool) throws {
        let place = try Workplace()
        let network = try NetworkNamespace(addresses: ["10.77.0.1"], records: [], in: place)
        if !hasIPv6 { #expect(try network.run("sysctl", ["-w", "net.ipv6.conf.all.disable_ipv6=1"]).isClean) }
        let member = try network.spawn(
            Program.server,
            [
                "--data-dir", place("data"), "--listen-client-urls", "http://0.0.0.0:2379", "--advertise-client-urls", "http://10.77.0.1:2379",
                "--listen-peer-urls", "http://[::]:2380", "--initial-advertise-peer-urls", "http://10.77.0.1:2380", "--initial-cluster",
                "default=http://10.77.0.1:2380",
            ], output: place("member.log"))
        let isReady = eventually(within: 20) { member.text.contains("ready to serve client requests") || member.ended != nil }
        #expect(isReady && member.ended == nil, "\(member.text)")
        let gateway = try network.spawn(Program.server, ["gateway", "start", "--listen-addr", ":23790"], output: place("gateway.log"))
        #expect(eventually(within: 20) { gateway.text.contains("ready to proxy client requests") }, "\(gateway.text)")
        for url in ["http://10.77.0.1:2379", "http://127.0.0.1:2379", "http://10.77.0.1:23790"] + (hasIPv6 ? ["http://[::1]:2379", "http://[::1]:23790"] : []) {
            let set = try network.run(Program.client, ["--no-sync", "--endpoints", url, "set", "/a", url])
            #expect(set.text == url + "\n", "\(set.text)")
        }
    }
}
