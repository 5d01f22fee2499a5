import Foundation
import Synchronization

/// A cluster of three whose member `c` was killed before thousands of writes, so that the others' logs no longer reach back to
/// where it is: made once, and copied for each test. Only one copy can run at a time, since all have the same ports.
final class LaggingSample {
    private let place: Workplace
    let cluster: LocalCluster
    private let promises: Ledger.Snapshot

    private nonisolated(unsafe) static var made: LaggingSample?
    private static let lock = Mutex<Void>(())

    /// Members keep so many entries behind the cut of their logs.
    private static let writes = 6200

    /// Fresh copies of the directories, nothing running, no fault in the network.
    static func take() throws -> (cluster: LocalCluster, ledger: Ledger) {
        try lock.withLock { _ in
            if made == nil { atexit { LaggingSample.lock.withLock { _ in LaggingSample.made = nil } } }
            let sample = try made ?? LaggingSample()
            made = sample
            for member in sample.cluster.members {
                member.kill()
                member.environment = [:]
                Files.remove(member.directory)
                try Files.copy(sample.place("kept-\(member.name)"), to: member.directory)
            }
            sample.cluster.network?.heal()
            return (sample.cluster, Ledger(sample.promises))
        }
    }

    private init() throws {
        place = try Workplace()
        cluster = try LocalCluster(["a", "b", "c"], in: place, flags: ["--snapshot-count", "20", "--strict-reconfig-check=false"], isFaulty: true)
        try cluster.start()
        let ledger = Ledger()
        let start = steadySeconds
        let first = Load(on: cluster.ports, ledger, .init(writers: 6, round: 1))
        _ = eventually { ledger.acknowledged > 60 }
        try first.stop()
        let lagging = try cluster["c"]
        // What its files say last is in their WALs: an installation must not leave those of the old tree to the new one.
        lagging.kill()
        let load = Load(on: [try cluster.leader().port], ledger, .init(writers: 32, keysOfWriter: 8, valueBytesMax: 900, postEvery: 40, round: 2))
        _ = eventually(within: 60) { ledger.acknowledged >= Self.writes }
        try load.stop()
        guard ledger.acknowledged >= Self.writes else {
            throw Failure("only \(ledger.acknowledged) writes: \(cluster.members.map(\.log).joined(separator: "\n"))")
        }
        promises = ledger.snapshot
        print("a lagging member: \(ledger.acknowledged) writes in \(Int(steadySeconds - start)) s")
        for member in cluster.running { try member.awaitLog("cutting the log up to index") }
        for member in cluster.running { member.child?.send(SIGTERM) }
        for member in cluster.running { try member.stop() }
        for member in cluster.members { try Files.copy(member.directory, to: place("kept-\(member.name)")) }
    }
}
