import Foundation
import Keyspace
import Raft
import Recovery
import SQLite
import Storage
import TestSupport
import Testing
import Wire

/// Everything that a directory would serve, to compare.
private struct Served: Equatable {
    var identity: Identity
    var state: TreeState
    var nodes = MemoryNodeTable()
    var events: [Event] = []
    var members: [Member]
    var entries: [LogEntry] = []

    init(_ path: String) throws {
        let reader = try DirectoryReader(DataDirectory(path: path))
        let applier = try reader.currentTree()
        identity = reader.log.identity
        state = applier.state
        members = applier.members
        try reader.tree.events(from: 0) { event in
            events.append(event)
            return true
        }
        for var event in applier.tree.table.current.events {
            event.removedBelow = []
            events.append(event)
        }
        try reader.log.visit(from: reader.log.cut) { (entry: LogEntry, _: UInt32) throws(StorageError) in
            entries.append(entry)
            return true
        }
        try TreeListing(path).visit(.root, recursive: true, hidden: true) { path, node in nodes.put(node, at: path) }
    }
}

@Suite("Damaged files: found, or harmless and the same")
struct DamageTests {
    /// Flips bits of `name` one after the other and asks the check. Returns how many were found.
    private func flip(
        _ name: String, _ shape: SampleDirectory.Shape, withoutWAL: Bool = false, flips: Int
    ) throws -> Int {
        let place = Workplace()
        let sample = try SampleDirectory(place("d"), shape)
        if withoutWAL { try FileOperations.remove(sample.directory.member + "/" + name + "-wal") }
        let original = try Served(sample.path)
        let clean = try Check.run(sample.path)
        #expect(clean.findings == [])
        let file = sample.directory.member + "/" + name
        let bytes = try #require(FileManager.default.contents(atPath: file))
        let seed = UInt64.random(in: 0...UInt64.max)
        var generator = SeededGenerator(seed: seed)
        var found = 0
        // Half of the flips where most of the bytes are not zero.
        let used = bytes.indices.filter { bytes[$0] != 0 }
        for number in 0..<flips {
            let position =
                number % 2 == 0
                ? Int.random(in: bytes.indices, using: &generator) : used.randomElement(using: &generator) ?? 0
            let bit = UInt8(1) << UInt8.random(in: 0...7, using: &generator)
            var damaged = bytes
            damaged[position] ^= bit
            try write(damaged, to: file)
            let check = try Check.run(sample.path)
            if !check.findings.isEmpty || check.notes != clean.notes {
                found += 1
                // Nothing else may crash either.
                _ = try? Served(sample.path)
                continue
            }
            do {
                let served = try Served(sample.path)
                #expect(served == original, "seed \(seed), \(name), byte \(position), bit \(bit): not found and not the same")
            } catch {
                Issue.record("seed \(seed), \(name), byte \(position), bit \(bit): the check is content, but: \(error)")
            }
        }
        return found
    }

    /// Also removes what SQLite remembers beside the file.
    private func write(_ bytes: Data, to file: String) throws {
        for name in ["log.db-shm", "tree.db-shm"] {
            try? FileManager.default.removeItem(atPath: (file as NSString).deletingLastPathComponent + "/" + name)
        }
        try bytes.write(to: URL(fileURLWithPath: file))
    }

    @Test("Flipped bits after a clean stop", arguments: ["log.db", "tree.db"])
    func stopped(name: String) throws {
        // A WAL that was copied into the file is still read from first; without it the file is all there is.
        #expect(try flip(name, .init(unstored: 0), withoutWAL: true, flips: 80) > 10)
        _ = try flip(name, .init(unstored: 0), flips: 20)
    }

    @Test("Flipped bits after a kill", arguments: ["log.db", "log.db-wal", "tree.db", "tree.db-wal"])
    func killed(name: String) throws {
        _ = try flip(name, .init(killed: true), flips: 80)
    }

    @Test("Flipped bits of a log that was cut", arguments: ["log.db", "tree.db"])
    func cut(name: String) throws {
        _ = try flip(name, .init(unstored: 10, cut: 200), flips: 80)
    }

    @Test("Flipped bits of a backup: refused, or the restored tree is the same")
    func backup() throws {
        let place = Workplace()
        let sample = try SampleDirectory(place("d"))
        let manifest = try Backup.make(of: sample.path, to: place("b"))
        let bytes = try #require(FileManager.default.contents(atPath: place("b")))
        let seed = UInt64.random(in: 0...UInt64.max)
        var generator = SeededGenerator(seed: seed)
        let restore = Restore(name: "n", peerURLs: ["http://localhost:2380"], token: "t")
        var refused = 0
        for number in 0..<80 {
            let position = Int.random(in: bytes.indices, using: &generator)
            var damaged = bytes
            damaged[position] ^= UInt8(1) << UInt8.random(in: 0...7, using: &generator)
            try damaged.write(to: URL(fileURLWithPath: place("c")))
            do {
                let report = try restore.run(place("c"), into: place("n\(number)"))
                #expect(report.backup == manifest, "seed \(seed), byte \(position)")
                var found = MemoryNodeTable()
                try TreeListing(place("n\(number)")).visit(.root, recursive: true, hidden: true) { found.put($1, at: $0) }
                #expect(found == sample.model.table, "seed \(seed), byte \(position)")
            } catch {
                refused += 1
                #expect(!FileManager.default.fileExists(atPath: place("n\(number)")))
            }
            try? FileManager.default.removeItem(atPath: place("n\(number)"))
        }
        #expect(refused > 40)
    }

    @Test("Truncated files are found", arguments: ["log.db", "log.db-wal", "tree.db", "tree.db-wal"])
    func truncated(name: String) throws {
        let place = Workplace()
        let sample = try SampleDirectory(place("d"), .init(killed: true))
        let original = try Served(sample.path)
        let clean = try Check.run(sample.path)
        let file = sample.directory.member + "/" + name
        let bytes = try #require(FileManager.default.contents(atPath: file))
        for part in 0..<16 {
            try write(bytes.prefix(bytes.count * part / 16), to: file)
            let check = try Check.run(sample.path)
            if check.findings.isEmpty, check.notes == clean.notes {
                #expect(try Served(sample.path) == original, "\(name) at \(part)/16")
            }
            _ = try? Served(sample.path)
        }
    }
}
