import Foundation
import Testing

/// Members that come and go at run time (cluster.md §5, §6).
@Suite("Clusters: members", .blocking)
struct ClusterMemberTests {
    private static let farewell = "the member has been permanently removed from the cluster"

    @Test("The strict check refuses a removal for a connection that is missing, and not for one that is only being made anew", arguments: [false, true])
    func connections(isBack: Bool) throws {
        let place = try Workplace()
        let cluster = try LocalCluster(["a", "b", "c"], in: place, isFaulty: true)
        let network = try #require(cluster.network)
        try cluster.start()
        let asked = try cluster.leader()
        let others = cluster.followers(of: asked)
        let (leaving, third) = (others[0], others[1])
        let id = try leaving.id()
        #expect(try third.client().put("/known", "1").isSuccess)

        network.set(.cut, from: asked.name, to: third.name)
        let answers = Answers()
        answers.ask("remove", asked.port) { try $0.request("DELETE", "/v2/members/\(id)") }
        usleep(150_000)
        if isBack { network.heal() }
        for (_, response) in try answers.all(within: 20) {
            if isBack {
                #expect(response.status == 204, "\(response.status) \(response.text)")
            } else {
                #expect(response.status == 500 && response.text.contains("too few members would be connected"), "\(response.text)")
            }
        }
        network.heal()
        if isBack { #expect(leaving.child?.wait(seconds: 20) == .exit(0)) } else { #expect(leaving.isRunning) }
    }

    @Test("Add, remove and replace under load; one that was removed says so and ends without an error")
    func underLoad() throws {
        let place = try Workplace()
        // Without the strict check: it would make each change wait until all have been connected for five seconds.
        let cluster = try LocalCluster(["a", "b", "c"], in: place, flags: ["--strict-reconfig-check=false"])
        try cluster.start()
        let ledger = Ledger()
        let (a, b, c) = (try cluster["a"], try cluster["b"], try cluster["c"])
        let load = Load(on: [a.port, b.port], ledger, .init(writers: 4, isPersistent: true, timeoutSeconds: 10))
        func expectProgress(_ what: String) {
            let before = ledger.acknowledged
            #expect(eventually(within: 20) { ledger.acknowledged > before + 30 }, "no progress: \(what)")
        }

        // Add.
        let d = try cluster.add("d", by: a)
        try d.start()
        #expect(try d.client().put("/by/d", "1").isSuccess)
        expectProgress("with four")
        #expect(try names(a) == ["a", "b", "c", "d"])
        #expect(try eventually { try names(d) == ["a", "b", "c", "d"] })

        // Remove one that runs.
        let idOfC = try c.id()
        try cluster.remove(c, idOfC, by: d)
        try expectFarewell(c)
        expectProgress("without c")
        // It was told for good, also when it comes again.
        try c.spawn()
        try expectFarewell(c)
        let again = try a.client().request("DELETE", "/v2/members/\(idOfC)")
        #expect(again.status == 410 && again.text == "{\"message\":\"Member permanently removed: \(idOfC)\"}", "\(again.text)")

        // Replace one that died with its disk.
        let idOfD = try d.id()
        d.kill()
        Files.remove(d.directory)
        try cluster.remove(d, idOfD, by: b)
        let e = try cluster.add("e", by: b)
        try e.start()
        expectProgress("with e for d")

        // Remove the leader.
        let leader = try cluster.leader()
        let other = try #require(cluster.followers(of: leader).first)
        try cluster.remove(leader, try leader.id(), by: other)
        try expectFarewell(leader)
        expectProgress("without its leader")
        #expect(try cluster.leader() !== leader)
        try load.stop()
        #expect(ledger.refusals.keys.allSatisfy { $0.contains("stopped") || $0.contains("timed out") }, "\(ledger.refusals)")
        #expect(try cluster.complaints(ledger) == [])
    }

    private func expectFarewell(_ member: LocalCluster.Member) throws {
        #expect(member.child?.wait(seconds: 20) == .exit(0), "\(member.log.suffix(1000))")
        #expect(member.log.contains(Self.farewell), "\(member.log.suffix(1000))")
        #expect(member.log.contains("the data-dir used by this member must be removed."))
    }

    private func names(_ member: LocalCluster.Member) throws -> [String] {
        let text = try member.client().request("GET", "/v2/members").text
        return text.matches(of: /"name":"([^"]*)"/).map { String($0.1) }.sorted()
    }

    @Test("A cluster of one grows to three")
    func growing() throws {
        let place = try Workplace()
        let cluster = try LocalCluster(["a"], in: place)
        try cluster.start()
        let a = try cluster["a"]
        #expect(try a.client().put("/first", "1").isSuccess)
        for name in ["b", "c"] {
            let new = try cluster.add(name, by: a)
            try new.start()
            #expect(try new.client().get("/first", "quorum=true").answer().node?.value == "1")
            #expect(try new.client().put("/by/\(name)", "1").isSuccess)
        }
        // All have a say.
        for member in cluster.members {
            member.kill()
            #expect(try #require(cluster.running.first).client().put("/without/\(member.name)", "1").isSuccess)
            try member.start()
        }
        #expect(try cluster.complaints() == [])
    }

    @Test("The strict check: no member is added while one is away; a member that lost its data does not come back as itself")
    func strict() throws {
        let place = try Workplace()
        let cluster = try LocalCluster(["a", "b", "c"], in: place)
        try cluster.start()
        let (a, c) = (try cluster["a"], try cluster["c"])
        let id = try c.id()
        c.kill()
        let answer = try a.client().request("POST", "/v2/members", json: "{\"peerURLs\":[\"http://127.0.0.1:1\"]}")
        #expect(answer.status == 500 && answer.text.contains("unhealthy cluster"), "\(answer.text)")
        // Amnesia: it may have voted, and must not vote again.
        Files.remove(c.directory)
        try c.spawn()
        #expect(c.child?.wait(seconds: 20) == .exit(1))
        #expect(c.log.contains("member \(id) has already been bootstrapped"), "\(c.log)")
        // The dead one can always be removed, and then there is room for its successor.
        try cluster.remove(c, id, by: a)
        try c.spawn()
        #expect(c.child?.wait(seconds: 20) == .exit(1))
        #expect(c.log.contains("member \(id) was removed from the cluster"), "\(c.log)")
        let d = try cluster.add("d", by: a)
        try d.start()
        #expect(try d.client().put("/by/d", "1").isSuccess)
        #expect(try cluster.complaints() == [])
    }

    private func move(_ member: LocalCluster.Member, by other: LocalCluster.Member) throws {
        let url = "http://127.0.0.1:\(try Ports.free())"
        let answer = try other.client().request("PUT", "/v2/members/\(try member.id())", json: "{\"peerURLs\":[\"\(url)\"]}")
        #expect(answer.status == 204, "\(answer.text)")
        try member.stop()
        member.flags += ["--listen-peer-urls", url]
        try member.start()
    }

    @Test("A member moves to another peer URL")
    func update() throws {
        let place = try Workplace()
        let cluster = try LocalCluster(["a", "b", "c"], in: place)
        try cluster.start()
        let (a, c) = (try cluster["a"], try cluster["c"])
        try move(c, by: a)
        // Only with its word is there a majority.
        try cluster["b"].kill()
        #expect(try a.client().put("/moved", "1").isSuccess)
        #expect(try c.client().get("/moved", "quorum=true").answer().node?.value == "1")
        try cluster["b"].start()
        #expect(try cluster.complaints() == [])
    }

    @Test("One that was away while another came takes it for the leader that it is")
    func addedWhileAway() throws {
        let place = try Workplace()
        let cluster = try LocalCluster(["a", "b", "c"], in: place, flags: ["--strict-reconfig-check=false"])
        try cluster.start()
        let (a, b, c) = (try cluster["a"], try cluster["b"], try cluster["c"])
        b.kill()
        let d = try cluster.add("d", by: a)
        try d.start()
        // With the three of them a majority, one that stops hands over to one of the other two.
        for _ in 0..<40 {
            let leader = try cluster.leader()
            if leader === d { break }
            try leader.stop()
            try leader.start()
        }
        #expect(try cluster.leader() === d)
        try b.start()
        #expect(try b.client().put("/found", "1").isSuccess)
        #expect(try c.client().get("/found", "quorum=true").answer().node?.value == "1")
        #expect(try cluster.complaints() == [])
    }

    @Test("One that was away while another moved finds it, though nobody else is there to tell")
    func updateWhileAway() throws {
        let place = try Workplace()
        let cluster = try LocalCluster(["a", "b", "c"], in: place)
        try cluster.start()
        let (a, b, c) = (try cluster["a"], try cluster["b"], try cluster["c"])
        b.kill()
        try move(c, by: a)
        a.kill()
        try b.start()
        #expect(try b.client().put("/found", "1").isSuccess)
        try a.start()
        #expect(try cluster.complaints() == [])
    }
}
