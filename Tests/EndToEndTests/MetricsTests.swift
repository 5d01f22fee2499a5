import Foundation
import Testing

/// The figures of real members (server.md §7).
@Suite("Metrics", .blocking)
struct MetricsTests {
    private static func values(_ member: LocalCluster.Member) throws -> [String: Double] {
        let text = try member.client().request("GET", "/metrics").text
        return Dictionary(
            text.split(separator: "\n").filter { !$0.hasPrefix("#") }.compactMap { line -> (String, Double)? in
                guard let blank = line.lastIndex(of: " "), let value = Double(line[line.index(after: blank)...]) else { return nil }
                return (String(line[..<blank]), value)
            }, uniquingKeysWith: { $1 })
    }

    @Test("Three members count what they write, apply, and say to each other; a dead one shows")
    func cluster() throws {
        let place = try Workplace()
        let cluster = try LocalCluster(["a", "b", "c"], in: place)
        try cluster.start()
        let leader = try cluster.leader()
        for number in 1...50 { _ = try leader.client().put("/k\(number)", String(repeating: "x", count: 1000)) }
        let ids = try cluster.members.map { try $0.id() }
        let own = try leader.id()
        let others = ids.filter { $0 != own }
        #expect(try eventually(within: 20) {
            let values = try Self.values(leader)
            return others.allSatisfy { values["etcd_network_peer_round_trip_time_seconds_count{To=\"\($0)\"}"] ?? 0 >= 1 }
        })
        let before = try Self.values(leader)
        #expect(before["etcd_server_has_leader"] == 1 && before["etcd_server_is_leader"] == 1)
        #expect(before["etcd_disk_wal_write_bytes_total"] ?? 0 > 50_000)
        #expect(before["etcd_server_apply_duration_seconds_count{version=\"v2\"}"] ?? 0 >= 50)
        #expect(before["etcd_disk_wal_fsync_duration_seconds_count"] ?? 0 > 0)
        #expect(before["etcd_mvcc_db_total_size_in_bytes"] ?? 0 > 0)
        for other in others {
            #expect(before["etcd_network_active_peers{Local=\"\(own)\",Remote=\"\(other)\"}"] == 1)
            #expect(before["etcd_network_peer_sent_bytes_total{To=\"\(other)\"}"] ?? 0 > 50_000)
            #expect(before["etcd_network_peer_received_bytes_total{From=\"\(other)\"}"] ?? 0 > 0)
        }
        let follower = cluster.followers(of: leader)[0]
        #expect(try Self.values(follower)["etcd_server_apply_duration_seconds_count{version=\"v2\"}"] ?? 0 >= 50)
        let id = try follower.id()
        follower.kill()
        #expect(try eventually(within: 20) {
            let values = try Self.values(leader)
            return values["etcd_network_active_peers{Local=\"\(own)\",Remote=\"\(id)\"}"] == 0
                && values["etcd_network_disconnected_peers_total{Local=\"\(own)\",Remote=\"\(id)\"}"] ?? 0 >= 1
        })
    }
}
