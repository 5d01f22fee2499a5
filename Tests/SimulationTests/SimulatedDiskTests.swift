import SQLite
import Simulation
import Storage
import Testing

@Suite("A simulated disk")
struct SimulatedDiskTests {
    private let volume = "/sim/m"

    private func write(_ text: String, to name: String) -> Bool { SimulatedDisk.files.append("/sim/m/\(name)", Array(text.utf8)) }

    private func text(_ name: String) -> String? {
        SimulatedDisk.files.read("/sim/m/\(name)", 0, 10_000).map { String(decoding: $0, as: UTF8.self) }
    }

    @Test("A loss of power takes what was not synced, names included; a death of the process takes nothing")
    func forgetting() {
        let disk = SimulatedDisk(seed: 1)
        #expect(write("kept", to: "a") && SimulatedDisk.files.synchronize("/sim/m/a") && write(" lost", to: "a"))
        #expect(write("lost", to: "b"))
        disk.kill(volume)
        #expect(text("a") == "kept lost" && text("b") == "lost")
        disk.crash(volume, seed: 1, keep: .nothing)
        #expect(text("a") == "kept" && text("b") == nil)
    }

    @Test("What is kept of un-synced writes is a matter of the seed, and the same for the same seed")
    func chance() {
        var found: Set<String> = []
        for seed in UInt64(0)..<40 {
            var ends: [String] = []
            for _ in 0..<2 {
                let disk = SimulatedDisk(seed: seed)
                _ = write("-", to: "a")
                _ = SimulatedDisk.files.synchronize("/sim/m/a")
                for part in ["1", "2", "3"] { _ = write(part, to: "a") }
                disk.crash(volume, seed: seed)
                ends.append((text("a") ?? "").split(separator: "\0", omittingEmptySubsequences: false).joined(separator: "_"))
            }
            #expect(ends[0] == ends[1])
            found.insert(ends[0])
        }
        // Nothing, a prefix, everything, and a hole where a write in the middle was lost.
        for end in ["-", "-1", "-12", "-123", "-_2"] { #expect(found.contains(end), "\(found.sorted())") }
    }

    @Test("A write over several sectors may be torn")
    func tearing() {
        var lengths: Set<Int> = []
        for seed in UInt64(0)..<60 {
            let disk = SimulatedDisk(seed: seed)
            _ = write("", to: "a")
            _ = SimulatedDisk.files.synchronize("/sim/m/a")
            _ = write(String(repeating: "x", count: 2048), to: "a")
            disk.crash(volume, seed: seed)
            lengths.insert((text("a") ?? "").filter { $0 == "x" }.count)
        }
        #expect(lengths.contains(0) && lengths.contains(2048) && lengths.count > 2 && lengths.allSatisfy { $0 % 512 == 0 })
    }

    @Test("A renaming happens whole or not at all")
    func renaming() {
        for seed in UInt64(0)..<20 {
            let disk = SimulatedDisk(seed: seed)
            _ = write("old", to: "a")
            _ = write("new", to: "b")
            for name in ["a", "b"] { _ = SimulatedDisk.files.synchronize("/sim/m/\(name)") }
            _ = SimulatedDisk.files.rename("/sim/m/b", "/sim/m/a")
            disk.crash(volume, seed: seed)
            #expect((text("a") == "old" && text("b") == "new") || (text("a") == "new" && text("b") == nil))
        }
    }

    @Test("A full disk refuses to grow a file; old and empty disks come back as asked")
    func fullOldEmpty() {
        let disk = SimulatedDisk(seed: 1)
        _ = write("old", to: "a")
        let image = disk.save(volume)
        disk.setFull(volume, true)
        #expect(!write("more", to: "a"))
        disk.setFull(volume, false)
        #expect(write("er", to: "a") && text("a") == "older")
        disk.restore(volume, image)
        #expect(text("a") == "old")
        disk.wipe(volume)
        #expect(text("a") == nil)
    }

    @Test("SQLite keeps every commit that it has synced, wherever the power fails", arguments: UInt64(1)...30)
    func commits(seed: UInt64) throws {
        let disk = SimulatedDisk(seed: seed)
        var committed: Int64 = 0
        for round in UInt64(0)..<4 {
            let path = "/sim/m/test.db"
            do {
                let writer = try Connection(path, as: .durableWriter)
                try writer.execute("CREATE TABLE IF NOT EXISTS t(n INTEGER)")
                let reader = try Connection(path, as: .reader)
                // Recovery may have found one that was never confirmed, as it was on its way when the power failed.
                let found = try reader.integer("SELECT max(n) FROM t") ?? 0
                #expect(found == committed || found == committed + 1)
                committed = found
                disk.crash(volume, afterCalls: 1 + (seed &* 7 &+ round &* 13) % 40, seed: seed &+ round)
                for _ in 0..<20 {
                    try writer.execute("INSERT INTO t VALUES (\(committed + 1))")
                    committed += 1
                    #expect(try reader.integer("SELECT max(n) FROM t") == committed)
                    if committed % 5 == 0 { try writer.checkpoint(.restart) }
                }
            } catch {
                #expect(disk.hasCrashed(volume), "\(error)")
            }
            disk.crash(volume, seed: seed)
        }
    }
}
