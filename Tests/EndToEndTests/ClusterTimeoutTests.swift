import Foundation
import Testing

/// What a request is told that waited in vain (cluster.md §9). The member that was asked knows a leader all the time, and hears it.
@Suite("Clusters: the causes of error 300", .blocking)
struct ClusterTimeoutTests {
    private static let connectionLost = "etcdserver: request timed out, possibly due to connection lost"
    private static let leaderLost = "etcdserver: request timed out, possibly due to previous leader failure"

    private func expect(_ cause: String, _ answers: Answers) throws {
        for (what, response) in try answers.all(within: 40) {
            #expect(response.status == 500, "\(what): \(response.text)")
            guard what != "member" else {
                #expect(response.text.contains(cause), "\(what): \(response.text)")
                continue
            }
            let answer = try response.answer()
            #expect(answer.errorCode == 300 && answer.message == "Raft Internal Error" && answer.cause == cause, "\(what): \(response.text)")
            #expect(response.index == 0)
        }
    }

    @Test("This member cannot reach the leader, which it hears: connection lost")
    func connectionLost() throws {
        let place = try Workplace()
        let cluster = try LocalCluster(["a", "b", "c"], in: place, flags: ["--strict-reconfig-check=false"], isFaulty: true)
        let network = try #require(cluster.network)
        try cluster.start()
        let leader = try cluster.leader()
        let asked = cluster.followers(of: leader)[0]
        #expect(try asked.client().put("/before", "1").isSuccess)
        network.set(.cut, from: asked.name, to: leader.name)

        let answers = Answers()
        answers.ask("write", asked.port) { try $0.put("/lost", "1") }
        answers.ask("quorum read", asked.port) { try $0.get("/before", "quorum=true") }
        answers.ask("member", asked.port) { try $0.request("POST", "/v2/members", json: "{\"peerURLs\":[\"http://127.0.0.1:1\"]}") }
        try expect(Self.connectionLost, answers)
        #expect(leader.isLeader, "it was to lead all the time")
        #expect(try asked.client().request("GET", "/v2/members/leader").status == 200)

        network.heal()
        #expect(try asked.client().put("/after", "1").isSuccess)
        #expect(try cluster.complaints() == [])
    }

    @Test("The leader changes soon after the request, which cannot reach the next one either: previous leader failure")
    func leaderLost() throws {
        let place = try Workplace()
        let cluster = try LocalCluster(["a", "b", "c"], in: place, isFaulty: true)
        let network = try #require(cluster.network)
        try cluster.start()
        let leader = try cluster.leader()
        let others = cluster.followers(of: leader)
        let (asked, third) = (others[0], others[1])
        #expect(try asked.client().put("/before", "1").isSuccess)
        // It hears both, and neither hears it.
        for other in [leader, third] { network.set(.stall, from: asked.name, to: other.name) }
        // An entry that it cannot acknowledge makes the third the one to hand leadership to.
        #expect(try leader.client().put("/meanwhile", "1").isSuccess)
        let answers = Answers()
        answers.ask("write", asked.port) { try $0.put("/lost", "1") }
        answers.ask("quorum read", asked.port) { try $0.get("/before", "quorum=true") }
        usleep(200_000)
        try leader.stop()
        try leader.start()
        #expect(third.isLeader)
        try expect(Self.leaderLost, answers)

        network.heal()
        #expect(try eventually(within: 20) { try asked.client().put("/after", "1").isSuccess })
        #expect(try cluster.complaints() == [])
    }
}
