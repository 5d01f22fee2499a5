import Foundation
import TestSupport
import Testing

/// A full disk costs the member that has it, not the cluster.
@Suite("Clusters: full disks", .blocking)
struct ClusterFullDiskTests {
    private static let isFullText = "no space left on the device: writes are refused"

    /// Members on file systems of their own.
    private func cluster(_ small: [String], megabytes: Int, in place: Workplace) throws -> (LocalCluster, [String: SmallDisk])? {
        var disks: [String: SmallDisk] = [:]
        for name in small {
            guard let disk = try SmallDisk(place("disk-" + name), megabytes: megabytes) else {
                print("not tested: full disks in a cluster (mounting a small file system is not allowed here)")
                return nil
            }
            disks[name] = disk
        }
        let cluster = try LocalCluster(["a", "b", "c"], in: place, directories: disks.mapValues { $0.path + "/data" })
        try cluster.start()
        return (cluster, disks)
    }

    /// Others stop until it leads.
    private func makeLeader(_ member: LocalCluster.Member, of cluster: LocalCluster) throws {
        for _ in 1...12 where try cluster.leader() !== member {
            let leader = try cluster.leader()
            try leader.stop()
            try leader.start()
        }
        #expect(try cluster.leader() === member)
    }

    private func term(_ member: LocalCluster.Member) throws -> UInt64 {
        try UInt64(member.client(timeoutSeconds: 5).get("/").headers["x-raft-term"] ?? "") ?? 0
    }

    private func residentMegabytes(_ member: LocalCluster.Member) throws -> Int {
        let status = try Files.read("/proc/\(member.child?.pid ?? 0)/status")
        let text = String(decoding: status, as: UTF8.self)
        guard let match = text.firstMatch(of: /VmRSS:\s+([0-9]+) kB/), let kilobytes = Int(match.1) else { throw Failure("no VmRSS") }
        return kilobytes / 1024
    }

    private func isHealthy(_ member: LocalCluster.Member) throws -> Bool {
        try member.client(timeoutSeconds: 5).request("GET", "/health").status == 200
    }

    /// It cannot put anything into its log, so whoever leads does it, and says what came of it: as if there were room.
    private func expectForwarded(by full: LocalCluster.Member, to others: [LocalCluster.Member]) throws {
        let client = full.client()
        let created = try client.put("/full", "1")
        #expect(created.status == 201 && created.text.contains(#""action":"set","node":{"key":"/full","value":"1""#), "\(created.text)")
        let made = try client.put("/full", "2").answer()
        #expect(made.node?.value == "2" && made.prevNode?.value == "1", "\(made)")
        for other in others { #expect(try eventually(within: 10) { try other.client().get("/full").answer().node?.value == "2" }) }
        let swap = try client.put("/full", "3", ["prevValue": "1"]).answer()
        #expect(swap.errorCode == 101 && swap.cause == "[1 != 2]", "\(swap)")
        #expect(try client.put("/full", "3", ["prevExist": "false"]).answer().errorCode == 105)
        #expect(try client.put("/full/below", "3").answer().errorCode == 104)
        #expect(try client.request("DELETE", "/v2/keys/not-there").answer().errorCode == 100)
        let removed = try client.request("DELETE", "/v2/keys/full").answer()
        #expect(removed.action == "delete" && removed.prevNode?.value == "2", "\(removed)")
        #expect(try eventually(within: 10) { try others[0].client().get("/full").status == 404 })
        // More than wait for an answer at a time, so that nothing is left of those that were answered.
        for number in 0..<200 { #expect(try client.put("/forwarded", "\(number)").isSuccess) }
    }

    @Test("The leader's disk is full: another member leads, clients of the others are served, TTLs go on, nothing grows, and it comes back")
    func leader() throws {
        let place = try Workplace()
        guard let (cluster, disks) = try cluster(["c"], megabytes: 400, in: place) else { return }
        let full = try cluster["c"]
        let others = [try cluster["a"], try cluster["b"]]
        try makeLeader(full, of: cluster)
        let disk = try #require(disks["c"])
        let ledger = Ledger()
        let load = Load(
            on: others.map(\.port), ledger,
            .init(writers: 4, keysOfWriter: 20, valueBytesMax: 20_000, isPersistent: true, timeoutSeconds: 10))
        #expect(eventually(within: 25) { ledger.acknowledged > 100 })
        #expect(try others[0].client().put("/short", "1", ["ttl": "12"]).isSuccess)
        try disk.fill("filler")
        #expect(eventually(within: 30) { full.log.contains(Self.isFullText) }, "\(full.log.suffix(500))")
        #expect(eventually(within: 20) { others.contains { $0.isLeader } }, "\(full.log.suffix(1000))")
        #expect(!full.isLeader)
        let termBefore = try term(others[0])
        let before = ledger.acknowledged
        #expect(eventually(within: 25) { ledger.acknowledged > before + 100 }, "no progress with a full disk")
        try expectForwarded(by: full, to: others)
        #expect(try !isHealthy(full) && isHealthy(others[0]) && isHealthy(others[1]))
        let backup = try full.client().request("GET", "/etclite/backup")
        #expect(backup.status == 503 && backup.text.contains("no space left"), "\(backup.status) \(backup.text)")
        #expect(try eventually(within: 40) { try others[1].client().get("/short").status == 404 }, "no TTL fires")

        // Much goes by; the member that is full keeps none of it.
        let memory = try residentMegabytes(full)
        let value = String(repeating: "v", count: 500_000)
        for number in 0..<100 { #expect(try others[number % 2].client().put("/large", value).isSuccess) }
        let grown = try residentMegabytes(full) - memory
        #expect(grown < 50, "grew by \(grown) MB from \(memory) MB")
        #expect(try !full.isLeader && term(others[0]) == termBefore, "leadership moves about")
        #expect(full.log.components(separatedBy: "leadership transfer").count <= 3, "a flood: \(full.log)")
        #expect(full.log.components(separatedBy: "\n").count < 200, "a flood: \(full.log)")

        // It dies, and starts on the full disk or says why not.
        full.kill()
        try full.spawn()
        sleep(5)
        print("killed, on a disk that is still full: \(full.isRunning ? "it runs" : "it does not start")")
        #expect(full.isRunning || full.log.contains("no space left"), "\(full.log.suffix(500))")
        Files.remove(disk.path + "/filler")
        if !full.isRunning { try full.spawn() }
        #expect(
            eventually(within: 60) { (try? full.client(timeoutSeconds: 5).put("/room", "1").isSuccess) == true }, "\(full.log.suffix(500))")
        #expect(try eventually(within: 20) { try isHealthy(full) })
        try load.stop()
        #expect(try cluster.complaints(ledger) == [])
    }

    @Test("All disks are full: reads go on, nobody is elected over and over, a stop is prompt, and the first room that is enough is used")
    func all() throws {
        let place = try Workplace()
        guard let (cluster, disks) = try cluster(["a", "b", "c"], megabytes: 160, in: place) else { return }
        let members = cluster.members
        let ledger = Ledger()
        let load = Load(
            on: cluster.ports, ledger,
            .init(writers: 4, keysOfWriter: 20, valueBytesMax: 20_000, isPersistent: true, timeoutSeconds: 5))
        #expect(eventually(within: 25) { ledger.acknowledged > 100 })
        // Large values use up what the logs have written in advance, before the trees find that there is no room.
        let burst = Load(on: cluster.ports, ledger, .init(writers: 8, keysOfWriter: 1, valueBytesMax: 1_000_000, postEvery: 0, round: 1))
        for disk in disks.values { try disk.fill("filler") }
        #expect(eventually(within: 60) { members.allSatisfy { $0.log.contains(Self.isFullText) } })
        try burst.stop()
        for member in members { #expect(try member.client().get("/").status == 200) }
        // The leader stops: nobody can take its place, and nobody tries in vain for long.
        let stopped = try #require(members.first { $0.isLeader } ?? members.first)
        let asked = steadySeconds
        try stopped.stop()
        print("all disks full: the leader has stopped in \(steadySeconds - asked) s")
        let others = members.filter { $0 !== stopped }
        sleep(4)
        let before = try others.map { try term($0) }.max() ?? 0
        sleep(20)
        let after = try others.map { try term($0) }.max() ?? 0
        #expect(after <= before + 2, "from term \(before) to \(after) in 20 s")
        for member in others { #expect(try member.client().get("/").status == 200) }
        for member in others {
            sleep(1)
            Files.remove(try #require(disks[member.name]).path + "/filler")
        }
        let served = ledger.acknowledged
        #expect(eventually(within: 60) { ledger.acknowledged > served + 50 }, "no service with room for two of three")
        Files.remove(try #require(disks[stopped.name]).path + "/filler")
        try stopped.start()
        #expect(try eventually(within: 60) { try stopped.client().put("/room", "1").isSuccess })
        try load.stop()
        #expect(try cluster.complaints(ledger) == [])
    }
}
