import Access
import Keyspace
import Raft
import SQLite
import Testing
import TestSupport
import Wire

@testable import Storage

private func name(_ text: String) -> AccessName { AccessName(text.utf8) }

@Suite("Users and roles in tree.db")
struct AccessTests {
    private let directory: TemporaryDirectory
    private var path: String { "\(directory.path)/tree.db" }

    init() throws { directory = try TemporaryDirectory() }

    private static let commands: [AccessCommand] = [
        .setUser(name: name("root"), password: name("h1")),
        .createRole(Role(name: name("dev"), permissions: Permissions(read: [name("/b/*"), name("/a")]))),
        .createRole(Role(name: name("none"), permissions: Permissions(read: [], write: []))),
        .createUser(User(name: name("alice"), password: name("h2"), roles: [name("dev"), name("missing")])),
        .enable,
    ]

    private func entry(_ index: UInt64, _ command: AccessCommand, client: String = "root@1.2.3.4:5") -> LogEntry {
        LogEntry(index: Index(index), term: 1, payload: AccessCodec.encode(command, time: 5, client: name(client), request: index))
    }

    private func key(_ index: UInt64, _ path: String, client: String, recursive: Bool = false) -> LogEntry {
        var command = Command(.set, TreePath(path))
        command.isRecursive = recursive
        return LogEntry(index: Index(index), term: 1, payload: CommandCodec.encode(command, time: 5, client: name(client), request: index))
    }

    @Test("They are there after a restart, byte for byte, and in what a plain shell reads")
    func restart() throws {
        var expected = AccessState()
        do {
            let store = try TreeStore(path, historyEvents: 10)
            let applier = try EntryApplier(file: store.reader(), historyEvents: 10)
            for (position, command) in Self.commands.enumerated() {
                _ = try applier.apply(entry(UInt64(position) + 1, command))
                _ = expected.apply(command)
                if position % 2 == 0 { try applier.flush(to: store) }
            }
            try applier.flush(to: store)
            #expect(applier.access == expected)
            try store.close()
        }
        let store = try TreeStore(path, historyEvents: 10)
        #expect(try store.reader().access() == expected)
        #expect(try EntryApplier(file: store.reader(), historyEvents: 10).access == expected)
        try store.close()
        let rows = try Shell.run(path, "SELECT user || ' ' || role || ' ' || ifnull(act || ' ' || pattern, '-') FROM rights ORDER BY 1")
        #expect(rows.contains("alice dev read /b/*") && rows.contains("alice missing -") && rows.contains("(guests) guest write /*"))
    }

    @Test(
        "A row that was changed behind the server's back stops the next start",
        arguments: [
            "UPDATE access SET enabled = 0", "UPDATE users SET password = 'x' WHERE name = 'root'", "DELETE FROM user_roles WHERE user = 'alice'",
            "UPDATE role_patterns SET pattern = '/*' WHERE pattern = '/a'", "UPDATE roles SET has_write = 1 WHERE name = 'dev'",
        ])
    func damage(sql: String) throws {
        do {
            let store = try TreeStore(path, historyEvents: 10)
            let applier = try EntryApplier(file: store.reader(), historyEvents: 10)
            for (position, command) in Self.commands.enumerated() { _ = try applier.apply(entry(UInt64(position) + 1, command)) }
            try applier.flush(to: store)
            try store.close()
        }
        let connection = try Connection(path, as: .viewWriter)
        try connection.execute(sql)
        try connection.checkpoint(.truncate)
        connection.close()
        #expect(throws: StorageError.self) { try TreeStore(path, historyEvents: 10) }
    }

    @Test("A right that was taken before an entry's turn came is missing at its turn, on every member")
    func denied() throws {
        let store = try TreeStore(":memory:", historyEvents: 10)
        let applier = try EntryApplier(file: store.reader(), historyEvents: 10)
        for (position, command) in Self.commands.enumerated() { _ = try applier.apply(entry(UInt64(position) + 1, command)) }
        var index: UInt64 = 5
        func outcome(_ make: (UInt64) -> LogEntry) throws -> AppliedOutcome {
            index += 1
            return try applier.apply(make(index))
        }
        func isDenied(_ outcome: AppliedOutcome) -> Bool { if case .denied = outcome { true } else { false } }
        #expect(try !isDenied(outcome { key($0, "/x", client: "1.2.3.4:5") }), "a guest, who may still do everything")
        #expect(try isDenied(outcome { key($0, "/x", client: "alice@1.2.3.4:5") }))
        #expect(try isDenied(outcome { entry($0, .disable, client: "alice@1.2.3.4:5") }))
        #expect(try isDenied(outcome { entry($0, .disable, client: "1.2.3.4:5") }))
        _ = try outcome { entry($0, .updateRole(name: name("dev"), grant: Permissions(write: [name("/w/*")]), revoke: nil)) }
        #expect(try !isDenied(outcome { key($0, "/w/a", client: "alice@1.2.3.4:5") }))
        #expect(try !isDenied(outcome { key($0, "/w", client: "alice@1.2.3.4:5") }), "it may have been sent as /w/")
        _ = try outcome { entry($0, .deleteUser(name("alice"))) }
        #expect(try isDenied(outcome { key($0, "/w/a", client: "alice@1.2.3.4:5") }))
        #expect(try !isDenied(outcome { key($0, "/a", client: "root@@") }))
        #expect(try !isDenied(outcome { key($0, "/a", client: "") }), "the cluster's own")
    }
}
