import Foundation
import Testing

/// A plain sqlite3 that holds a transaction open, as a forgotten one does, or one whose output nobody reads.
private final class OpenReader {
    private let child: Child
    private let input: Int32
    private let output: String

    var pid: pid_t { child.pid }

    init(_ database: String, _ query: String, in place: Workplace) throws {
        let (fifo, output) = (place("reader-\(UUID().uuidString)"), place("reader-\(UUID().uuidString).out"))
        guard mkfifo(fifo, 0o600) == 0 else { throw Failure("mkfifo") }
        self.output = output
        // Both ways, so that it opens without anybody at the other end.
        input = open(fifo, O_RDWR | O_CLOEXEC)
        child = try Child("/bin/sh", ["-c", "exec sqlite3 -batch -init /dev/null \"$0\" < \"$1\"", database, fifo], output: output)
        try say("begin; \(query)")
        guard eventually(within: 20, { !answers.isEmpty }) else { throw Failure("it does not read: \(child.text)") }
    }

    deinit { close(input) }

    var answers: [String] { child.text.split(separator: "\n").map(String.init) }

    func say(_ text: String) throws {
        let bytes = Array((text + "\n").utf8)
        guard write(input, bytes, bytes.count) == bytes.count else { throw Failure("nobody reads") }
    }

    /// In order, so that it closes its file as its last user would.
    func quit() throws {
        try say(".quit")
        guard child.wait(seconds: 20) == .exit(0) else { throw Failure("it does not end: \(child.text)") }
    }
}

@Suite("Readers that hold on", .blocking, .enabled(if: Program.isInstalled("sqlite3")))
struct ReaderTests {
    struct Book: Sendable, CustomTestStringConvertible {
        let name: String
        let query: String
        var testDescription: String { name }
    }

    static let books = [Book(name: "log.db", query: "select count(*) from log;"), Book(name: "tree.db", query: "select count(*) from nodes;")]

    /// Points where it may die, and how often it has passed them before.
    static let failpoints = ["replace.log-copied", "replace.tree-copied", "replace.complete", "replace.committed", "replace.old-removed", "replace.swapped"]

    private static let bounds = ["ETCLITE_READER_WARNING_BYTES": "\(14 << 20)", "ETCLITE_READER_REPLACEMENT_BYTES": "\(24 << 20)"]

    /// Large values, so that the WALs grow quickly.
    private func load(_ server: Server, _ ledger: Ledger, _ round: Int) -> Load {
        Load(on: server.port, ledger, .init(writers: 8, keysOfWriter: 30, valueBytesMax: 60_000, postEvery: 0, round: round))
    }

    private func inode(_ path: String) -> UInt64 {
        var status = stat()
        return stat(path, &status) == 0 ? UInt64(status.st_ino) : 0
    }

    @Test("It is named, then left the old file; the server goes on, its WAL is small, and nothing is lost", arguments: books)
    func leftBehind(book: Book) throws {
        let place = try Workplace()
        let (directory, ledger) = try Sample.short().copy(to: place("data"))
        let server = try Server(directory, environment: Self.bounds)
        let file = directory + "/member/" + book.name
        let before = inode(file)
        let reader = try OpenReader(file, book.query, in: place)
        let first = reader.answers
        let load = load(server, ledger, 1)
        #expect(eventually(within: 120) { server.log.contains("goes on with a copy of \(file)") || server.child.ended != nil })
        // It writes on into the new one.
        let acknowledged = ledger.acknowledged
        #expect(eventually(within: 60) { ledger.acknowledged > acknowledged + 100 })
        try load.stop()
        #expect(server.child.ended == nil && ledger.refusals.isEmpty, "\(server.log.suffix(1000))")
        let warning = server.messages.first { $0.contains("keeps a read transaction") } ?? ""
        #expect(warning.contains(file) && warning.contains("process \(reader.pid) (sqlite3)"), "\(server.log)")
        #expect(inode(file) != before)
        #expect(Files.size(file + "-wal") < 64 << 20)
        #expect(try ledger.complaints(about: server) == [])

        // What it reads is still of its moment.
        try reader.say(book.query)
        #expect(eventually(within: 20) { reader.answers.count > first.count })
        #expect(Set(reader.answers) == Set(first))
        let wal = inode(file + "-wal")
        try reader.quit()
        #expect(inode(file + "-wal") == wal, "the reader took the new WAL for its own and removed it")
        try server.client().put("/after", "1")
        server.kill()
        let check = try Program.etcliteutl("check", directory)
        #expect(check.isClean, "\(check.text)")
        try server.restart()
        #expect(try ledger.complaints(about: server) == [])
        #expect(try server.client().get("/after").answer().node?.value == "1")
        #expect(try server.stop() == .signal(SIGTERM))
        try server.restart()
        #expect(try ledger.complaints(about: server) == [])
    }

    @Test("The server dies first, and the reader is the last to use the old file: it leaves the new one's WAL alone", arguments: books)
    func readerEndsAfterServer(book: Book) throws {
        let place = try Workplace()
        let (directory, ledger) = try Sample.short().copy(to: place("data"))
        let server = try Server(directory, environment: Self.bounds)
        let file = directory + "/member/" + book.name
        let reader = try OpenReader(file, book.query, in: place)
        let load = load(server, ledger, 2)
        #expect(eventually(within: 120) { server.log.contains("goes on with a copy of \(file)") || server.child.ended != nil })
        let acknowledged = ledger.acknowledged
        #expect(eventually(within: 60) { ledger.acknowledged > acknowledged + 20 })
        server.kill()
        try load.stop()
        try reader.quit()
        #expect(Files.exists(file + "-wal"))
        try server.restart()
        #expect(try ledger.complaints(about: server) == [])
        server.kill()
        let check = try Program.etcliteutl("check", directory)
        #expect(check.isClean, "\(check.text)")
    }

    @Test("It dies while the file is replaced: the next start has everything", arguments: failpoints, books)
    func dies(failpoint: String, book: Book) throws {
        guard !failpoint.contains("-copied") || failpoint.contains(book.name.dropLast(3)) else { return }
        let place = try Workplace()
        let (directory, ledger) = try Sample.short().copy(to: place("data"))
        let server = try Server(directory, environment: Self.bounds.merging(["ETCLITE_FAILPOINT": failpoint]) { $1 })
        let file = directory + "/member/" + book.name
        let reader = try OpenReader(file, book.query, in: place)
        let load = load(server, ledger, 3)
        #expect(server.child.wait(seconds: 120) == .signal(SIGKILL), "the failpoint was never passed: \(server.log.suffix(500))")
        try load.stop()
        if failpoint == "replace.committed" {
            let check = try Program.etcliteutl("check", directory)
            #expect(check.text.contains("start it once"), "\(check.text)")
        }
        try reader.quit()
        try server.restart()
        #expect(try ledger.complaints(about: server) == [])
        #expect(Files.names(directory + "/member").filter { $0.contains(".next") } == [])
        server.kill()
        let check = try Program.etcliteutl("check", directory)
        #expect(check.isClean, "\(check.text)")
    }
}
