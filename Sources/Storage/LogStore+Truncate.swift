import Raft
import SQLite
import Wire

/// One step of what is written to the log together: first the hard state, then the removal of a tail, then entries.
package struct LogChange: Sendable {
    package var hardState: HardState?
    /// Entries from here on go; they are not committed. Above the end it means nothing.
    package var truncateFrom: Index?
    /// They follow what is left without a gap.
    package var entries: [LogEntry]

    package init(hardState: HardState? = nil, truncateFrom: Index? = nil, entries: [LogEntry] = []) {
        self.hardState = hardState
        self.truncateFrom = truncateFrom
        self.entries = entries
    }
}

extension LogStore {
    /// A committed entry may be applied already, here or elsewhere: an order to remove one means that somebody has broken the
    /// protocol, and nothing that is done from then on can be trusted.
    func requireUncommitted(_ first: Index) throws(StorageError) {
        let kept = max(committed, cut.position.index)
        guard first > kept else {
            throw .damaged(
                file: connection.path, place: "table log, index \(first)",
                reason: "it is to be replaced, but everything up to \(kept) is committed")
        }
    }

    /// Within a transaction: removes the entries from `first` on. Returns the link of what is the last one then.
    func truncate(from first: Index) throws(SQLiteError) -> ChainLink {
        try deleteTail.bind(1, Int64(bitPattern: first.value))
        try deleteTail.run()
        Failpoint.pass("log.truncate.deleted")
        let last = first.previous
        if last == cut.position.index { return cut }
        try linkAt.bind(1, Int64(bitPattern: last.value))
        defer { linkAt.reset() }
        guard try linkAt.step(), linkAt.integer(0) >= 0, let checksum = UInt32(exactly: linkAt.integer(1)) else {
            throw SQLiteError(extendedCode: 11, message: "the entry is missing", file: connection.path, sql: "table log, index \(last)")
        }
        return ChainLink(position: LogPosition(index: last, term: Term(UInt64(linkAt.integer(0)))), checksum: checksum)
    }
}
