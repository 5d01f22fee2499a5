import Foundation
import Testing

/// Whoever is not of this cluster is refused, and told why (cluster.md §3).
@Suite("Clusters: identity", .blocking)
struct ClusterIdentityTests {
    @Test("Two clusters whose ports are mixed up refuse each other, say why, and merge nothing")
    func mixedUp() throws {
        let place = try Workplace()
        let first = try LocalCluster(["a", "b", "c"], in: place, isFaulty: true, token: "first")
        let second = try LocalCluster(["d", "e", "f"], in: place, isFaulty: true, token: "second")
        try first.start()
        try second.start()
        let (firstNetwork, secondNetwork) = (try #require(first.network), try #require(second.network))
        #expect(try first.members[0].client().put("/whose", "first").isSuccess)
        #expect(try second.members[0].client().put("/whose", "second").isSuccess)
        let (c, f) = (try first["c"], try second["f"])
        // Who looks for the one finds the other.
        firstNetwork.redirect("c", to: f.listenPeerPort)
        secondNetwork.redirect("f", to: c.listenPeerPort)
        let one = try cluster(of: first.members[0]), other = try cluster(of: second.members[0])
        #expect(one != other)
        try first["a"].awaitLog("request sent was ignored (cluster ID mismatch: peer[\(try c.id())]=\(other), local=\(one))")
        try second["d"].awaitLog("request sent was ignored (cluster ID mismatch: peer[\(try f.id())]=\(one), local=\(other))")
        try f.awaitLog("request cluster ID mismatch (got \(one) want \(other))")
        try c.awaitLog("request cluster ID mismatch (got \(other) want \(one))")
        // Both have a majority that is not mixed up.
        #expect(try first["a"].client().put("/mixed", "first").isSuccess)
        #expect(try second["d"].client().put("/mixed", "second").isSuccess)
        // A hundred lines a second would help nobody.
        usleep(1_000_000)
        for member in first.members + second.members {
            let lines = member.log.split(separator: "\n").count { $0.contains("cluster ID mismatch") }
            #expect(lines <= 6, "\(member.name) has said so \(lines) times")
        }
        firstNetwork.redirect("c", to: c.listenPeerPort)
        secondNetwork.redirect("f", to: f.listenPeerPort)
        for (cluster, name) in [(first, "first"), (second, "second")] {
            for member in cluster.members {
                for key in ["/whose", "/mixed"] {
                    let isThere = try eventually(within: 20) { try member.client().get(key).answer().node?.value == name }
                    #expect(isThere, "\(member.name) \(key)")
                }
                #expect(try member.client().request("GET", "/v2/members").text.components(separatedBy: "\"id\"").count == 4)
            }
            #expect(try cluster.complaints() == [])
        }
    }

    private func cluster(of member: LocalCluster.Member) throws -> String {
        let headers = try member.client().get("/").headers
        guard let id = headers["x-etcd-cluster-id"] else { throw Failure("no cluster id: \(headers)") }
        return id
    }

    @Test("Two members of one cluster whose ports are swapped hear nothing that is not for them")
    func swapped() throws {
        let place = try Workplace()
        let cluster = try LocalCluster(["a", "b", "c"], in: place, isFaulty: true)
        try cluster.start()
        let network = try #require(cluster.network)
        let leader = try cluster.leader()
        let others = cluster.followers(of: leader)
        network.redirect(others[0].name, to: others[1].listenPeerPort)
        network.redirect(others[1].name, to: others[0].listenPeerPort)
        try others[0].awaitLog("streaming request ignored (ID mismatch")
        try leader.awaitLog("to field mismatch")
        network.redirect(others[0].name, to: others[0].listenPeerPort)
        network.redirect(others[1].name, to: others[1].listenPeerPort)
        #expect(try others[0].client().put("/after", "1").isSuccess)
        #expect(try cluster.complaints() == [])
    }
}
