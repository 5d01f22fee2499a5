import Foundation
import Testing

/// Members that need more than the logs of the others still hold (cluster.md §11).
@Suite("Clusters: snapshots", .blocking, .serialized)
struct ClusterSnapshotTests {
    private static let received = "raft applied incoming snapshot at index"

    @Test("A member that was away for thousands of writes gets a snapshot, and has everything")
    func lagging() throws {
        let (cluster, ledger) = try LaggingSample.take()
        let lagging = try cluster["c"]
        try cluster["a"].spawn()
        try cluster["b"].spawn()
        _ = try cluster.leader()
        // The others go on writing meanwhile.
        let load = Load(on: [try cluster["a"].port, try cluster["b"].port], ledger, .init(round: 3))
        try lagging.start()
        try lagging.awaitLog(Self.received)
        let metrics = try lagging.client().request("GET", "/metrics").text
        for line in [/etcd_network_snapshot_receive_success\{From="\w+"\} [1-9]/, /etcd_network_snapshot_receive_total_duration_seconds_count\{From="\w+"\} [1-9]/] {
            #expect(metrics.contains(line), "\(metrics)")
        }
        #expect(!metrics.contains(/snapshot_receive_inflights_total\{From="\w+"\} 1/))
        let before = ledger.acknowledged
        #expect(eventually { ledger.acknowledged > before + 50 })
        try load.stop()
        // It takes part: its word is needed for these.
        try cluster["b"].kill()
        #expect(try lagging.client().put("/with/c", "1").isSuccess)
        try cluster["b"].start()
        #expect(ledger.refusals == [:])
        try expectSound(cluster, ledger)
    }

    @Test("A member that joins gets a snapshot")
    func joining() throws {
        let (cluster, ledger) = try LaggingSample.take()
        try cluster.start()
        let load = Load(on: [try cluster["a"].port, try cluster["b"].port], ledger, .init(writers: 3, round: 3))
        let new = try cluster.add("d\(cluster.members.count)", by: try cluster["a"])
        try new.start()
        try new.awaitLog(Self.received)
        #expect(try new.client().put("/by/joiner", "1").isSuccess)
        try load.stop()
        #expect(ledger.refusals == [:])
        try expectSound(cluster, ledger)
        cluster.forget(new)
    }

    enum Interruption: String, CaseIterable, Sendable {
        case receiverDies, senderDies, linkDies
    }

    @Test("A transfer that is interrupted leaves nothing behind, and the next one succeeds", arguments: Interruption.allCases)
    func interrupted(by interruption: Interruption) throws {
        let (cluster, ledger) = try LaggingSample.take()
        let network = try #require(cluster.network)
        let lagging = try cluster["c"]
        try cluster["a"].spawn()
        try cluster["b"].spawn()
        let leader = try cluster.leader()
        let others = cluster.followers(of: leader)
        // So slow that it is still under way when it is looked at.
        for other in cluster.running { network.set(.delay(milliseconds: 100), from: other.name, to: "c") }
        try lagging.spawn()
        try lagging.awaitLog("receiving database snapshot")
        let transfer = lagging.directory + "/member/transfer"
        let isUnderWay = eventually { Files.names(transfer).contains { Files.size(transfer + "/" + $0) > 0 } }
        #expect(isUnderWay)
        #expect(!lagging.log.contains(Self.received), "it came too fast to be interrupted")
        #expect(try lagging.client().request("GET", "/metrics").text.contains(/snapshot_receive_inflights_total\{From="\w+"\} 1/))
        switch interruption {
        case .receiverDies: lagging.kill()
        case .senderDies: leader.kill()
        case .linkDies:
            network.set(.cut, from: leader.name, to: "c")
            try lagging.awaitLog("failed to receive a database snapshot")
            #expect(try lagging.client().request("GET", "/metrics").text.contains(/snapshot_receive_failures\{From="\w+"\} 1/))
            let isClean = eventually { !Files.names(transfer).contains { $0.hasSuffix(".partial") } }
            #expect(isClean)
        }
        network.heal()
        for member in cluster.members where !member.isRunning { try member.spawn() }
        for member in cluster.members { try member.awaitReady() }
        try lagging.awaitLog(Self.received)
        #expect(try others[0].client().put("/after", "1").isSuccess)
        try expectSound(cluster, ledger)
    }

    /// What the receiver passes while it installs one.
    private static let ofInstallation = [
        "install.staged", "install.before-commit", "install.log-reset", "install.old-removed", "install.swapped", "install.finished",
    ]

    @Test("A receiver that dies at any point of the installation has the old state or the new one", arguments: ofInstallation)
    func receiverDies(at point: String) throws {
        let (cluster, ledger) = try LaggingSample.take()
        let lagging = try cluster["c"]
        try cluster["a"].spawn()
        try cluster["b"].spawn()
        lagging.environment = ["ETCLITE_FAILPOINT": point]
        try lagging.spawn()
        #expect(lagging.child?.wait(seconds: 30) == .signal(SIGKILL), "the failpoint was never passed: \(lagging.log.suffix(500))")
        lagging.environment = [:]
        try lagging.start()
        try expectSound(cluster, ledger)
    }

    @Test("A sender that dies after it has made the copy is replaced")
    func senderDies() throws {
        let (cluster, ledger) = try LaggingSample.take()
        let (lagging, senders) = (try cluster["c"], [try cluster["a"], try cluster["b"]])
        for sender in senders {
            sender.environment = ["ETCLITE_FAILPOINT": "snapshot.copied"]
            try sender.spawn()
        }
        try lagging.spawn()
        #expect(eventually(within: 30) { senders.contains { $0.child?.ended == .signal(SIGKILL) } })
        for sender in senders {
            sender.kill()
            sender.environment = [:]
            try sender.spawn()
        }
        for member in cluster.members { try member.awaitReady() }
        try lagging.awaitLog(Self.received)
        try expectSound(cluster, ledger)
    }

    @Test(
        "Watches that are open during an installation are told what they would have missed, or end when nobody knows it any more",
        arguments: [1000, 20_000])
    func watches(historyEvents: Int) throws {
        let place = try Workplace()
        let flags = ["--snapshot-count", "20", "--history-events", "\(historyEvents)"]
        let cluster = try LocalCluster(["a", "b", "c"], in: place, flags: flags, isFaulty: true)
        let network = try #require(cluster.network)
        try cluster.start()
        // It must not lead: it would be the others that wait.
        let cutOff = try #require(cluster.followers(of: try cluster.leader()).first)
        let others = cluster.members.filter { $0 !== cutOff }
        #expect(try cutOff.client().put("/old", "1").isSuccess)
        let (once, never, stream) = (cutOff.client(timeoutSeconds: 60), cutOff.client(timeoutSeconds: 60), cutOff.client(timeoutSeconds: 60))
        for (watcher, key, query) in [(once, "/missed", ""), (never, "/never", ""), (stream, "/old", "stream=true")] {
            #expect(try watcher.watch(key, query).status == 200)
        }
        #expect(try cutOff.client().put("/read", "before").isSuccess)
        #expect(try cutOff.client().get("/read").answer().node?.value == "before")
        network.separate([cutOff.name], from: others.map(\.name))
        #expect(try others[0].client().put("/read", "after").isSuccess)
        let missed = try others[0].client().put("/missed", "1").answer()
        #expect(try others[0].client().put("/missed", "2").isSuccess)
        let ledger = Ledger()
        let load = Load(on: [try cluster.leader().port], ledger, .init(writers: 32, keysOfWriter: 5, postEvery: 40, round: 1))
        #expect(eventually(within: 60) { ledger.acknowledged >= 6100 })
        try load.stop()
        #expect(try cutOff.client().get("/read").answer().node?.value == "before", "it goes on serving what it has")
        network.heal()
        try cutOff.awaitLog(Self.received)

        if historyEvents > 6100 {
            let event = try #require(try once.nextEvent())
            #expect(event.node?.value == "1" && event.node?.modifiedIndex == missed.node?.modifiedIndex)
            #expect(try others[1].client().put("/never", "now").isSuccess)
            #expect(try never.nextEvent()?.node?.value == "now", "it waits on")
        } else {
            #expect(try once.nextEvent() == nil)
            #expect(try never.nextEvent() == nil, "nobody knows whether it has missed something")
        }
        // It would get one event out of the past only.
        #expect(try stream.nextEvent() == nil)
        // The caches know nothing of before, and a new watch is like any other.
        #expect(try cutOff.client().get("/read").answer().node?.value == "after")
        let again = cutOff.client()
        #expect(try again.watch("/missed", "").status == 200)
        #expect(try others[1].client().put("/missed", "later").isSuccess)
        #expect(try again.nextEvent()?.node?.value == "later")
        #expect(try cluster.complaints(ledger) == [])
    }

    private func expectSound(_ cluster: LocalCluster, _ ledger: Ledger) throws {
        #expect(try cluster.complaints(ledger) == [])
        let check = try Program.etcliteutl("check", try cluster["c"].directory)
        #expect(check.isClean, "\(check.text)")
        for member in cluster.members {
            let left = Files.names(member.directory + "/member").filter { $0.contains("incoming") }
            #expect(left == [] && Files.names(member.directory + "/member/transfer") == [], "\(member.name)")
        }
    }
}
