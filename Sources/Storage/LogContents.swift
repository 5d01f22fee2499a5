import Raft
import SQLite
import Wire

/// What a `log.db` holds, read through any connection: the server's own or a tool's read-only one.
package struct LogContents {
    package let identity: Identity
    package let hardState: HardState
    package let cut: ChainLink
    let connection: Connection

    package init(_ connection: Connection) throws(StorageError) {
        self.connection = connection
        let file = connection.path
        let row = try storing { () throws(SQLiteError) in
            try connection.prepare("SELECT member_id, cluster_id, origin, checksum FROM identity")
        }
        guard try storing({ () throws(SQLiteError) in try row.step() }) else {
            throw .damaged(file: file, place: "table identity", reason: "it is empty")
        }
        guard let member = MemberID(hex: row.text(0)), let cluster = MemberID(hex: row.text(1)), member != .none else {
            throw .damaged(file: file, place: "table identity", reason: "an id is not hexadecimal")
        }
        identity = Identity(member: member, cluster: cluster, origin: row.text(2))
        guard row.integer(3) == Int64(identity.checksum) else {
            throw .damaged(file: file, place: "table identity", reason: "its checksum is wrong: the row was changed")
        }
        row.reset()

        // A directory that only a tool looks at may be older than the checksums.
        let hasChecksums = try storing { () throws(SQLiteError) in try Migrator.version(of: connection) } >= RowChecksum.schema
        hardState = try RowChecksum.readHardState(connection, isChecked: hasChecksums)
        cut = try RowChecksum.readCut(connection, isChecked: hasChecksums) ?? .origin
    }

    /// What a quick look at the end of a log reads at the most, but for a single entry that is larger.
    static let quickCheckBytes = 16 << 20

    /// The last entry, after the chain of the last `rows` entries was checked; of large ones fewer.
    package func verifiedTail(rows: UInt64) throws(StorageError) -> ChainLink {
        let last = try storing { () throws(SQLiteError) in try connection.integer("SELECT max(\"index\") FROM log") }
        guard let last, UInt64(max(last, 0)) > cut.position.index.value else { return cut }
        let distance = UInt64(last) - cut.position.index.value
        let start = max(Index(UInt64(last) - min(distance, rows)), try start(ofLast: LogContents.quickCheckBytes).previous)
        var tail = try link(at: start)
        try visit(from: tail) { (entry: LogEntry, checksum: UInt32) throws(StorageError) in
            tail = ChainLink(position: entry.position, checksum: checksum)
            return true
        }
        return tail
    }

    /// The first of the last entries that come to no more than `bytes`; the last one if that is larger.
    private func start(ofLast bytes: Int) throws(StorageError) -> Index {
        try storing { () throws(SQLiteError) in
            let rows = try connection.prepare(
                "SELECT \"index\", length(CAST(path AS BLOB)) + length(CAST(value AS BLOB)) FROM log ORDER BY \"index\" DESC")
            defer { rows.reset() }
            var start: Int64 = 1
            var room = Int64(bytes)
            while try rows.step() {
                room -= rows.integer(1)
                guard room >= 0 || start == 1 else { break }
                start = max(rows.integer(0), 1)
                if room < 0 { break }
            }
            return Index(UInt64(start))
        }
    }

    /// Entries behind `index`, at most `limit`, and no more than `bytes` but for the first one; with their chain checked.
    package func entries(after index: Index, limit: Int, bytes: Int = .max) throws(StorageError) -> [LogEntry] {
        var entries: [LogEntry] = []
        var room = bytes
        try visit(from: link(at: index)) { (entry: LogEntry, _: UInt32) throws(StorageError) in
            room -= entry.payload.size
            guard entries.isEmpty || room >= 0 else { return false }
            entries.append(entry)
            return entries.count < limit
        }
        return entries
    }

    /// The stored link of an entry, or of the cut before the first.
    package func link(at index: Index) throws(StorageError) -> ChainLink {
        if index == cut.position.index { return cut }
        let row = try storing { () throws(SQLiteError) in
            try connection.prepare("SELECT term, checksum FROM log WHERE \"index\" = \(index.value)")
        }
        guard try storing({ () throws(SQLiteError) in try row.step() }), row.integer(0) >= 0,
            let checksum = UInt32(exactly: row.integer(1))
        else { throw damage(index, "the entry is missing") }
        defer { row.reset() }
        return ChainLink(position: LogPosition(index: index, term: Term(UInt64(row.integer(0)))), checksum: checksum)
    }

    /// Visits the entries behind `start` until `body` returns false. Throws at the first that does not fit the chain.
    package func visit(
        from start: ChainLink, _ body: (LogEntry, UInt32) throws(StorageError) -> Bool
    ) throws(StorageError) {
        let rows = try storing { () throws(SQLiteError) in
            try connection.prepare("SELECT \(LogContents.columns) FROM log WHERE \"index\" > ? ORDER BY \"index\"")
        }
        try storing { () throws(SQLiteError) in try rows.bind(1, Int64(bitPattern: start.position.index.value)) }
        defer { rows.reset() }
        var link = start
        while try storing({ () throws(SQLiteError) in try rows.step() }) {
            let expected = link.position.index.next
            guard rows.integer(0) == Int64(bitPattern: expected.value) else {
                throw damage(expected, "the entry is missing; the next one is \(rows.integer(0))")
            }
            guard let entry = LogContents.entry(rows), let stored = UInt32(exactly: rows.integer(11)) else {
                throw damage(expected, "a number is out of range")
            }
            let checksum = entry.checksum(after: link.checksum)
            guard checksum == stored else {
                throw damage(expected, "checksum \(stored) is stored, \(checksum) computed: the row or its predecessor was changed")
            }
            guard entry.term >= link.position.term else { throw damage(expected, "the term falls") }
            link = ChainLink(position: entry.position, checksum: checksum)
            guard try body(entry, checksum) else { return }
        }
    }

    /// The hard state never runs ahead of the log: an entry is on disk before it is committed, a term before its entries.
    package func requireHardState(fits tail: ChainLink) throws(StorageError) {
        let file = connection.path
        guard hardState.commit <= tail.position.index else {
            throw .damaged(
                file: file, place: "table hard_state, commit",
                reason: "entry \(hardState.commit) is committed, but the log ends at \(tail.position.index): it has lost entries")
        }
        guard hardState.term >= tail.position.term else {
            throw .damaged(
                file: file, place: "table hard_state, term",
                reason: "it is \(hardState.term), but the log ends in term \(tail.position.term)")
        }
    }

    func damage(_ index: Index, _ reason: String) -> StorageError {
        .damaged(file: connection.path, place: "table log, index \(index)", reason: reason)
    }

    /// In the order that `entry` reads them in, the checksum behind them.
    static let columns =
        "\"index\", term, kind, version, operation, path, value, options, time, client, request, checksum"

    static func entry(_ row: Statement) -> LogEntry? {
        guard let kind = UInt8(exactly: row.integer(2)), let version = UInt8(exactly: row.integer(3)),
            let operation = UInt8(exactly: row.integer(4)), row.integer(0) >= 0, row.integer(1) >= 0
        else { return nil }
        return LogEntry(
            index: Index(UInt64(row.integer(0))), term: Term(UInt64(row.integer(1))),
            payload: EntryPayload(
                rawKind: kind, version: version, operation: operation, path: row.bytes(5), value: row.bytes(6),
                options: row.bytes(7), time: row.integer(8), client: row.bytes(9),
                request: UInt64(bitPattern: row.integer(10))))
    }
}
