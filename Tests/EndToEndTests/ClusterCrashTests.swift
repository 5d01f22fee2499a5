import Foundation
import TestSupport
import Testing

/// Members that die, stop and come back while clients write.
@Suite("Clusters: crashes under load", .blocking)
struct ClusterCrashTests {
    enum Victim: String, CaseIterable, Sendable {
        case leader, follower, everybody
    }

    @Test("kill -9 under load: what was acknowledged is there, once, and all states are equal", arguments: Victim.allCases)
    func kill(victim: Victim) throws {
        let place = try Workplace()
        let cluster = try LocalCluster(["a", "b", "c"], in: place, flags: ["--snapshot-count", "500"])
        try cluster.start()
        let ledger = Ledger()
        var generator = SeededGenerator(seed: UInt64(getpid()))
        for round in 1...3 {
            let load = Load(on: cluster.ports, ledger, .init(isPersistent: true, timeoutSeconds: 10, round: round))
            let before = ledger.acknowledged
            #expect(eventually(within: 20) { ledger.acknowledged > before + 60 })
            usleep(UInt32.random(in: 0...200_000, using: &generator))
            let leader = try cluster.leader()
            let victims =
                switch victim {
                case .leader: [leader]
                case .follower: [cluster.followers(of: leader)[round % 2]]
                case .everybody: cluster.members
                }
            for member in victims { member.child?.send(SIGKILL) }
            for member in victims { member.kill() }
            if victim != .everybody {
                let before = ledger.acknowledged
                #expect(eventually(within: 20) { ledger.acknowledged > before + 60 }, "the others do not go on")
            }
            for member in victims { try member.spawn() }
            for member in victims { try member.awaitReady() }
            try load.stop()
            if round < 3 {
                let complaints = try ledger.complaints(about: try cluster.leader())
                #expect(complaints == [], "round \(round)")
            }
        }
        #expect(try cluster.complaints(ledger) == [])
        print("kill -9 of \(victim.rawValue): \(ledger.acknowledged) acknowledged writes checked; refusals: \(ledger.refusals)")
    }

    @Test("A leader that is paused for 5 s is replaced, and when it goes on it neither leads nor answers out of its past")
    func pause() throws {
        let place = try Workplace()
        let cluster = try LocalCluster(["a", "b", "c"], in: place)
        try cluster.start()
        let leader = try cluster.leader()
        let others = cluster.followers(of: leader)
        let ledger = Ledger()
        #expect(try leader.client().put("/value", "old").isSuccess)
        let reader = leader.client()
        #expect(try reader.get("/value", "quorum=true").answer().node?.value == "old")
        let load = Load(on: others.map(\.port), ledger, .init(writers: 4, isPersistent: true, timeoutSeconds: 10))
        #expect(eventually { ledger.acknowledged > 20 })

        leader.child?.send(SIGSTOP)
        let end = steadySeconds + 5
        // It waits for a leader, and succeeds: nothing tells the others at once that this one hangs.
        let waited = try others[0].client().put("/value", "new")
        #expect(waited.isSuccess, "\(waited.text)")
        let before = ledger.acknowledged
        #expect(eventually { ledger.acknowledged > before + 20 })
        // It is asked while it hangs; the answer can only come afterwards.
        let answers = Answers()
        answers.ask("late", leader.port) { try $0.get("/value", "quorum=true") }
        usleep(UInt32(max(0.2, end - steadySeconds) * 1e6))
        leader.child?.send(SIGCONT)
        for (_, late) in try answers.all(within: 20) { #expect(try late.answer().node?.value == "new", "\(late.text)") }
        try load.stop()
        #expect(try cluster.leader() !== leader)
        #expect(ledger.refusals == [:])
        #expect(try cluster.complaints(ledger) == [])
    }

    @Test("A rolling restart under load: a leader that is told to stop hands over, and clients of the others see nothing of it")
    func rolling() throws {
        let place = try Workplace()
        let cluster = try LocalCluster(["a", "b", "c"], in: place)
        try cluster.start()
        let ledger = Ledger()
        let load = Load(on: cluster.ports, ledger, .init(isPersistent: true))
        var handovers = 0
        // The leader after the others, and then whoever leads by then.
        for _ in 1...4 {
            let before = ledger.acknowledged
            #expect(eventually { ledger.acknowledged > before + 30 })
            let leader = try cluster.leader()
            let member = cluster.followers(of: leader).first { !$0.isMarked } ?? leader
            member.isMarked = true
            #expect(try member.stop() == .signal(SIGTERM))
            if member === leader {
                handovers += 1
                #expect(member.log.contains("starts leadership transfer to"), "\(member.log)")
                #expect(try cluster.leader() !== member)
            }
            try member.start()
        }
        try load.stop()
        #expect(handovers == 2)
        #expect(ledger.refusals.keys.allSatisfy { $0.contains("server stopped") }, "\(ledger.refusals)")
        #expect(try cluster.complaints(ledger) == [])
    }
}
