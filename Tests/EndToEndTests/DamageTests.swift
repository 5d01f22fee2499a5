import Foundation
import TestSupport
import Testing

/// Torn tails and flipped bits in the files of a killed server: found before they are served, or
/// harmless. Never a wrong answer, never a crash.
@Suite("Damaged files", .blocking)
struct DamageTests {
    private static let files = ["log.db", "log.db-wal", "tree.db", "tree.db-wal"]
    /// Flipped bytes of each file.
    private static let places = 40

    /// What came of a start on a damaged directory.
    private enum Outcome {
        case served
        case refused(String)
    }

    /// Starts a server and reads everything. Either it serves exactly what was acknowledged, by the same member, or it ends with
    /// code 1 and a sentence that names the file.
    private func start(_ directory: String, naming file: String, _ ledger: Ledger, _ what: String) throws -> Outcome {
        let server = try Server(spawning: directory)
        do {
            try server.waitUntilReady()
            let complaints = try ledger.complaints(about: server)
            #expect(complaints.isEmpty, "\(what): \(complaints.prefix(3).joined(separator: "\n"))")
            let members = try server.client().request("GET", "/v2/members").text
            #expect(members.components(separatedBy: "\"id\"").count == 2, "\(what): \(members)")
            server.kill()
            return .served
        } catch {
            let ending = server.child.wait(seconds: 5)
            #expect(ending == .exit(1), "\(what): \(ending.map { "\($0)" } ?? "it runs, but \(error)"): \(server.log.suffix(400))")
            let sentence = server.messages.last ?? ""
            #expect(sentence.contains("/member/" + file.prefix(while: { $0 != "-" })), "\(what): \(sentence)")
            return .refused(sentence)
        }
    }

    /// Offsets that mean something: in 4 KiB blocks that are not all zero, spread over all of them.
    private func interestingOffsets(_ bytes: [UInt8], count: Int, _ generator: inout SeededGenerator) -> [Int] {
        let blocks = stride(from: 0, to: bytes.count, by: 4096).filter { start in
            bytes[start..<min(start + 4096, bytes.count)].count { $0 != 0 } >= 64
        }
        guard !blocks.isEmpty else { return [] }
        return (0..<count).map { number in
            let block = blocks[number * blocks.count / count]
            return Int.random(in: block..<min(block + 4096, bytes.count), using: &generator)
        }
    }

    @Test("A flipped byte is found before it is served, or harms nothing", arguments: files)
    func flippedByte(in file: String) throws {
        let place = try Workplace()
        let sample = try file == "log.db" ? Sample.medium() : Sample.short()
        let (directory, _) = try sample.copy(to: place("data"))
        let sound = try Files.read(directory + "/member/" + file)
        var generator = SeededGenerator(seed: UInt64(getpid()))
        var (refused, found) = (0, 0)
        for offset in interestingOffsets(sound, count: DamageTests.places, &generator) {
            let flipped = sound[offset] ^ UInt8.random(in: 1...255, using: &generator)
            let what = "\(file) at \(offset): \(sound[offset]) became \(flipped)"
            Files.remove(directory)
            let (_, ledger) = try sample.copy(to: directory)
            try Files.overwrite(directory + "/member/" + file, at: offset, [flipped])
            let check = try Program.etcliteutl("check", directory)
            #expect([.exit(0), .exit(1), .exit(2)].contains(check.ending), "\(what): \(check.text)")
            found += check.isClean ? 0 : 1
            let outcome = try start(directory, naming: file, ledger, what)
            if case .refused = outcome {
                refused += 1
                #expect(!check.isClean, "\(what): a server refuses what etcliteutl check finds clean")
            }
        }
        // What only the WAL of the tree said is in the log, and made again from there.
        if file != "tree.db-wal" { #expect(found >= DamageTests.places / 4, "only \(found) were found: do they hit anything?") }
        print("flipped bytes in \(file): of \(DamageTests.places) check found \(found), a start \(refused); the rest did no harm")
    }

    @Test("A changed identity is found")
    func changedIdentity() throws {
        let place = try Workplace()
        let (directory, ledger) = try Sample.short().copy(to: place("data"))
        let path = directory + "/member/log.db"
        let member = try Program.sqlite3(path, "select member_id from identity").text.trimmingCharacters(in: .whitespacesAndNewlines)
        let bytes = try Data(contentsOf: URL(fileURLWithPath: path))
        var start = bytes.startIndex
        var changed = 0
        while let range = bytes.range(of: Data(member.utf8), in: start..<bytes.endIndex) {
            try Files.overwrite(path, at: range.lowerBound, [bytes[range.lowerBound] == 0x31 ? 0x32 : 0x31])
            changed += 1
            start = range.upperBound
        }
        try #require(changed > 0)
        guard case .refused = try self.start(directory, naming: "log.db", ledger, "a changed member id") else {
            Issue.record("a server serves with the identity of somebody else")
            return
        }
    }

    @Test("What follows the end of the WAL without ever having been acknowledged is dropped", arguments: [1, 24, 4096, 100_000])
    func garbageBehindTheWAL(bytes: Int) throws {
        let place = try Workplace()
        var generator = SeededGenerator(seed: UInt64(bytes))
        for file in ["log.db-wal", "tree.db-wal"] {
            let (directory, ledger) = try Sample.short().copy(to: place(file))
            try Files.append((0..<bytes).map { _ in .random(in: 0...255, using: &generator) }, to: directory + "/member/" + file)
            guard case .served = try start(directory, naming: file, ledger, "\(bytes) bytes of garbage behind \(file)") else {
                Issue.record("\(bytes) bytes of garbage behind \(file) stop the server")
                continue
            }
        }
    }

    @Test("A truncated file is found, or its end was never acknowledged", arguments: files)
    func truncated(file: String) throws {
        let place = try Workplace()
        let (directory, ledger) = try Sample.short().copy(to: place("sound"))
        let server = try Server(directory)
        // The tree of the killed server shows that the log once was longer, when the end of its WAL is gone.
        #expect(try eventually { try Program.sqlite3(directory + "/member/tree.db", "select applied_index from state").text == lastIndex(server) })
        server.kill()
        let size = Files.size(directory + "/member/" + file)
        for share in [0, 1, 2, 20, 40, 60, 80, 95] {
            let damaged = place("damaged")
            try Files.copy(directory, to: damaged)
            let length = size / 4096 * share / 100 * 4096 + (share % 2) * 100
            try Files.truncate(damaged + "/member/" + file, to: length)
            let what = "\(file) cut from \(size) to \(length) bytes"
            _ = try start(damaged, naming: file.hasPrefix("log") ? "" : file, Ledger(ledger.snapshot), what)
            Files.remove(damaged)
        }
    }

    @Test("A vote that reads as another, or as none, stops the start with file, place and reason; so does the check", arguments: [
        ("vote = 'zz'", "table hard_state, vote"), ("vote = ''", "table hard_state, checksum"), ("vote = '1'", "table hard_state, checksum"),
        ("term = term + 1", "table hard_state, checksum"),
    ])
    func changedVote(sql: String, place named: String) throws {
        let place = try Workplace()
        let (directory, _) = try Sample.short().copy(to: place("data"))
        let edit = try Program.sqlite3(directory + "/member/log.db", "update hard_state set \(sql)")
        try #require(edit.isClean, "\(edit.text)")
        let server = try Server(spawning: directory)
        #expect(server.child.wait(seconds: 20) == .exit(1))
        let last = server.messages.last ?? ""
        #expect(last.contains("/member/log.db") && last.contains(named) && last.contains("is damaged"), "\(server.log)")
        let check = try Program.etcliteutl("check", directory)
        #expect(check.ending == .exit(1) && check.text.contains(named), "\(check.text)")
    }

    private func lastIndex(_ server: Server) throws -> String {
        try Program.sqlite3(server.directory + "/member/log.db", "select max(\"index\") from log").text
    }
}
