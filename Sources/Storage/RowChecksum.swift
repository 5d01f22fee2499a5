import Raft
import SQLite
import Wire

/// The checksums of the two single rows of `log.db` that no chain covers: the hard state, and where the log was cut.
///
/// A term or a vote that reads as another, or as none, would permit a second vote in a term. So whatever is not exactly what was written is
/// damage, and stops whoever reads it.
enum RowChecksum {
    /// Number of the migration that adds the columns.
    static let schema = 5

    static func of(_ state: HardState) -> UInt32 { of(state.term.value, state.vote.value, state.commit.value) }

    static func of(_ link: ChainLink) -> UInt32 {
        of(link.position.index.value, link.position.term.value, UInt64(link.checksum))
    }

    private static func of(_ values: UInt64...) -> UInt32 {
        var checksum = CRC32C()
        for value in values { checksum.update(value) }
        return checksum.value
    }

    /// The rest of the migration: what is there gets its checksum. What cannot be read is not covered up by one.
    static func fillIn(_ connection: Connection) throws(SQLiteError) {
        func read<Row>(_ table: String, _ body: () throws(StorageError) -> Row?) throws(SQLiteError) -> Row? {
            do { return try body() } catch {
                guard case .damaged(let file, let place, let reason) = error else {
                    throw SQLiteError(extendedCode: 1, message: error.description, file: connection.path, sql: table)
                }
                throw SQLiteError(extendedCode: 11, message: reason, file: file, sql: place)
            }
        }
        let count = try connection.integer("SELECT count(*) FROM hard_state") ?? 0
        if count > 0, let state = try read("table hard_state", { () throws(StorageError) in try readHardState(connection, isChecked: false) }) {
            try connection.execute("UPDATE hard_state SET checksum = \(of(state))")
        }
        if let cut = try read("table snapshots", { () throws(StorageError) in try readCut(connection, isChecked: false) }) {
            try connection.execute("UPDATE snapshots SET row_checksum = \(of(cut)) WHERE \"index\" = \(cut.position.index.value)")
        }
    }

    static func readHardState(_ connection: Connection, isChecked: Bool) throws(StorageError) -> HardState {
        func damage(_ column: String, _ reason: String) -> StorageError {
            .damaged(file: connection.path, place: "table hard_state\(column)", reason: reason)
        }
        let row = try storing { () throws(SQLiteError) in
            try connection.prepare("SELECT term, vote, \"commit\", \(isChecked ? "checksum" : "NULL") FROM hard_state")
        }
        defer { row.reset() }
        guard try storing({ () throws(SQLiteError) in try row.step() }) else { throw damage("", "it is empty") }
        guard row.integer(0) >= 0 else { throw damage(", term", "it is negative") }
        guard row.integer(2) >= 0 else { throw damage(", commit", "it is negative") }
        let text = row.text(1)
        guard let vote = text.isEmpty ? MemberID.none : MemberID(hex: text), text.isEmpty || (vote != .none && vote.description == text) else {
            throw damage(", vote", "\"\(text)\" is no member id")
        }
        let state = HardState(term: Term(UInt64(row.integer(0))), vote: vote, commit: Index(UInt64(row.integer(2))))
        if isChecked, row.isNull(3) || row.integer(3) != Int64(of(state)) {
            throw damage(", checksum", "it does not fit term \(state.term), vote \"\(text)\" and commit \(state.commit): the row was changed")
        }
        return state
    }

    /// Nil when the log was never cut.
    static func readCut(_ connection: Connection, isChecked: Bool) throws(StorageError) -> ChainLink? {
        let row = try storing { () throws(SQLiteError) in try connection.prepare(cutSQL(isChecked: isChecked)) }
        defer { row.reset() }
        guard try storing({ () throws(SQLiteError) in try row.step() }) else { return nil }
        return try cut(row, isChecked: isChecked, file: connection.path)
    }

    /// The newest cut: index, term, checksum of the chain, checksum of the row.
    static func cutSQL(isChecked: Bool) -> String {
        "SELECT \"index\", term, checksum, \(isChecked ? "row_checksum" : "NULL") FROM snapshots ORDER BY \"index\" DESC LIMIT 1"
    }

    static func cut(_ row: Statement, isChecked: Bool, file: String) throws(StorageError) -> ChainLink {
        guard row.integer(0) >= 0, row.integer(1) >= 0, let checksum = UInt32(exactly: row.integer(2)) else {
            throw .damaged(file: file, place: "table snapshots", reason: "a number is out of range")
        }
        let link = ChainLink(
            position: LogPosition(index: Index(UInt64(row.integer(0))), term: Term(UInt64(row.integer(1)))), checksum: checksum)
        if isChecked, row.isNull(3) || row.integer(3) != Int64(of(link)) {
            throw .damaged(
                file: file, place: "table snapshots, index \(link.position.index)",
                reason: "its checksum does not fit term \(link.position.term) and chain \(checksum): the row was changed")
        }
        return link
    }
}
