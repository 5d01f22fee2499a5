import Keyspace
import SQLite

extension TreeStore {
    /// Reads through the writing connection, for a tool that does one thing after the other.
    package func reader() throws(StorageError) -> TreeReader { try TreeReader(connection) }

    /// Closes the tree and leaves one file, without a WAL, that any SQLite opens wherever it lies.
    package func closeAsFile() throws(StorageError) {
        let path = connection.path
        try storing { () throws(SQLiteError) in
            try connection.checkpoint(.truncate)
            guard try connection.text("PRAGMA journal_mode=DELETE") == "delete" else {
                throw SQLiteError(extendedCode: 5, message: "it is still read from", file: path, sql: "PRAGMA journal_mode")
            }
        }
        connection.close()
        try FileOperations.remove(path + "-wal")
        try FileOperations.remove(path + "-shm")
    }
}

extension TreeReader {
    /// How many events are kept when a directory does not say.
    package static let historyEventsDefault = 1000
    /// More than this is not believed.
    private static let historyEventsMax: Int64 = 1_000_000_000

    /// How many events the server that wrote the tree kept.
    package func historyEvents() throws(StorageError) -> Int {
        // A tree that nothing was written to has no number yet.
        let row = try integers("SELECT history_events, applied_index FROM state", columns: 2)
        guard let kept = row.first, row.count == 2, row[1] > 0 else { return TreeReader.historyEventsDefault }
        return Int(max(0, min(kept, TreeReader.historyEventsMax)))
    }

    /// Number, first and last index of the stored events.
    package func eventRange() throws(StorageError) -> (count: Int64, first: Int64, last: Int64) {
        let row = try integers("SELECT count(*), ifnull(min(\"index\"), 0), ifnull(max(\"index\"), 0) FROM events", columns: 3)
        return row.count == 3 ? (row[0], row[1], row[2]) : (0, 0, 0)
    }

    /// Why the stored events are not the last ones of the tree; nil when they are.
    ///
    /// Every change takes one index and one place in the history, so there is no gap and the last one is the tree's.
    func problemOfEvents(_ state: TreeState) throws(StorageError) -> String? {
        let range = try eventRange()
        guard range.count > 0 else { return nil }
        if range.first <= 0 || UInt64(range.last) != state.keysIndex {
            return "they end at \(range.last), the tree is at \(state.keysIndex)"
        }
        return range.last - range.first + 1 == range.count ? nil : "\(range.count) of them from \(range.first) to \(range.last)"
    }

    /// Nodes and directories, counted by SQLite.
    package func counts() throws(StorageError) -> (nodes: UInt64, directories: UInt64) {
        let row = try integers("SELECT count(*), count(*) FILTER (WHERE dir <> 0) FROM nodes", columns: 2)
        return row.count == 2 ? (UInt64(max(row[0], 0)), UInt64(max(row[1], 0))) : (0, 0)
    }
}
