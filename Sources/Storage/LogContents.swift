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

        let state = try storing { () throws(SQLiteError) in
            try connection.prepare("SELECT term, vote, \"commit\" FROM hard_state")
        }
        guard try storing({ () throws(SQLiteError) in try state.step() }), state.integer(0) >= 0, state.integer(2) >= 0 else {
            throw .damaged(file: file, place: "table hard_state", reason: "it is empty, or a number is negative")
        }
        hardState = HardState(
            term: Term(UInt64(state.integer(0))), vote: MemberID(hex: state.text(1)) ?? .none,
            commit: Index(UInt64(state.integer(2))))
        state.reset()

        let snapshot = try storing { () throws(SQLiteError) in
            try connection.prepare("SELECT \"index\", term, checksum FROM snapshots ORDER BY \"index\" DESC LIMIT 1")
        }
        if try storing({ () throws(SQLiteError) in try snapshot.step() }) {
            guard snapshot.integer(0) >= 0, snapshot.integer(1) >= 0, let checksum = UInt32(exactly: snapshot.integer(2)) else {
                throw .damaged(file: file, place: "table snapshots", reason: "a number is out of range")
            }
            cut = ChainLink(
                position: LogPosition(
                    index: Index(UInt64(snapshot.integer(0))), term: Term(UInt64(snapshot.integer(1)))),
                checksum: checksum)
        } else {
            cut = .origin
        }
        snapshot.reset()
    }

    /// The last entry, after the chain of the last `rows` entries was checked.
    package func verifiedTail(rows: UInt64) throws(StorageError) -> ChainLink {
        let last = try storing { () throws(SQLiteError) in try connection.integer("SELECT max(\"index\") FROM log") }
        guard let last, UInt64(max(last, 0)) > cut.position.index.value else { return cut }
        let distance = UInt64(last) - cut.position.index.value
        let start = Index(UInt64(last) - min(distance, rows))
        var tail = try link(at: start)
        try visit(from: tail) { (entry: LogEntry, checksum: UInt32) throws(StorageError) in
            tail = ChainLink(position: entry.position, checksum: checksum)
            return true
        }
        return tail
    }

    /// Entries behind `index`, at most `limit`, with their chain checked.
    package func entries(after index: Index, limit: Int) throws(StorageError) -> [LogEntry] {
        var entries: [LogEntry] = []
        try visit(from: link(at: index)) { (entry: LogEntry, _: UInt32) throws(StorageError) in
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
