import Foundation
import Testing

/// The data directory as an open book: a plain SQLite shell reads it at any time, and does no harm.
@Suite("A plain sqlite3 beside us", .blocking, .enabled(if: Program.isInstalled("sqlite3")))
struct ShellTests {
    private func keys(_ directory: String) throws -> Set<String> {
        let run = try Program.sqlite3(directory + "/member/tree.db", "select path, value, dir, created, modified, ttl from keys")
        #expect(run.isClean, "\(run.text)")
        return Set(run.text.split(separator: "\n").map(String.init))
    }

    private func entries(_ directory: String) throws -> [String] {
        let run = try Program.sqlite3(
            directory + "/member/log.db", "select \"index\", term, kind, operation, path, value, time, client from entries order by 1")
        #expect(run.isClean, "\(run.text)")
        return run.text.split(separator: "\n").map(String.init)
    }

    @Test("It reads keys and entries while the server runs, after it stopped, and after it was killed; the server starts after it")
    func readsAtAnyTime() throws {
        let place = try Workplace()
        let server = try Server(place("data"))
        let index = try server.client().put("/a/b", "hello").index
        try server.client().put("/t", "x", ["ttl": "1000"])
        let expected = "/a/b|hello|0|\(index)|\(index)|"
        // The tree follows the log within moments.
        #expect(try eventually { try keys(server.directory).contains(expected) })
        #expect(try keys(server.directory).contains("/a||1|\(index)|\(index)|"))
        #expect(try eventually { try keys(server.directory).contains { $0.hasPrefix("/t|x|0|") && ($0.hasSuffix("|1000") || $0.hasSuffix("|999")) } })
        let year = Calendar(identifier: .gregorian).component(.year, from: Date())
        let entry = try entries(server.directory).first { $0.contains("|/a/b|") } ?? ""
        #expect(entry.contains("|keys|set|/a/b|hello|\(year)-") && entry.contains("|127.0.0.1:"), "\(entry)")

        // Killed with everything in the WAL: the shell is the only one who has the files open, and closes them for good.
        server.kill()
        #expect(try keys(server.directory).contains(expected))
        #expect(try entries(server.directory).contains(entry))
        try server.restart()
        #expect(try server.client().get("/a/b").answer().node?.value == "hello")
        try server.client().put("/a/b", "again")

        try server.stop()
        #expect(try keys(server.directory).contains { $0.hasPrefix("/a/b|again|") })
        #expect(try entries(server.directory).contains(entry))
        try server.restart()
        #expect(try server.client().get("/a/b").answer().node?.value == "again")
        server.kill()
        let check = try Program.etcliteutl("check", server.directory)
        #expect(check.isClean, "\(check.text)")
    }

    @Test("After each kill a shell reads both files and is the last to close them; nothing acknowledged is lost")
    func lastToClose() throws {
        let place = try Workplace()
        let (directory, ledger) = try Sample.short().copy(to: place("data"))
        let server = try Server(directory)
        for round in 1...3 {
            let load = Load(on: server.port, ledger, .init(round: 700 + round))
            usleep(400_000)
            server.kill()
            try load.stop()
            _ = try keys(directory)
            _ = try entries(directory)
            #expect(!Files.exists(directory + "/member/log.db-wal"), "the shell was not the last to close it")
            let check = try Program.etcliteutl("check", directory)
            #expect(check.isClean && check.text.contains("another program"), "\(check.text)")
            for command in [["status"], ["ls"], ["backup", place("b\(round)")], ["compact", "--into", place("c\(round)")]] {
                let run = try Run(Program.offlineTool, [command[0], directory] + command.dropFirst())
                #expect(run.isClean, "\(command): \(run.text)")
            }
            try server.restart()
            #expect(try ledger.complaints(about: server) == [])
        }
    }

    @Test("A change that a shell makes to the tree behind our back is found")
    func changedByShell() throws {
        let place = try Workplace()
        let (directory, _) = try Sample.short().copy(to: place("data"))
        let edit = try Program.sqlite3(directory + "/member/tree.db", "update nodes set value = 'forged' where name = 'k1'")
        try #require(edit.isClean, "\(edit.text)")
        let server = try Server(spawning: directory)
        #expect(server.child.wait(seconds: 20) == .exit(1))
        #expect(server.messages.last?.contains("/member/tree.db") == true, "\(server.log)")
        for command in ["check", "ls", "status"] {
            let run = try Program.etcliteutl(command, directory)
            #expect(run.ending == .exit(1) && run.text.contains("/member/tree.db"), "\(command): \(run.text)")
        }
    }
}
