import SQLite
import TestSupport
import Testing

@Suite("Checksums of pages")
struct PageChecksumTests {
    private let directory: TemporaryDirectory
    private let path: String
    /// The file after a checkpoint, with no WAL beside it.
    private let sound: [UInt8]
    private static let pageBytes = 4096

    init() throws {
        directory = try TemporaryDirectory()
        path = directory.file("tree.db")
        let connection = try Connection(path, as: .viewWriter)
        try connection.execute("CREATE TABLE t(id INTEGER PRIMARY KEY, value TEXT) STRICT")
        try connection.transaction { () throws(SQLiteError) in
            for number in 0..<300 {
                try connection.execute("INSERT INTO t VALUES (\(number), '\(String(repeating: "v", count: 60))')")
            }
            // A value that does not fit its page has pages of its own.
            try connection.execute("INSERT INTO t VALUES (1000, '\(String(repeating: "w", count: 9000))')")
        }
        try connection.checkpoint(.truncate)
        connection.close()
        sound = try Files.read(path)
    }

    /// Reads every page of the file through a copy in which one byte is different.
    private func reading(_ change: (inout [UInt8]) -> Void) throws -> (rows: String?, error: SQLiteError?) {
        let copy = directory.file("copy.db")
        var bytes = sound
        change(&bytes)
        try Files.write(bytes, to: copy)
        try Files.write([], to: copy + "-wal")
        do throws(SQLiteError) {
            let reader = try Connection(copy, as: .reader)
            return (try reader.text("SELECT count(*) || ' ' || sum(length(value)) || ' ' || min(value) FROM t"), nil)
        } catch {
            return (nil, error)
        }
    }

    @Test("A file without damage is read")
    func soundFile() throws {
        let (rows, error) = try reading { _ in }
        #expect(error == nil)
        #expect(rows == "301 27000 " + String(repeating: "v", count: 60))
        #expect(sound[20] == 8, "eight bytes of each page are reserved")
    }

    @Test("A flipped byte where it says which page belongs where is found by a check, and by whoever moves pages", arguments: [0, 3000, 4090])
    func pointerMap(offset: Int) throws {
        let copy = directory.file("copy.db")
        var bytes = sound
        bytes[Self.pageBytes + offset] ^= 1
        try Files.write(bytes, to: copy)
        let reader = try Connection(copy, as: .reader)
        let verdict = (try? reader.text("PRAGMA integrity_check(1)")) ?? "an error"
        #expect(verdict != "ok")
        reader.close()
        let writer = try Connection(copy, as: .viewWriter)
        let error = #expect(throws: SQLiteError.self) { try writer.execute("DELETE FROM t WHERE id < 290; PRAGMA incremental_vacuum(4)") }
        #expect(error?.isDamage == true && error?.message == "the checksum of page 2 is wrong", "\(error?.description ?? "")")
    }

    @Test("A flipped byte in any page is reported, and the page named")
    func anyPage() throws {
        var generator = SeededGenerator(seed: 11)
        let pages = sound.count / Self.pageBytes
        #expect(pages > 8)
        // The second says where all others belong, for when pages are moved: no query reads it.
        for page in 0..<pages where page != 1 {
            // The first, the last, one within, and each byte of the checksum's ends.
            let inside = Int.random(in: 100..<(Self.pageBytes - 8), using: &generator)
            for offset in [page == 0 ? 100 : 0, inside, Self.pageBytes - 9, Self.pageBytes - 8, Self.pageBytes - 1] {
                let (rows, error) = try reading {
                    $0[page * Self.pageBytes + offset] ^= 1 << UInt8.random(in: 0..<8, using: &generator)
                }
                #expect(rows == nil, "page \(page + 1), byte \(offset)")
                #expect(error?.isDamage == true, "page \(page + 1), byte \(offset): \(error?.description ?? "")")
                #expect(
                    error?.message == "the checksum of page \(page + 1) is wrong",
                    "page \(page + 1), byte \(offset): \(error?.message ?? "")")
            }
        }
    }

    @Test("Each byte of the header counts, that which says that there are checksums too")
    func header() throws {
        for offset in 0..<100 {
            for bit: UInt8 in [1, 0x80] {
                let (rows, error) = try reading { $0[offset] ^= bit }
                #expect(rows == nil && error?.isDamage == true, "byte \(offset): \(error?.description ?? "no error")")
            }
        }
    }

    @Test("A file that has lost the mark of its checksums is reported, not read without them", arguments: [1, 2, 4, 8, 128])
    func lostMark(bit: UInt8) throws {
        // Without large values, which SQLite would miss by itself: the pages look the same with the mark and without.
        let small = directory.file("small.db")
        let connection = try Connection(small, as: .viewWriter)
        try connection.execute("CREATE TABLE t(id INTEGER PRIMARY KEY, value TEXT) STRICT; INSERT INTO t VALUES (1, 'v')")
        try connection.checkpoint(.truncate)
        connection.close()
        var bytes = try Files.read(small)
        bytes[20] ^= bit
        try Files.write(bytes, to: small)
        for profile: ConnectionProfile in [.reader, .immutable, .viewWriter] {
            let error = try #require(throws: SQLiteError.self) { try Connection(small, as: profile).text("SELECT value FROM t") }
            #expect(error.isDamage, "\(profile): \(error)")
        }
    }

    @Test("A page in the place of another one is reported")
    func swappedPages() throws {
        let (rows, error) = try reading { bytes in
            let size = Self.pageBytes
            let (third, fourth) = (Array(bytes[(2 * size)..<(3 * size)]), Array(bytes[(3 * size)..<(4 * size)]))
            bytes.replaceSubrange((2 * size)..<(3 * size), with: fourth)
            bytes.replaceSubrange((3 * size)..<(4 * size), with: third)
        }
        #expect(rows == nil)
        #expect(error?.isDamage == true)
    }

    @Test("Who asks for it may read damaged pages, and only he and only then")
    func tolerated() throws {
        let copy = directory.file("copy.db")
        var bytes = sound
        bytes[bytes.count - 1] ^= 1
        try Files.write(bytes, to: copy)
        let count = try PageChecksums.tolerated { () throws(SQLiteError) in
            try Connection(copy, as: .immutable).integer("SELECT sum(length(value)) FROM t")
        }
        #expect(count == 27000)
        let connection = try Connection(copy, as: .immutable)
        #expect(throws: SQLiteError.self) { try connection.integer("SELECT sum(length(value)) FROM t") }
    }

    @Test("A file that was made without checksums is read and written as it is")
    func plainFile() throws {
        let plain = directory.file("plain.db")
        let maker = try Connection(plain, as: .durableWriter)
        try maker.execute("CREATE TABLE t(a TEXT)")
        try maker.checkpoint(.truncate)
        maker.close()
        #expect(try Files.read(plain)[20] == 0)
        let writer = try Connection(plain, as: .viewWriter)
        try writer.execute("INSERT INTO t VALUES ('x')")
        try writer.checkpoint(.truncate)
        writer.close()
        #expect(try Connection(plain, as: .reader).text("SELECT a FROM t") == "x")
    }

    @Test(
        "The plain shell reads the file", .enabled(if: Shell.path != nil, "needs the sqlite3 command (apt-get install sqlite3)"))
    func plainShell() throws {
        #expect(try Shell.run(path, "PRAGMA integrity_check; SELECT count(*), sum(length(value)) FROM t") == "ok\n301|27000\n")
    }
}
