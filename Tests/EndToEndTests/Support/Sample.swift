import Foundation
import Synchronization

/// Data directories that many tests start from: made once by a real server that was killed, and copied for each test.
final class Sample: Sendable {
    private let place: Workplace
    private let promises: Ledger.Snapshot

    private static let made = Mutex<[Int: Sample]>([:])

    /// A few hundred writes, some of them in the database files and some in the WAL files only.
    static func short() throws -> Sample { try sample(writes: 700) }

    /// So many commits that the WAL of the log has begun anew, and most rows stand in the database file alone.
    static func medium() throws -> Sample { try sample(writes: 2400, writers: 3) }

    /// So many writes that a small `--snapshot-count` makes the log be cut.
    static func long() throws -> Sample { try sample(writes: 7500) }

    private static func sample(writes: Int, writers: Int = 16) throws -> Sample {
        try made.withLock { made in
            if let sample = made[writes] { return sample }
            // Nobody lets go of them before the end of the process.
            if made.isEmpty { atexit { Sample.made.withLock { $0 = [:] } } }
            let sample = try Sample(writes: writes, writers: writers)
            made[writes] = sample
            return sample
        }
    }

    private init(writes: Int, writers: Int) throws {
        place = try Workplace()
        let ledger = Ledger()
        let server = try Server(place("data"))
        try Sample.write(writes * 2 / 3, server, ledger, .init(writers: writers, keysOfWriter: 12, round: 901))
        // A stop in order copies everything into the database files; the rest stays in the WAL files.
        try server.stop()
        try server.restart()
        try Sample.write(writes / 3, server, ledger, .init(writers: writers, keysOfWriter: 12, round: 902))
        server.kill()
        promises = ledger.snapshot
    }

    private static func write(_ writes: Int, _ server: Server, _ ledger: Ledger, _ shape: Load.Shape) throws {
        let target = ledger.acknowledged + writes
        let load = Load(on: server.port, ledger, shape)
        _ = eventually(within: 60) { ledger.acknowledged >= target || server.child.ended != nil }
        try load.stop()
        guard ledger.acknowledged >= target else { throw Failure("the sample was not written: \(server.log)") }
    }

    /// The directory, and what clients were told of it.
    func copy(to path: String) throws -> (directory: String, ledger: Ledger) {
        try Files.copy(place("data"), to: path)
        return (path, Ledger(promises))
    }

    /// Size and contents of the files that hold data; `-shm` files are for those who look.
    static func fingerprint(_ directory: String) throws -> [String: Int] {
        var result: [String: Int] = [:]
        for name in Files.names(directory + "/member") where name.hasSuffix(".db") || name.hasSuffix("-wal") {
            let path = directory + "/member/" + name
            var hash: UInt64 = 0xcbf2_9ce4_8422_2325
            try Data(contentsOf: URL(fileURLWithPath: path), options: .alwaysMapped).withUnsafeBytes { bytes in
                for offset in stride(from: 0, to: bytes.count - 7, by: 8) {
                    hash = (hash ^ bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self)) &* 0x0000_0100_0000_01b3
                }
            }
            result[name] = Int(truncatingIfNeeded: hash) ^ Files.size(path)
        }
        return result
    }
}
