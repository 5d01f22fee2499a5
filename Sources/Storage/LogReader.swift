import Raft
import SQLite
import Wire

/// Reads `log.db` for peers, beside the log thread that writes, cuts and truncates it. Each call sees one moment; what is not there at that
/// moment is nil, because it may have been cut, or not have reached the disk yet. Confined to one thread.
package final class LogReader {
    private let connection: Connection
    private let inode: UInt64?
    private let cut: Statement
    private let linkAt: Statement
    private let rows: Statement

    package init(_ path: String) throws(StorageError) {
        let connection = try storing { () throws(SQLiteError) in try Connection(path, as: .reader) }
        do { try Migrator.requireKnown(connection, Schema.log) } catch { throw StorageError(error) }
        self.connection = connection
        inode = FileOperations.inode(path)
        (cut, linkAt, rows) = try storing { () throws(SQLiteError) in
            (
                try connection.prepare(RowChecksum.cutSQL(isChecked: Migrator.version(of: connection) >= RowChecksum.schema)),
                try connection.prepare("SELECT \"index\", term, checksum FROM log WHERE \"index\" = ?"),
                try connection.prepare("SELECT \(LogContents.columns) FROM log WHERE \"index\" >= ? ORDER BY \"index\"")
            )
        }
    }

    package func close() { connection.close() }

    /// Another file has the name now.
    package var isOutdated: Bool { FileOperations.inode(connection.path) != inode }

    /// Entries from `first` on, with their chain checked: at most `count`, and no more than `bytes` but for the first one.
    /// Nil when `first` is not in the log.
    package func entries(from first: Index, count: Int, bytes: Int) throws(StorageError) -> [LogEntry]? {
        var entries: [LogEntry] = []
        var room = bytes
        try visit(from: first) { (entry: LogEntry) in
            room -= entry.payload.size
            guard entries.isEmpty || room >= 0 else { return false }
            entries.append(entry)
            return entries.count < count
        }
        return entries.isEmpty ? nil : entries
    }

    /// The payloads of the first of `headers`, as many as fit into `bytes`, at least one. Nil when the log does not hold those very
    /// entries any more, or not yet.
    package func payloads(of headers: ArraySlice<EntryHeader>, bytes: Int) throws(StorageError) -> [EntryPayload]? {
        guard let first = headers.first?.position.index,
            let entries = try entries(from: first, count: headers.count, bytes: bytes)
        else { return nil }
        for (header, entry) in zip(headers, entries) where header.position != entry.position { return nil }
        return entries.map(\.payload)
    }

    /// Where the entry is and what the chain has come to with it; also for the place where the log was cut.
    package func link(at index: Index) throws(StorageError) -> ChainLink? {
        try storing { () throws(SQLiteError) in
            try connection.execute("BEGIN")
            defer { connection.rollBack() }
            return try stored(index)
        }
    }

    private func visit(from first: Index, _ body: (LogEntry) -> Bool) throws(StorageError) {
        do throws(SQLiteError) {
            try connection.execute("BEGIN")
            defer { connection.rollBack() }
            guard first > 0, var link = try stored(first.previous) else { return }
            try rows.bind(1, Int64(clamping: first.value))
            defer { rows.reset() }
            while try rows.step() {
                let expected = link.position.index.next
                guard let entry = LogContents.entry(rows), entry.index == expected, entry.term >= link.position.term,
                    rows.integer(11) == Int64(entry.checksum(after: link.checksum))
                else {
                    throw SQLiteError(
                        extendedCode: 11, message: "the entry is missing, or it or its predecessor was changed",
                        file: connection.path, sql: "table log, index \(expected)")
                }
                link = ChainLink(position: entry.position, checksum: UInt32(truncatingIfNeeded: rows.integer(11)))
                if !body(entry) { return }
            }
        } catch { throw StorageError(error) }
    }

    private func stored(_ index: Index) throws(SQLiteError) -> ChainLink? {
        if index == 0 { return try cut.firstLink() == nil ? .origin : nil }
        try linkAt.bind(1, Int64(clamping: index.value))
        if let link = try linkAt.firstLink() { return link }
        guard let link = try cut.firstLink(), link.position.index == index else { return nil }
        return link
    }
}

extension Statement {
    /// Index, term and checksum of the first row.
    fileprivate func firstLink() throws(SQLiteError) -> ChainLink? {
        defer { reset() }
        guard try step(), integer(0) >= 0, integer(1) >= 0, let checksum = UInt32(exactly: integer(2)) else { return nil }
        return ChainLink(position: LogPosition(index: Index(UInt64(integer(0))), term: Term(UInt64(integer(1)))), checksum: checksum)
    }
}
