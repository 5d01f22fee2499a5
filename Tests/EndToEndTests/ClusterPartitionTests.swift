import Foundation
import Testing

/// Members that cannot talk to each other, or only in part (cluster.md §9).
@Suite("Clusters: partitions", .blocking)
struct ClusterPartitionTests {
    private struct Setting {
        let place = try? Workplace()
        let cluster: LocalCluster
        let network: FaultNetwork
        let leader: LocalCluster.Member
        let others: [LocalCluster.Member]
        let ledger = Ledger()

        init() throws {
            cluster = try LocalCluster(["a", "b", "c"], in: try #require(place), isFaulty: true)
            network = try #require(cluster.network)
            try cluster.start()
            leader = try cluster.leader()
            others = cluster.followers(of: leader)
        }

        var names: [String] { others.map(\.name) }

        func load(round: Int = 0, on members: [LocalCluster.Member]? = nil) -> Load {
            Load(on: (members ?? cluster.members).map(\.port), ledger, .init(writers: 4, isPersistent: true, timeoutSeconds: 10, round: round))
        }

        func expectProgress(_ what: String) {
            let before = ledger.acknowledged
            #expect(eventually(within: 25) { ledger.acknowledged > before + 30 }, "no progress: \(what)")
        }
    }

    @Test("A leader that is cut off: the others go on, it refuses what needs a majority, serves plain reads, and catches up")
    func minority() throws {
        let setting = try Setting()
        let (leader, others) = (setting.leader, setting.others)
        #expect(try leader.client().put("/value", "old").isSuccess)
        for other in others { #expect(try eventually { try other.client().get("/value").answer().node?.value == "old" }) }
        setting.network.separate([leader.name], from: setting.names)

        // All at once: each of them takes a request time-out.
        let answers = Answers()
        answers.ask("quorum read", leader.port) { try $0.get("/value", "quorum=true") }
        answers.ask("write", leader.port) { try $0.put("/minority", "1") }
        answers.ask("member", leader.port) { try $0.request("POST", "/v2/members", json: "{\"peerURLs\":[\"http://127.0.0.1:1\"]}") }
        let start = steadySeconds
        let written = try others[0].client().put("/value", "new")
        #expect(written.isSuccess, "\(written.text)")
        #expect(try others[1].client().get("/value", "quorum=true").answer().node?.value == "new")
        #expect(try leader.client().get("/value").answer().node?.value == "old", "a plain read is local")
        let isSick = try eventually { try leader.client().request("GET", "/health").status == 503 }
        #expect(isSick, "/health")
        let knowsNobody = try eventually { try leader.client().request("GET", "/v2/members/leader").status == 503 }
        #expect(knowsNobody, "/v2/members/leader")
        #expect(!leader.isLeader)
        #expect(try leader.client().request("GET", "/v2/members").status == 200)
        #expect(try others[0].client().request("GET", "/health").status == 200)

        for (what, response) in try answers.all(within: 40) {
            if what == "member" {
                #expect(response.status == 500, "\(response.text)")
                continue
            }
            let answer = try response.answer()
            #expect(response.status == 500 && answer.errorCode == 300, "\(what): \(response.text)")
            #expect(answer.cause?.hasPrefix("etcdserver: request timed out") == true, "\(what): \(response.text)")
            #expect(response.index == 0 && answer.message == "Raft Internal Error")
        }
        #expect(steadySeconds - start > 4, "they did not wait for the request time-out")

        setting.network.heal()
        let isBack = try eventually(within: 20) { try leader.client().get("/value").answer().node?.value == "new" }
        #expect(isBack)
        #expect(try leader.client().put("/value", "newer").isSuccess)
        #expect(try setting.cluster.complaints() == [])
    }

    @Test("Nobody hears anybody: all wait, and a write that waited is done when they meet again")
    func nobody() throws {
        let setting = try Setting()
        let all = setting.cluster.members.map(\.name)
        for (place, name) in all.enumerated() { setting.network.separate([name], from: Array(all[(place + 1)...]), .stall) }
        let answers = Answers()
        let follower = setting.others[0]
        for number in 1...5 { answers.ask("\(number)", follower.port) { try $0.put("/waited/\(number)", "1") } }
        let isSick = try eventually { try follower.client().request("GET", "/health").status == 503 }
        #expect(isSick)
        setting.network.heal()
        for (what, response) in try answers.all(within: 40) { #expect(response.isSuccess, "\(what): \(response.text)") }
        #expect(try setting.cluster.complaints() == [])
    }

    enum Way: String, CaseIterable, Sendable {
        /// The leader is not heard, but hears.
        case mute
        /// The leader is heard, but hears nothing.
        case deaf
        /// One follower cannot talk with the leader, but with the other one.
        case triangle
        /// Everything takes a while.
        case slow
    }

    @Test("Links that work in part: writes go on, and nothing is lost", arguments: Way.allCases)
    func partly(way: Way) throws {
        let setting = try Setting()
        let load = setting.load()
        setting.expectProgress("before")
        let network = setting.network
        switch way {
        case .mute: for name in setting.names { network.set(.stall, from: setting.leader.name, to: name) }
        case .deaf: for name in setting.names { network.set(.stall, from: name, to: setting.leader.name) }
        case .triangle: network.separate([setting.leader.name], from: [setting.names[0]], .stall)
        case .slow:
            for from in setting.cluster.members {
                for to in setting.cluster.members where to !== from {
                    network.set(.delay(milliseconds: 15), from: from.name, to: to.name)
                }
            }
        }
        setting.expectProgress("with the fault")
        usleep(1_500_000)
        setting.expectProgress("later")
        network.heal()
        setting.expectProgress("afterwards")
        try load.stop()
        #expect(try setting.cluster.complaints(setting.ledger) == [])
    }
}
