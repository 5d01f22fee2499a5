import CSQLite

/// What SQLite said, and about what. Codes: sqlite.org/rescode.html.
package struct SQLiteError: Error, CustomStringConvertible, Sendable {
    /// The primary result code (`SQLITE_FULL`, `SQLITE_CORRUPT`, …).
    package let code: Int32
    /// The extended result code (`SQLITE_IOERR_FSYNC`, …).
    package let extendedCode: Int32
    /// SQLite's own text.
    package let message: String
    /// The database file.
    package let file: String
    /// The statement, when there was one.
    package let sql: String?
    /// `errno` of the failed system call, 0 when there was none.
    package let systemError: Int32

    package init(
        extendedCode: Int32, message: String, file: String, sql: String? = nil, systemError: Int32 = 0
    ) {
        self.code = extendedCode & 0xff
        self.extendedCode = extendedCode
        self.message = message
        self.file = file
        self.sql = sql
        self.systemError = systemError
    }

    /// No room on the disk, or none within its owner's quota: the transaction is undone, nothing is damaged, and it may work again later.
    ///
    /// Not when a sync has failed for want of room: the system may have let go of what it had taken, and a second try would not notice.
    package var isDiskFull: Bool {
        code == SQLITE_FULL || isIndexWithoutRoom
            || (code == SQLITE_IOERR && !isFailedSync && SQLiteError.isNoRoom(systemError: systemError))
    }

    /// `SQLITE_IOERR_SHMSIZE`: the index of the WAL (`-shm`) must grow with it and cannot. SQLite does not keep the system's reason, which
    /// can hardly be another one.
    private var isIndexWithoutRoom: Bool { extendedCode == 4874 }

    /// `ENOSPC` and `EDQUOT`.
    package static func isNoRoom(systemError: Int32) -> Bool { systemError == 28 || systemError == 122 }

    /// `SQLITE_IOERR_FSYNC` or `SQLITE_IOERR_DIR_FSYNC`.
    private var isFailedSync: Bool { extendedCode == 1034 || extendedCode == 1290 }

    /// The file is damaged, or not a database.
    package var isDamage: Bool { code == SQLITE_CORRUPT || code == SQLITE_NOTADB || extendedCode == SQLITE_IOERR_DATA_CODE }

    package var description: String {
        var text = "\(file): \(message) (SQLite \(extendedCode)"
        if systemError != 0 { text += ", errno \(systemError)" }
        text += ")"
        // A number tells an operator too little.
        if isFailedSync { text += ": the disk has failed to store what was written" }
        if let sql { text += " in: \(sql)" }
        return text
    }
}
