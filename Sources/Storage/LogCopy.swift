import Raft
import SQLite
import Wire

/// A `log.db` of its own, with the identity of another.
package enum LogCopy {
    /// Makes a log with the entries of `source` up to `last`. Its chain has the same checksums, which proves the copy.
    package static func make(
        of source: LogContents, upTo last: Index, to path: String, origin: String, progress: ProgressReport?
    ) throws(StorageError) {
        var identity = source.identity
        identity.origin = origin
        var hardState = source.hardState
        // Nothing is committed that is not there yet.
        hardState.commit = source.cut.position.index
        try LogStore.create(path, identity: identity, hardState: hardState, start: source.cut)
        let store = try LogStore(path)
        var batch: [LogEntry] = []
        var expected = source.cut
        let first = source.cut.position.index.value
        if source.cut.position.index < last {
            try source.visit(from: source.cut) { (entry: LogEntry, checksum: UInt32) throws(StorageError) in
                batch.append(entry)
                expected = ChainLink(position: entry.position, checksum: checksum)
                if batch.count == 2000 || entry.index == last {
                    hardState.commit = min(source.hardState.commit, entry.index)
                    try store.write(hardState, batch)
                    try store.checkpointIfDue()
                    progress?("copying the log", entry.index.value - first, last.value - first)
                    batch.removeAll(keepingCapacity: true)
                }
                return entry.index < last
            }
        }
        guard store.tail == expected, expected.position.index == last else {
            throw .damaged(
                file: path, place: "table log", reason: "the copy ends at \(store.tail.position.index), not at \(last)")
        }
        try store.close()
    }

    /// Makes a log without entries, which goes on behind `link`.
    package static func makeEmpty(
        from source: LogContents, behind link: ChainLink, to path: String, origin: String
    ) throws(StorageError) {
        var identity = source.identity
        identity.origin = origin
        var hardState = source.hardState
        hardState.term = max(hardState.term, link.position.term)
        hardState.commit = link.position.index
        try LogStore.create(path, identity: identity, hardState: hardState, start: link)
        // A new log has pages to spare from when its WAL was given its size.
        try storing { () throws(SQLiteError) in
            let connection = try Connection(path, as: .durableWriter)
            defer { connection.close() }
            try connection.execute("VACUUM")
            try connection.checkpoint(.restart)
        }
    }
}
