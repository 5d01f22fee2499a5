import Foundation
import Testing

/// The same log gives the same tree, byte for byte, in any process (deterministic apply).
@Suite("The tree is a view of the log", .blocking, .enabled(if: Program.isInstalled("sqlite3")))
struct RebuildTests {
    /// All rows of the tree as SQL, but for what a start of a server adds to `state`.
    private func rows(_ directory: String, withState: Bool = true) throws -> String {
        let state = withState ? "select * from state;" : "select keys_index, state_hash from state;"
        let run = try Program.sqlite3(
            directory + "/member/tree.db",
            "\(state) select * from nodes order by parent, name; select * from events order by \"index\"; "
                + "select * from members order by id;", mode: "-quote")
        guard run.isClean else { throw Failure(run.text) }
        return run.text
    }

    /// A directory with all kinds of commands in its log, expiries and refusals among them.
    private func variedDirectory(_ path: String) throws -> String {
        let server = try Server(path)
        let client = server.client()
        let ledger = Ledger()
        let load = Load(on: server.port, ledger, .init(writers: 8))
        for number in 0..<60 {
            let key = "/v/d\(number % 7)/k\(number % 11)"
            try client.put(key, "v\(number)", number % 3 == 0 ? ["ttl": "\(1 + number % 2)"] : [:])
            try client.put(key, "swapped", ["prevValue": number % 2 == 0 ? "v\(number)" : "another"])
            _ = try client.request("PUT", "/v2/keys/v/d\(number % 5)", ["dir": "true", "prevExist": "true", "ttl": "100"])
            _ = try client.request("PUT", "/v2/keys\(key)", ["refresh": "true", "ttl": "2", "prevExist": "true"])
            _ = try client.request("POST", "/v2/keys/v/queue", ["value": "ä ' \" \u{1F600} \(number)"])
            if number % 9 == 0 { _ = try client.request("DELETE", "/v2/keys/v/d\(number % 7)?recursive=true") }
            if number % 8 == 0 { _ = try client.request("DELETE", "/v2/keys\(key)?prevIndex=3") }
        }
        usleep(2_500_000)
        try load.stop()
        server.kill()
        return path
    }

    @Test("Two replays and a server without its tree come to the same rows as the server that made them")
    func sameRows() throws {
        let place = try Workplace()
        let directory = try variedDirectory(place("data"))
        // A start applies what the killed server had in its log only, and a stop writes it.
        let server = try Server(directory)
        try server.stop()
        let original = try rows(directory)
        #expect(original.contains("'/v/queue'"))

        for name in ["one", "two"] {
            let replay = try Program.etcliteutl("replay", directory, "--into", place(name))
            #expect(replay.isClean && replay.text.contains("the same as the stored tree"), "\(replay.text)")
            #expect(try rows(place(name)) == original)
        }
        for name in Files.names(place("one/member")) where name.hasPrefix("tree.db") { Files.remove(place("one/member/\(name)")) }
        let rebuilt = try Server(place("one"), port: server.port)
        try rebuilt.stop()
        // Its own URLs are published anew; they take an index.
        let nodes = try rows(place("one"), withState: false).split(separator: "\n").filter { $0.hasPrefix("'/") }
        #expect(nodes == original.split(separator: "\n").filter { $0.hasPrefix("'/") })
        let check = try Program.etcliteutl("check", directory)
        #expect(check.isClean && check.text.contains("the same as the log makes it"), "\(check.text)")
    }

    @Test("A compacted directory serves the same keys at the same index, without a log")
    func compaction() throws {
        let place = try Workplace()
        let (directory, ledger) = try Sample.long().copy(to: place("data"))
        let compact = try Program.etcliteutl("compact", directory, "--into", place("small"))
        #expect(compact.isClean, "\(compact.text)")
        let entries = try Program.etcliteutl("log", place("small"))
        #expect(entries.isClean && entries.text.isEmpty, "\(entries.text.prefix(300))")
        let server = try Server(place("small"))
        #expect(try ledger.complaints(about: server) == [])
        server.kill()
        let check = try Program.etcliteutl("check", place("small"))
        #expect(check.isClean, "\(check.text)")
    }
}
