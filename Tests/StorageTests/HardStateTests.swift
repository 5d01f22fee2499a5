import Raft
import SQLite
import Storage
import TestSupport
import Testing

@Suite("Term and vote: what was written, or a reason to stop")
struct HardStateTests {
    private let directory: TemporaryDirectory
    private let path: String
    private let state = HardState(term: 0x1234, vote: MemberID(0x8e9e_05c5_2164_694d), commit: 3)

    init() throws {
        directory = try TemporaryDirectory()
        path = directory.file("log.db")
        try Logs.createSmall(path)
        let store = try LogStore(path)
        try store.write(state, Logs.entries(1...10))
        _ = try store.cutStep(upTo: 2)
        try store.close()
        let connection = try Connection(path, as: .durableWriter)
        try connection.checkpoint(.truncate)
        connection.close()
    }

    private func edit(_ sql: String, _ file: String) throws {
        let connection = try Connection(file, as: .durableWriter)
        try connection.execute(sql)
        connection.close()
    }

    private func damage(_ file: String) throws -> (place: String, reason: String) {
        let error = try #require(throws: StorageError.self) { try LogStore(file) }
        guard case .damaged(file, let place, let reason) = error else {
            Issue.record("\(error)")
            return ("", "")
        }
        return (place, reason)
    }

    @Test("Any single bit of their page: the start stops, or reads exactly what was written")
    func bits() throws {
        let bytes = try Files.read(path)
        let page = (Int(WALFile.hardStatePage) - 1) * 4096..<Int(WALFile.hardStatePage) * 4096
        // The page's header and its one cell, at the end.
        let used = Array(page.prefix(12)) + Array(page.suffix(64))
        var found = 0
        for position in used {
            for bit in 0..<8 {
                var damaged = bytes
                damaged[position] ^= 1 << UInt8(bit)
                try DiskImage(main: damaged, wal: []).restore(to: path)
                do {
                    let store = try LogStore(path)
                    #expect(store.hardState == state, "byte \(position - page.lowerBound), bit \(bit)")
                } catch {
                    found += 1
                }
            }
        }
        #expect(found > 200)
    }

    @Test(
        "A vote that cannot be read is never none",
        arguments: ["zz", "8e9e05c52164694d0", "08e9e05c52164694d", "8E9E05C52164694D", " ", "0"])
    func unreadableVote(text: String) throws {
        try edit("UPDATE hard_state SET vote = '\(text)'", path)
        let (place, reason) = try damage(path)
        #expect(place == "table hard_state, vote" && reason.contains(text))
    }

    @Test("A vote for nobody, another vote, another term, a missing checksum", arguments: ["vote = ''", "vote = '1'", "term = 4661", "checksum = NULL"])
    func changed(what: String) throws {
        try edit("UPDATE hard_state SET \(what)", path)
        #expect(try damage(path).place == "table hard_state, checksum")
    }

    @Test("A cut that says something else", arguments: ["term = 2", "checksum = checksum + 1", "row_checksum = NULL"])
    func changedCut(what: String) throws {
        try edit("UPDATE snapshots SET \(what)", path)
        #expect(try damage(path).place == "table snapshots, index 2")
    }

    @Test("A right row that does not fit the log: committed entries are gone, or a term is too low")
    func unfitting() throws {
        let store = try LogStore(path)
        try store.write(HardState(term: 0, commit: 3), [])
        try store.close()
        #expect(try damage(path).place == "table hard_state, term")
        try edit("DELETE FROM log WHERE \"index\" > 2", path)
        #expect(try damage(path).place == "table hard_state, commit")
    }

    @Test("A log of before the checksums gets them at the first start, and is the same")
    func upgrade() throws {
        let old = try oldCopy("")
        let before = try LogContents(Connection(old, as: .reader))
        #expect(before.hardState == state && before.cut.position.index == 2)
        let store = try LogStore(old)
        #expect(store.hardState == state && store.cut == before.cut)
        #expect(try Logs.contents(of: store) == Logs.entries(3...10))
        try store.write(HardState(term: 0x1235, vote: .none, commit: 4), [])
        try store.close()
        #expect(try LogStore(old).hardState == HardState(term: 0x1235, vote: .none, commit: 4))
        try edit("UPDATE hard_state SET term = 4661 + 1", old)
        #expect(try damage(old).place == "table hard_state, checksum")
    }

    @Test("An old log whose vote cannot be read is not upgraded, and keeps what it says")
    func damagedBeforeUpgrade() throws {
        let old = try oldCopy("UPDATE hard_state SET vote = 'zz'")
        for _ in 0..<2 { #expect(try damage(old).place == "table hard_state, vote") }
        let connection = try Connection(old, as: .reader)
        #expect(try Migrator.version(of: connection) == 3)
        connection.close()
    }

    /// The same log in the form that it had before `0005_log_row_checksums`.
    private func oldCopy(_ sql: String) throws -> String {
        let source = directory.file("source.db")
        try? FileOperations.remove(source)
        try Logs.createSmall(source)
        let store = try LogStore(source)
        try store.write(state, Logs.entries(1...10))
        _ = try store.cutStep(upTo: 2)
        try store.close()
        let old = directory.file("old.db")
        let connection = try Connection(old, as: .durableWriter)
        defer { connection.close() }
        _ = try Migrator.migrate(connection, Schema.log.filter { $0.number < 5 })
        try connection.execute(
            """
            ATTACH '\(source)' AS source;
            INSERT INTO identity SELECT * FROM source.identity;
            INSERT INTO hard_state SELECT only, term, vote, "commit" FROM source.hard_state;
            INSERT INTO snapshots SELECT "index", term, checksum, created FROM source.snapshots;
            INSERT INTO log SELECT * FROM source.log;
            \(sql)
            """)
        return old
    }

    @Test("A header that forbids to write is damage: the file would be read, and refuse every write", arguments: ["log.db", "tree.db"])
    func forbiddingHeader(name: String) throws {
        let directory = try TemporaryDirectory()
        let path = directory.file(name)
        func open() throws { if name == "log.db" { try LogStore(path).close() } else { try TreeStore(path, historyEvents: 1).close() } }
        if name == "log.db" { try LogStore.create(path, identity: Logs.identity) }
        try open()
        var bytes = try Files.read(path)
        bytes[18] ^= 0x20
        try Files.write(bytes, to: path)
        // While the page stands in the WAL, too, the file's own is not looked at.
        try? FileOperations.remove(path + "-wal")
        let error = #expect(throws: StorageError.self) { try open() }
        guard case .damaged(path, _, _) = error else {
            Issue.record("\(String(describing: error))")
            return
        }
    }
}
