import CSQLite

/// A prepared statement. Parameters count from 1, columns from 0, as in SQLite.
package final class Statement {
    private let handle: OpaquePointer
    private let sql: String
    private let connection: Connection

    init(_ handle: OpaquePointer, sql: String, connection: Connection) {
        self.handle = handle
        self.sql = sql
        self.connection = connection
    }

    deinit { sqlite3_finalize(handle) }

    // MARK: Binding. Values stay bound until they are bound again.

    package func bind(_ position: Int32, _ value: Int64) throws(SQLiteError) {
        try check(sqlite3_bind_int64(handle, position, value))
    }

    package func bind(_ position: Int32, _ value: Int64?) throws(SQLiteError) {
        if let value { try bind(position, value) } else { try bindNull(position) }
    }

    package func bindNull(_ position: Int32) throws(SQLiteError) { try check(sqlite3_bind_null(handle, position)) }

    /// Bytes as TEXT, so that a shell shows them; SQLite keeps bytes that are not UTF-8 as they are.
    package func bind(_ position: Int32, text bytes: some Collection<UInt8>) throws(SQLiteError) {
        let result =
            bytes.withContiguousStorageIfAvailable { buffer in
                // An empty buffer may have no address, and SQLite takes no address for NULL.
                guard let base = buffer.baseAddress, !buffer.isEmpty else {
                    return sqlite3_bind_text64(handle, position, "", 0, etclite_sqlite_transient(), UInt8(SQLITE_UTF8))
                }
                return base.withMemoryRebound(to: CChar.self, capacity: buffer.count) { text in
                    sqlite3_bind_text64(
                        handle, position, text, UInt64(buffer.count), etclite_sqlite_transient(), UInt8(SQLITE_UTF8))
                }
            } ?? SQLITE_MISUSE
        try check(result)
    }

    package func bind(_ position: Int32, text: String) throws(SQLiteError) { try bind(position, text: Array(text.utf8)) }

    package func bind(_ position: Int32, blob bytes: [UInt8]) throws(SQLiteError) {
        let result = bytes.withUnsafeBytes { buffer in
            guard let base = buffer.baseAddress, !buffer.isEmpty else { return sqlite3_bind_zeroblob(handle, position, 0) }
            return sqlite3_bind_blob64(handle, position, base, UInt64(buffer.count), etclite_sqlite_transient())
        }
        try check(result)
    }

    // MARK: Running

    /// True: there is a row. False: done, and the statement is reset.
    package func step() throws(SQLiteError) -> Bool {
        switch sqlite3_step(handle) {
        case SQLITE_ROW: return true
        case SQLITE_DONE:
            sqlite3_reset(handle)
            return false
        case let result:
            let error = connection.failure(result, sql: sql)
            sqlite3_reset(handle)
            throw error
        }
    }

    /// Runs a statement that returns no row.
    package func run() throws(SQLiteError) { while try step() {} }

    /// Ends a query before its last row; a query left open would keep its read transaction.
    package func reset() { sqlite3_reset(handle) }

    // MARK: Columns of the current row

    package func integer(_ column: Int32) -> Int64 { sqlite3_column_int64(handle, column) }

    package func isNull(_ column: Int32) -> Bool { sqlite3_column_type(handle, column) == SQLITE_NULL }

    package func optionalInteger(_ column: Int32) -> Int64? { isNull(column) ? nil : integer(column) }

    package func bytes(_ column: Int32) -> [UInt8] {
        guard let base = sqlite3_column_blob(handle, column) else { return [] }
        return [UInt8](UnsafeRawBufferPointer(start: base, count: Int(sqlite3_column_bytes(handle, column))))
    }

    package func optionalBytes(_ column: Int32) -> [UInt8]? { isNull(column) ? nil : bytes(column) }

    package func text(_ column: Int32) -> String { String(decoding: bytes(column), as: UTF8.self) }

    private func check(_ result: Int32) throws(SQLiteError) {
        guard result == SQLITE_OK else { throw connection.failure(result, sql: sql) }
    }
}
