import CPageChecksum
import CSQLite

/// One connection to one database file. Not Sendable: it belongs to the thread that opened it or was given it.
package final class Connection {
    private(set) var handle: OpaquePointer?
    /// Not a `Statement`: that would keep its connection alive.
    private var begin: OpaquePointer?
    private var commit: OpaquePointer?
    private var interruption: Interruption?
    package let path: String
    /// By its flags, or by the file's mode.
    private var isReadOnly = true

    /// Opens `path` as `profile` says. A writer makes the file when it is missing; a reader throws.
    package init(_ path: String, as profile: ConnectionProfile) throws(SQLiteError) {
        self.path = path
        var flags = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_URI
        flags |= profile.flagsReadOnly ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE
        guard etclite_page_checksum_register() == SQLITE_OK else {
            throw SQLiteError(extendedCode: SQLITE_ERROR, message: "SQLite has no file system", file: path)
        }
        let uri = "file:" + Connection.escape(path) + (profile == .immutable ? "?immutable=1" : "")
        let result = sqlite3_open_v2(uri, &handle, flags, "etclite")
        guard result == SQLITE_OK else {
            let error = failure(result, sql: nil)
            close()
            throw error
        }
        sqlite3_extended_result_codes(handle, 1)
        sqlite3_busy_timeout(handle, profile.busyTimeoutMilliseconds)
        // A hostile file must not reach code through its schema.
        _ = etclite_sqlite_defensive(handle)
        if !profile.flagsReadOnly { _ = etclite_sqlite_persist_wal(handle) }
        if profile == .viewWriter { _ = etclite_sqlite_reserve_page_checksum(handle) }
        isReadOnly = sqlite3_db_readonly(handle, "main") == 1
        do throws(SQLiteError) {
            for pragma in profile.pragmas { try execute(pragma) }
            if !isReadOnly, sqlite3_db_readonly(handle, "main") == 1 { throw forbidden(nil) }
        } catch {
            close()
            throw error
        }
    }

    deinit { close() }

    /// Every statement must be gone. A writer that was checkpointed leaves an empty WAL of its grown size.
    package func close() {
        for statement in [begin, commit] { sqlite3_finalize(statement) }
        (begin, commit) = (nil, nil)
        if let handle { sqlite3_close_v2(handle) }
        handle = nil
    }

    /// Whatever runs on this connection from now on ends with an error soon after `isUnwanted` says so; it is asked every few thousand steps.
    package func interrupt(when isUnwanted: @escaping () -> Bool) {
        let interruption = Interruption(isUnwanted)
        self.interruption = interruption
        sqlite3_progress_handler(
            handle, 5000,
            { context in
                guard let context else { return 0 }
                return Unmanaged<Interruption>.fromOpaque(context).takeUnretainedValue().isUnwanted() ? 1 : 0
            }, Unmanaged.passUnretained(interruption).toOpaque())
    }

    /// Lives as long as its connection, which holds it.
    private final class Interruption {
        let isUnwanted: () -> Bool
        init(_ isUnwanted: @escaping () -> Bool) { self.isUnwanted = isUnwanted }
    }

    /// Runs one or more statements that return nothing of interest.
    package func execute(_ sql: String) throws(SQLiteError) {
        let result = sqlite3_exec(handle, sql, nil, nil, nil)
        guard result == SQLITE_OK else { throw failure(result, sql: sql) }
    }

    package func prepare(_ sql: String) throws(SQLiteError) -> Statement {
        var statement: OpaquePointer?
        let result = sqlite3_prepare_v3(handle, sql, -1, UInt32(SQLITE_PREPARE_PERSISTENT), &statement, nil)
        guard result == SQLITE_OK, let statement else { throw failure(result, sql: sql) }
        return Statement(statement, sql: sql, connection: self)
    }

    /// Runs `body` in a transaction: it commits once, or leaves nothing behind.
    package func transaction<Value>(_ body: () throws(SQLiteError) -> Value) throws(SQLiteError) -> Value {
        try runKept(&begin, "BEGIN IMMEDIATE")
        do {
            let value = try body()
            try runKept(&commit, "COMMIT")
            return value
        } catch {
            rollBack()
            throw error
        }
    }

    /// Prepared once: with one client, each microsecond before and after the fsync counts.
    private func runKept(_ kept: inout OpaquePointer?, _ sql: String) throws(SQLiteError) {
        if kept == nil {
            let result = sqlite3_prepare_v3(handle, sql, -1, UInt32(SQLITE_PREPARE_PERSISTENT), &kept, nil)
            guard result == SQLITE_OK else { throw failure(result, sql: sql) }
        }
        let result = sqlite3_step(kept)
        guard result == SQLITE_DONE else {
            let error = failure(result, sql: sql)
            sqlite3_reset(kept)
            throw error
        }
        sqlite3_reset(kept)
    }

    /// After a failure. Some errors have undone the transaction already; then there is nothing to do.
    package func rollBack() {
        if sqlite3_get_autocommit(handle) == 0 { sqlite3_exec(handle, "ROLLBACK", nil, nil, nil) }
    }

    /// First column of the first row; nil when there is no row or it is NULL.
    package func integer(_ sql: String) throws(SQLiteError) -> Int64? {
        let statement = try prepare(sql)
        return try statement.step() && !statement.isNull(0) ? statement.integer(0) : nil
    }

    package func text(_ sql: String) throws(SQLiteError) -> String? {
        let statement = try prepare(sql)
        return try statement.step() && !statement.isNull(0) ? statement.text(0) : nil
    }

    /// How far a checkpoint came, in frames of the WAL.
    package struct Checkpoint: Sendable {
        package let frames: Int
        package let copied: Int
        /// Everything committed is in the database file, and synced.
        package var isComplete: Bool { frames == copied }
    }

    package enum CheckpointMode: Sendable {
        /// Copies what no reader is in the way of; waits for nobody.
        case passive
        /// Waits for readers, so that the next commit starts the WAL again from its beginning.
        case restart
        /// The same, and cuts the file to nothing.
        case truncate

        var constant: Int32 {
            switch self {
            case .passive: SQLITE_CHECKPOINT_PASSIVE
            case .restart: SQLITE_CHECKPOINT_RESTART
            case .truncate: SQLITE_CHECKPOINT_TRUNCATE
            }
        }
    }

    /// A reader in the way is not an error: the result says how far it came. sqlite.org/c3ref/wal_checkpoint_v2.html
    @discardableResult
    package func checkpoint(_ mode: CheckpointMode, patienceMilliseconds: Int32 = 0) throws(SQLiteError) -> Checkpoint {
        var frames: Int32 = 0
        var copied: Int32 = 0
        sqlite3_busy_timeout(handle, patienceMilliseconds)
        defer { sqlite3_busy_timeout(handle, ConnectionProfile.durableWriter.busyTimeoutMilliseconds) }
        let result = sqlite3_wal_checkpoint_v2(handle, nil, mode.constant, &frames, &copied)
        guard result == SQLITE_OK || result & 0xff == SQLITE_BUSY else { throw failure(result, sql: "checkpoint") }
        // Another connection that checkpoints leaves both at -1: then nothing is known, and nothing may count as copied.
        return Checkpoint(frames: Int(max(frames, 0)), copied: result == SQLITE_OK ? Int(max(copied, 0)) : Int(copied))
    }

    /// Counts the frames that each commit appends, through SQLite's hook.
    package func countFrames() -> FrameCounter { FrameCounter(handle) }

    package var changes: Int { Int(sqlite3_changes64(handle)) }

    func failure(_ result: Int32, sql: String?) -> SQLiteError {
        let extended = handle == nil ? result : sqlite3_extended_errcode(handle)
        if extended == SQLITE_READONLY, !isReadOnly { return forbidden(sql) }
        var message = handle == nil ? String(cString: sqlite3_errstr(result)) : String(cString: sqlite3_errmsg(handle))
        if extended == SQLITE_IOERR_DATA_CODE { message = "the checksum of page \(etclite_page_checksum_damaged_page()) is wrong" }
        let code = extended & 0xff == result & 0xff ? extended : result
        var systemError = handle == nil ? 0 : sqlite3_system_errno(handle)
        // SQLITE_IOERR_WRITE: want of room within a quota is one of its reasons, and not known to the connection.
        if code == 778, systemError == 0, let handle { systemError = etclite_sqlite_write_errno(handle, sql == "checkpoint" ? 1 : 0) }
        return SQLiteError(extendedCode: code, message: message, file: path, sql: sql, systemError: systemError)
    }

    /// One byte of the header says so (sqlite.org/fileformat.html, 1.3.3). The file would be read and every write refused, at each start again;
    /// while page 1 stands in the WAL, not at once.
    private func forbidden(_ sql: String?) -> SQLiteError {
        SQLiteError(extendedCode: SQLITE_CORRUPT, message: "its header says that only a later SQLite may write it", file: path, sql: sql)
    }

    /// A path inside a `file:` URI: whatever is not plain is written as `%hh` (sqlite.org/uri.html).
    private static func escape(_ path: String) -> String {
        let hex = Array("0123456789abcdef")
        // With an empty authority, as two slashes at the start of a path would be taken for one.
        var escaped = path.hasPrefix("/") ? "//" : ""
        for byte in path.utf8 {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "/"), UInt8(ascii: "."), UInt8(ascii: "-"),
                UInt8(ascii: "_"):
                escaped.unicodeScalars.append(Unicode.Scalar(byte))
            default:
                escaped += "%"
                escaped.append(hex[Int(byte >> 4)])
                escaped.append(hex[Int(byte & 15)])
            }
        }
        return escaped
    }
}

/// `SQLITE_IOERR_DATA`, a macro that Swift does not import: a page's checksum is wrong.
let SQLITE_IOERR_DATA_CODE: Int32 = 10 | 32 << 8

/// The number of frames in the WAL after the last commit of a connection (sqlite.org/c3ref/wal_hook.html).
package final class FrameCounter {
    package private(set) var frames = 0

    init(_ handle: OpaquePointer?) {
        // The counter outlives the hook: its owner keeps it as long as the connection.
        _ = sqlite3_wal_hook(
            handle,
            { context, _, _, frames in
                if let context { Unmanaged<FrameCounter>.fromOpaque(context).takeUnretainedValue().frames = Int(frames) }
                return SQLITE_OK
            }, Unmanaged.passUnretained(self).toOpaque())
    }
}
