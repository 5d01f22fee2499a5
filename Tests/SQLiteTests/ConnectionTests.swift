import Glibc
import SQLite
import TestSupport
import Testing

@Suite("A connection")
struct ConnectionTests {
    private let directory: TemporaryDirectory
    private let database: Connection

    init() throws {
        directory = try TemporaryDirectory()
        database = try Connection(directory.file("a.db"), as: .durableWriter)
        try database.execute("CREATE TABLE t(id INTEGER PRIMARY KEY, text TEXT, blob BLOB) STRICT")
    }

    private func insert(_ id: Int64) throws(SQLiteError) { try database.execute("INSERT INTO t(id) VALUES (\(id))") }

    private func count() throws -> Int64? { try database.integer("SELECT count(*) FROM t") }

    @Test("A transaction commits once, or leaves nothing behind and the connection usable")
    func rollback() throws {
        try database.transaction { () throws(SQLiteError) in
            try insert(1)
            try insert(2)
        }
        #expect(throws: SQLiteError.self) {
            try database.transaction { () throws(SQLiteError) in
                try insert(3)
                try insert(1)
            }
        }
        #expect(try count() == 2)
        try database.transaction { () throws(SQLiteError) in try insert(3) }
        #expect(try count() == 3)
    }

    @Test("An error says which file, which statement and which rule")
    func errorText() throws {
        try insert(1)
        let error = try #require(throws: SQLiteError.self) { try insert(1) }
        #expect(error.code == 19)
        #expect(error.extendedCode == 1555, "SQLITE_CONSTRAINT_PRIMARYKEY")
        #expect(error.file == directory.file("a.db"))
        #expect(error.description.contains("INSERT INTO t(id) VALUES (1)"))
        #expect(!error.isDamage && !error.isDiskFull)
    }

    @Test("No room, within a quota or at all, may pass; a failed sync does not, whatever the reason", arguments: [
        (Int32(13), Int32(0), true), (778, 28, true), (778, 122, true), (4874, 28, true), (4874, 0, true), (778, 5, false), (778, 30, false), (1034, 28, false),
        (1034, 122, false), (1290, 28, false), (1034, 5, false),
    ])
    func noRoom(code: Int32, systemError: Int32, isFull: Bool) {
        #expect(SQLiteError(extendedCode: code, message: "", file: "f", systemError: systemError).isDiskFull == isFull)
    }

    @Test("Any bytes are kept as TEXT and as BLOB: NUL, not UTF-8, none at all", arguments: 1...10)
    func anyBytes(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        var samples: [[UInt8]] = [[], [0], [0x61, 0, 0x62], [0xff, 0xfe], [0xc3], Array("é".utf8), [0xed, 0xa0, 0x80]]
        samples += (0..<20).map { _ in
            (0..<Int.random(in: 0...300, using: &generator)).map { _ in UInt8.random(in: 0...255, using: &generator) }
        }
        let insert = try database.prepare("INSERT INTO t VALUES (?, ?, ?)")
        let select = try database.prepare("SELECT text, blob, typeof(text), typeof(blob), length(blob) FROM t WHERE id = ?")
        let find = try database.prepare("SELECT id FROM t WHERE text = ? AND id = ?")
        for (number, bytes) in samples.enumerated() {
            try insert.bind(1, Int64(number))
            try insert.bind(2, text: bytes)
            try insert.bind(3, blob: bytes)
            try insert.run()
            try select.bind(1, Int64(number))
            try #require(try select.step())
            #expect(select.bytes(0) == bytes, "seed \(seed)")
            #expect(select.bytes(1) == bytes, "seed \(seed)")
            #expect(select.text(2) == "text" && select.text(3) == "blob", "an empty string is no NULL")
            #expect(select.integer(4) == Int64(bytes.count))
            select.reset()
            try find.bind(1, text: bytes[...])
            try find.bind(2, Int64(number))
            #expect(try find.step(), "compared byte by byte, seed \(seed)")
            find.reset()
        }
    }

    @Test("Integers of 64 bits and NULL come back as they were")
    func integersAndNull() throws {
        try database.execute("CREATE TABLE n(a INTEGER, b INTEGER) STRICT")
        let insert = try database.prepare("INSERT INTO n VALUES (?, ?)")
        try insert.bind(1, Int64.min)
        try insert.bind(2, Int64?.none)
        try insert.run()
        try insert.bind(1, Int64.max)
        try insert.bind(2, Int64?.some(0))
        try insert.run()
        let rows = try database.prepare("SELECT a, b FROM n ORDER BY a")
        try #require(try rows.step())
        #expect(rows.integer(0) == .min && rows.isNull(1) && rows.optionalInteger(1) == nil && rows.optionalBytes(1) == nil)
        try #require(try rows.step())
        #expect(rows.integer(0) == .max && rows.optionalInteger(1) == 0)
        #expect(try !rows.step())
    }

    @Test("What is no number is not bound to a number column, nor the other way round")
    func strictTypes() throws {
        let insert = try database.prepare("INSERT INTO t(text, blob) VALUES (NULL, ?)")
        try insert.bind(1, text: "text")
        #expect(throws: SQLiteError.self) { try insert.run() }
        try insert.bind(1, blob: [1])
        try insert.run()
    }

    @Test("A reader changes nothing, makes no file, and sees one moment")
    func reader() throws {
        try insert(1)
        let reader = try Connection(directory.file("a.db"), as: .reader)
        #expect(throws: SQLiteError.self) { try reader.execute("INSERT INTO t(id) VALUES (9)") }
        #expect(throws: SQLiteError.self) { try reader.execute("CREATE TABLE u(a)") }
        try reader.execute("BEGIN")
        #expect(try reader.integer("SELECT count(*) FROM t") == 1)
        try insert(2)
        #expect(try reader.integer("SELECT count(*) FROM t") == 1)
        try reader.execute("COMMIT")
        #expect(try reader.integer("SELECT count(*) FROM t") == 2)

        #expect(throws: SQLiteError.self) { try Connection(directory.file("missing.db"), as: .reader) }
        #expect(!Files.exists(directory.file("missing.db")))
    }

    @Test(
        "A path means itself, whatever a URI would make of it", arguments: ["a%41?b#c.db", "é%41?ü#.db", "blank and 'quote'.db"])
    func oddPaths(name: String) throws {
        let path = directory.file(name)
        let odd = try Connection(path, as: .scratch)
        try odd.execute("CREATE TABLE t(a)")
        odd.close()
        #expect(Files.exists(path))
        let twice = try Connection("/" + path, as: .reader)
        #expect(try twice.integer("SELECT count(*) FROM t") == 0, "two slashes at the start are one")
    }
}

@Suite("Checkpoints")
struct CheckpointTests {
    private let directory: TemporaryDirectory
    private let path: String

    init() throws {
        directory = try TemporaryDirectory()
        path = directory.file("a.db")
    }

    private func writer(_ profile: ConnectionProfile = .viewWriter) throws -> Connection {
        let connection = try Connection(path, as: profile)
        try connection.execute("CREATE TABLE IF NOT EXISTS t(a TEXT) STRICT")
        return connection
    }

    @Test("Only the writer moves the WAL into the file; a reader does not, not even as the last to close")
    func readerNeverCheckpoints() throws {
        var connection: Connection? = try writer()
        let frames = try #require(connection).countFrames()
        for number in 0..<50 { try connection?.execute("INSERT INTO t VALUES ('\(number)')") }
        #expect(frames.frames >= 50, "and no automatic checkpoint has reset it")

        // As after a crash: files without a connection.
        let copy = directory.file("copy.db")
        try Files.write(Files.read(path), to: copy)
        try Files.write(Files.read(path + "-wal"), to: copy + "-wal")
        connection = nil
        let before = try Files.read(copy)
        let wal = try Files.read(copy + "-wal")
        var reader: Connection? = try Connection(copy, as: .reader)
        #expect(try reader?.integer("SELECT count(*) FROM t") == 50)
        #expect(throws: SQLiteError.self) { try reader?.checkpoint(.passive) }
        reader?.close()
        reader = nil
        #expect(try Files.read(copy) == before)
        #expect(try Files.read(copy + "-wal") == wal)
    }

    @Test("A reader in the way is no error: the checkpoint says how far it came, and is complete when the reader is gone")
    func readerInTheWay() throws {
        let connection = try writer()
        try connection.execute("INSERT INTO t VALUES ('1')")
        let reader = try Connection(path, as: .reader)
        try reader.execute("BEGIN")
        _ = try reader.integer("SELECT count(*) FROM t")
        for _ in 0..<10 { try connection.execute("INSERT INTO t VALUES ('x')") }
        let first = try connection.checkpoint(.passive)
        #expect(!first.isComplete)
        #expect(first.copied < first.frames)
        try reader.execute("COMMIT")
        #expect(try connection.checkpoint(.restart, patienceMilliseconds: 100).isComplete)
    }

    @Test("While another program checkpoints nothing counts as copied")
    func checkpointLockIsHeld() throws {
        let connection = try writer()
        try connection.execute("INSERT INTO t VALUES ('1')")
        // A lock of the open file description conflicts with SQLite's own, though they are of one process. WAL_CKPT_LOCK is
        // byte 121 of the index (sqlite.org/walformat.html#the_wal_index_file_format).
        let descriptor = open(path + "-shm", O_RDWR)
        try #require(descriptor >= 0)
        var lock = flock()
        lock.l_type = Int16(F_WRLCK)
        lock.l_whence = Int16(SEEK_SET)
        lock.l_start = 121
        lock.l_len = 1
        let setOpenFileLock: Int32 = 37
        try #require(fcntl(descriptor, setOpenFileLock, &lock) == 0)
        let result = try connection.checkpoint(.passive)
        #expect(!result.isComplete)
        lock.l_type = Int16(F_UNLCK)
        _ = fcntl(descriptor, setOpenFileLock, &lock)
        #expect(try connection.checkpoint(.passive).isComplete)
        // Not earlier: closing any descriptor of the file drops SQLite's locks on it.
        connection.close()
        close(descriptor)
    }

    @Test("A WAL keeps its size when it is reset, and goes to nothing when it is told to")
    func walSize() throws {
        let connection = try writer(.durableWriter)
        for _ in 0..<20 { try connection.execute("INSERT INTO t VALUES ('x')") }
        let grown = Files.size(path + "-wal")
        #expect(grown > 20 * 4096)
        #expect(try connection.checkpoint(.restart).isComplete)
        try connection.execute("INSERT INTO t VALUES ('y')")
        #expect(Files.size(path + "-wal") == grown)
        try connection.checkpoint(.truncate)
        #expect(Files.size(path + "-wal") == 0)
        connection.close()
        #expect(Files.exists(path + "-wal"), "it stays when its writer closes")
    }
}
