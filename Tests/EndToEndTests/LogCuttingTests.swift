import Foundation
import Testing

/// Files stay bounded under endless load, with readers present.
@Suite("Bounded files", .blocking, .enabled(if: Program.isInstalled("sqlite3")))
struct LogCuttingTests {
    /// Entries that are kept behind the durable tree.
    private static let kept = 5000

    @Test("Log and WAL files stay bounded while shells read all the time, and the server starts from what is left")
    func boundedUnderLoad() throws {
        let place = try Workplace()
        let (directory, ledger) = try Sample.long().copy(to: place("data"))
        let server = try Server(directory, flags: ["--snapshot-count", "500"])
        let start = ledger.highest
        let load = Load(on: server.port, ledger, .init(writers: 12, keysOfWriter: 30, valueBytesMax: 1500, postEvery: 0, round: 1))
        let (log, tree) = (directory + "/member/log.db", directory + "/member/tree.db")
        var largest = (log: 0, tree: 0)
        var reads = 0
        let end = steadySeconds + 9
        while steadySeconds < end {
            // Each of them holds its moment of the file for a while.
            for (file, table) in [(log, "log"), (tree, "nodes")] {
                let run = try Program.sqlite3(file, "begin; select count(*) from \(table); select count(*) from \(table), (select 1 union select 2); commit")
                #expect(run.isClean, "\(run.text)")
                reads += 1
            }
            largest = (max(largest.log, Files.size(log + "-wal")), max(largest.tree, Files.size(tree + "-wal")))
        }
        try load.stop()
        #expect(ledger.refusals.isEmpty)
        let written = Int(ledger.highest) - Int(start)
        #expect(written > 1500, "too little was written to say anything: \(written)")
        let rows = try Program.sqlite3(log, "select count(*) from log").text.trimmingCharacters(in: .whitespacesAndNewlines)
        #expect((Int(rows) ?? .max) <= Self.kept + 500 + written, "\(rows) rows")
        #expect(try eventually(within: 20) {
            let first = try Program.sqlite3(log, "select max(\"index\") - min(\"index\") from log").text
            return Int(first.trimmingCharacters(in: .whitespacesAndNewlines)) ?? .max <= Self.kept + 600
        }, "the log is not cut")
        #expect(server.log.contains("cutting the log up to index"))
        // Written to 16 MB at the start; readers may make it grow, up to the point where they are waited for.
        #expect(largest.log < 80 << 20, "the WAL of the log came to \(largest.log) bytes")
        #expect(largest.tree < 96 << 20, "the WAL of the tree came to \(largest.tree) bytes")
        print("bounded files: \(written) writes, \(reads) reads by shells, WALs up to \(largest.log) and \(largest.tree) bytes")

        server.kill()
        let check = try Program.etcliteutl("check", directory)
        #expect(check.isClean, "\(check.text)")
        try server.restart()
        #expect(try ledger.complaints(about: server) == [])
    }
}
