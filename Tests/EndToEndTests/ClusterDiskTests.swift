import Foundation
import TestSupport
import Testing

/// One member's disk is full, or its files are damaged.
@Suite("Clusters: disks", .blocking)
struct ClusterDiskTests {
    @Test("A full disk on one member: the others go on, it says why it refuses, and catches up when there is room")
    func full() throws {
        let place = try Workplace()
        guard let disk = try SmallDisk(place("disk"), megabytes: 44) else {
            print("not tested: a full disk in a cluster (mounting a small file system is not allowed here)")
            return
        }
        let cluster = try LocalCluster(["a", "b", "c"], in: place, directories: ["c": disk.path + "/data"])
        try cluster.start()
        let full = try cluster["c"]
        let others = [try cluster["a"], try cluster["b"]]
        let ledger = Ledger()
        let load = Load(
            on: others.map(\.port), ledger,
            .init(writers: 4, keysOfWriter: 100, valueBytesMax: 20_000, isPersistent: true, timeoutSeconds: 10))
        func expectProgress(_ what: String) {
            let before = ledger.acknowledged
            #expect(eventually(within: 25) { ledger.acknowledged > before + 100 }, "no progress: \(what)")
        }
        expectProgress("before")
        try disk.fill("filler")
        let isFull = eventually(within: 30) { full.log.contains("no space left on the device: writes are refused") }
        #expect(isFull, "\(full.log.suffix(500))")
        // The leader does it, and says what came of it.
        #expect(try eventually(within: 10) { try full.client().put("/full", "1").isSuccess }, "\(full.log.suffix(500))")
        #expect(try full.client().get("/").status == 200)
        expectProgress("with a full disk")
        #expect(full.isRunning)
        Files.remove(disk.path + "/filler")
        #expect(try eventually(within: 20) { try full.client().put("/room", "1").isSuccess })
        expectProgress("with room again")

        // The leader's disk. It leads on or does not: the others' clients get what they want.
        if !full.isLeader {
            for _ in 1...6 where !full.isLeader {
                try cluster.leader().stop()
                for member in others where !member.isRunning { try member.start() }
            }
        }
        if full.isLeader {
            try disk.fill("filler")
            _ = eventually(within: 30) { full.log.components(separatedBy: "no space left on the device: writes").count > 2 }
            expectProgress("with a leader whose disk is full")
            Files.remove(disk.path + "/filler")
            #expect(try eventually(within: 20) { try full.client().put("/room", "2").isSuccess })
        }
        try load.stop()
        #expect(try cluster.complaints(ledger) == [])
    }

    @Test("A damaged file on one member: it refuses, or serves what the others have", arguments: ["log.db", "log.db-wal", "tree.db", "tree.db-wal"])
    func damaged(file: String) throws {
        let place = try Workplace()
        let cluster = try LocalCluster(["a", "b", "c"], in: place, flags: ["--strict-reconfig-check=false"])
        try cluster.start()
        let ledger = Ledger()
        let load = Load(on: cluster.ports, ledger, .init(writers: 8, valueBytesMax: 600))
        #expect(eventually(within: 30) { ledger.acknowledged > 500 })
        try load.stop()
        let damaged = try cluster["c"]
        damaged.kill()
        try Files.copy(damaged.directory, to: place("kept"))
        let path = damaged.directory + "/member/" + file
        let sound = try Files.read(path)
        let blocks = stride(from: 0, to: sound.count, by: 4096).filter { start in
            sound[start..<min(start + 4096, sound.count)].count { $0 != 0 } >= 64
        }
        var generator = SeededGenerator(seed: UInt64(getpid()))
        var refusals = 0
        let rounds = 5
        for round in 0..<rounds where !blocks.isEmpty {
            let block = blocks[round * blocks.count / rounds]
            let offset = Int.random(in: block..<min(block + 4096, sound.count), using: &generator)
            Files.remove(damaged.directory)
            try Files.copy(place("kept"), to: damaged.directory)
            try Files.overwrite(path, at: offset, [sound[offset] ^ UInt8.random(in: 1...255, using: &generator)])
            try damaged.spawn()
            let what = "\(file) at \(offset)"
            do {
                try damaged.awaitReady()
                // Its own tree, nobody else's word.
                let complaints = try ledger.complaints(about: LocalReader(member: damaged))
                #expect(complaints.isEmpty, "\(what): \(complaints.prefix(3))")
                damaged.kill()
            } catch {
                refusals += 1
                #expect(damaged.child?.wait(seconds: 5) == .exit(1), "\(what): \(damaged.log.suffix(500))")
                #expect(damaged.log.contains("/member/" + file.prefix { $0 != "-" }), "\(what): \(damaged.log.suffix(500))")
            }
            #expect(try cluster["a"].client().put("/meanwhile/\(round)", "1").isSuccess)
        }
        print("damaged \(file) on one of three: of \(rounds) flipped bytes \(refusals) were refused")
        // Whoever has lost its files gets them from the others, under a name of its own.
        let id = try #require(try memberID(of: "c", at: try cluster["a"]))
        try cluster.remove(damaged, id, by: try cluster["a"])
        let new = try cluster.add("d", by: try cluster["a"])
        try new.start()
        #expect(try cluster.complaints(ledger) == [])
    }

    private struct LocalReader: KeyReader {
        let member: LocalCluster.Member

        func files(_ key: String) throws -> (files: [String: Answer.Node], index: UInt64) {
            try member.client().files(key, "recursive=true")
        }
    }

    private func memberID(of name: String, at member: LocalCluster.Member) throws -> String? {
        let text = try member.client().request("GET", "/v2/members").text
        return text.matches(of: /"id":"([0-9a-f]+)","name":"([^"]*)"/).first { $0.2 == name }.map { String($0.1) }
    }
}
