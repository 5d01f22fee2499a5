import Foundation
import Testing

/// A crash at each named point of append, commit, apply, checkpoint, cut, backup and restore.
@Suite("A crash at every failpoint", .blocking)
struct FailpointTests {
    struct Place: CustomTestStringConvertible, Sendable {
        let name: String
        /// At which passage the process dies.
        let passage: Int

        var testDescription: String { "\(name):\(passage)" }
        var environment: [String: String] { ["ETCLITE_FAILPOINT": testDescription] }
    }

    /// The first passage of most is in the middle of a start; the later ones are under load.
    private static let ofServer = [
        Place(name: "log.append.begin", passage: 1), Place(name: "log.append.begin", passage: 30),
        Place(name: "log.append.before-commit", passage: 1), Place(name: "log.append.before-commit", passage: 30),
        Place(name: "log.append.after-commit", passage: 1), Place(name: "log.append.after-commit", passage: 30),
        Place(name: "log.checkpoint.begin", passage: 1), Place(name: "log.checkpoint.end", passage: 1),
        Place(name: "tree.write.begin", passage: 1), Place(name: "tree.write.begin", passage: 3),
        Place(name: "tree.write.before-commit", passage: 1), Place(name: "tree.write.before-commit", passage: 3),
        Place(name: "tree.write.after-commit", passage: 1), Place(name: "tree.write.after-commit", passage: 3),
        Place(name: "tree.checkpoint.begin", passage: 1), Place(name: "tree.checkpoint.end", passage: 1),
        Place(name: "log.cut.begin", passage: 1), Place(name: "log.cut.before-commit", passage: 1),
        Place(name: "log.cut.after-commit", passage: 1), Place(name: "log.cut.after-commit", passage: 2),
    ]
    /// Those that a lone voter never passes: `LogTruncateTests`, `SnapshotTests` and `ClusterSnapshotTests` look at what a crash there
    /// leaves.
    private static let ofCluster = [
        "log.truncate.deleted", "snapshot.copied", "install.staged", "install.before-commit", "install.log-reset",
        "install.old-removed", "install.swapped", "install.finished",
    ]
    private static let ofBackup = ["backup.copied", "backup.before-rename"]
    private static let ofRestore = ["restore.copied", "restore.before-rename"]
    private static let ofReplay = ["replay.tree-made", "replay.before-rename"]
    private static let ofCompaction = ["compact.tree-made", "compact.before-rename"]

    @Test("Every failpoint of the sources is tested here, and every one tested here is in the sources")
    func listIsComplete() throws {
        let sources = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent("../../Sources")
        var found: Set<String> = []
        let files = FileManager.default.enumerator(at: sources, includingPropertiesForKeys: nil)
        while let file = files?.nextObject() as? URL {
            guard file.pathExtension == "swift" else { continue }
            let text = try String(contentsOf: file, encoding: .utf8)
            for match in text.matches(of: /Failpoint\.pass\("([^"]*)"\)/) { found.insert(String(match.1)) }
        }
        let offline = [Self.ofBackup, Self.ofRestore, Self.ofReplay, Self.ofCompaction].flatMap { $0 }
        let others = Self.ofCluster + ReaderTests.failpoints + ForceTests.failpoints + SpaceTests.failpoints
        #expect(found == Set(Self.ofServer.map(\.name) + offline + others))
    }

    @Test("The server comes back with everything acknowledged, and the directory is clean", arguments: ofServer)
    func serverDies(at point: Place) throws {
        let place = try Workplace()
        let (directory, ledger) = try Sample.long().copy(to: place("data"))
        let server = try Server(
            spawning: directory, flags: ["--snapshot-count", "100"], environment: point.environment)
        // It may die before it serves; then there is nobody to write to.
        if (try? server.waitUntilReady()) != nil {
            let load = Load(on: server.port, ledger, .init(writers: 12, round: 1000))
            _ = server.child.wait(seconds: 40)
            try load.stop()
        }
        #expect(server.child.ended == .signal(SIGKILL), "the failpoint was never passed: \(server.log.suffix(500))")
        try expectClean(server.directory)
        try server.restart()
        let complaints = try ledger.complaints(about: server)
        #expect(complaints.isEmpty, "\(complaints.prefix(5).joined(separator: "\n"))")
        #expect(try server.client().put("/after", "1").isSuccess)
        server.kill()
        try expectClean(server.directory)
    }

    @Test("A server that dies while it makes a hot backup leaves nothing of it", arguments: ofBackup.prefix(1))
    func serverDiesAtBackup(name: String) throws {
        let place = try Workplace()
        let (directory, ledger) = try Sample.short().copy(to: place("data"))
        let server = try Server(directory, environment: ["ETCLITE_FAILPOINT": name])
        _ = try? server.client().request("GET", "/etclite/backup")
        #expect(server.child.wait(seconds: 10) == .signal(SIGKILL))
        #expect(!Files.names(directory + "/member/transfer").isEmpty)
        try server.restart()
        #expect(Files.names(directory + "/member/transfer").isEmpty)
        #expect(try ledger.complaints(about: server).isEmpty)
    }

    @Test("etcliteutl dies, its input is as it was, and the next attempt succeeds", arguments: [
        ofBackup.map { ($0, ["backup", "DIR", "NEW"]) }, ofRestore.map { ($0, ["restore", "BACKUP", "--data-dir", "NEW"]) },
        ofReplay.map { ($0, ["replay", "DIR", "--into", "NEW"]) }, ofCompaction.map { ($0, ["compact", "DIR", "--into", "NEW"]) },
    ].flatMap { $0 })
    func toolDies(at name: String, _ command: [String]) throws {
        let place = try Workplace()
        let (directory, _) = try Sample.short().copy(to: place("data"))
        #expect(try Program.etcliteutl("backup", directory, place("backup")).isClean)
        let names = ["DIR": directory, "NEW": place("new"), "BACKUP": place("backup")]
        let arguments = command.map { names[$0] ?? $0 }
        let before = try Sample.fingerprint(directory)

        let died = try Run(Program.offlineTool, arguments, environment: ["ETCLITE_FAILPOINT": name])
        #expect(died.ending == .signal(SIGKILL), "\(died.text)")
        #expect(!Files.exists(place("new")), "half of it has the final name")
        #expect(try Sample.fingerprint(directory) == before)

        let again = try Run(Program.offlineTool, arguments)
        #expect(again.isClean, "\(again.text)")
        #expect(Files.exists(place("new")))
        if command[0] != "backup" { try expectClean(place("new")) }
        #expect(try Sample.fingerprint(directory) == before)
    }

    private func expectClean(_ directory: String) throws {
        // A server that died before it had a log has left nothing to check.
        guard Files.exists(directory + "/member/tree.db") else { return }
        let check = try Program.etcliteutl("check", directory)
        #expect(check.isClean, "\(check.text)")
    }
}
