import Foundation
import Testing

/// Three real processes over real sockets.
@Suite("Clusters of real processes", .blocking)
struct ClusterTests {
    @Test("Three members: each takes writes, each shows them; the leader is killed and comes back; the trees are equal")
    func three() throws {
        let place = try Workplace()
        let cluster = try LocalCluster(["a", "b", "c"], in: place)
        try cluster.start()
        for member in cluster.members {
            let response = try member.client().put("/from/\(member.name)", member.name)
            #expect(response.status == 201, "\(member.name): \(response.text)")
            // Before it the cluster has recorded three members, three names and one version (cluster.md §3).
            if member === cluster.members[0] { #expect(try response.answer().node?.modifiedIndex == 8) }
            #expect(try member.client().get("/from/\(member.name)").answer().node?.value == member.name, "its own write")
        }
        try expectEverywhere(cluster.members, ["/from/a": "a", "/from/b": "b", "/from/c": "c"])
        let quorum = try cluster.members[1].client().get("/from/c", "quorum=true")
        #expect(try quorum.answer().node?.value == "c", "\(quorum.text)")

        let leader = try cluster.leader()
        leader.kill()
        let rest = cluster.members.filter { $0 !== leader }
        // It waits for the next leader, and succeeds.
        let start = steadySeconds
        let after = try rest[0].client().put("/after", "1")
        print("kill -9 of the leader to the next write: \(Int((steadySeconds - start) * 1000)) ms")
        #expect(after.isSuccess, "\(after.text)")
        #expect(try rest[1].client().put("/after", "2").isSuccess)
        try leader.spawn()
        try leader.awaitReady()
        try expectEverywhere(cluster.members, ["/after": "2", "/from/a": "a"])
        #expect(try leader.client().put("/after", "3").isSuccess)
        try expectEverywhere(cluster.members, ["/after": "3"])

        for member in cluster.members { member.child?.send(SIGTERM) }
        for member in cluster.members { #expect(try member.stop() == .signal(SIGTERM)) }
        let hashes = try cluster.members.map { try $0.stateHash() }
        #expect(Set(hashes).count == 1, "\(hashes)")
        #expect(hashes.first?.isEmpty == false)
    }

    private func expectEverywhere(_ members: [LocalCluster.Member], _ values: [String: String]) throws {
        for member in members {
            let client = member.client()
            for (key, value) in values.sorted(by: { $0.key < $1.key }) {
                let isThere = try eventually(within: 5) { try client.get(key).answer().node?.value == value }
                #expect(isThere, "\(member.name) does not show \(key)=\(value)")
            }
        }
    }
}
