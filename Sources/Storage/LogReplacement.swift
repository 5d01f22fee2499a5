import Raft
import SQLite

/// A copy of `log.db` that takes its place when a reader keeps its WAL from being reset.
package enum LogReplacement {
    /// Copies what is committed, beside the thread that writes.
    ///
    /// - Parameter upTo: entries up to here are committed and in the log, so none of them will be replaced.
    package static func prepare(_ path: String, upTo committed: Index) throws(StorageError) {
        try FileReplacement.clear(path)
        let connection = try storing { () throws(SQLiteError) in
            let connection = try Connection(path, as: .reader)
            try connection.execute("BEGIN")
            return connection
        }
        defer { connection.close() }
        let source = try LogContents(connection)
        let last = try storing { () throws(SQLiteError) in try connection.integer("SELECT max(\"index\") FROM log") } ?? 0
        let end = max(source.cut.position.index, min(committed, Index(UInt64(max(last, 0)))))
        try LogCopy.make(
            of: source, upTo: end, to: FileReplacement.partial(path), origin: source.identity.origin, progress: nil)
        Failpoint.pass("replace.log-copied")
    }

    /// On the thread that writes: puts the copy, which is up to date, in the place of the file, which is closed. After an error nothing is to
    /// be written to either.
    package static func takePlace(of store: LogStore) throws(StorageError) {
        let path = store.connection.path
        try FileReplacement.commit(path)
        store.leave()
        try FileReplacement.finish(path)
    }

    /// What goes on then. May be tried again on a full disk.
    package static func open(_ path: String, committed: Index) throws(StorageError) -> LogStore {
        let new = try LogStore(path)
        new.noteCommitted(committed)
        do { try new.growWAL() } catch .diskFull {} catch { throw error }
        return new
    }

    /// On the thread that writes: what the copy lacks. Nothing of this process has it open when this returns.
    ///
    /// - Parameter lagMax: so many entries it may lack; to write more would hold up whoever waits for this thread.
    /// - Returns: false when it is of no use, because it lacks more, or the log was replaced by a snapshot meanwhile.
    package static func bringUp(from store: LogStore, lagMax: UInt64 = .max) throws(StorageError) -> Bool {
        let partial = FileReplacement.partial(store.connection.path)
        let copy = try LogStore(partial)
        let joint = copy.tail.position.index
        guard joint >= store.cut.position.index, joint <= store.tail.position.index,
            store.tail.position.index.value - joint.value <= lagMax, try store.installation() == nil,
            try LogContents(store.connection).link(at: joint) == copy.tail
        else {
            copy.leave()
            return false
        }
        while copy.tail.position.index < store.tail.position.index {
            try copy.write(nil, store.entries(after: copy.tail.position.index, limit: 2000, bytes: 8 << 20))
            try copy.checkpointIfDue()
        }
        while try !copy.cutStep(upTo: store.cut.position.index) {}
        try copy.write(store.hardState, [])
        guard copy.tail == store.tail, copy.cut == store.cut, copy.hardState == store.hardState, copy.identity == store.identity else {
            throw .damaged(file: partial, place: "table log", reason: "it ends at \(copy.tail), what it is a copy of at \(store.tail)")
        }
        try copy.closeAsFile()
        return true
    }
}

extension LogStore {
    /// Leaves one file, complete and synced, without a WAL.
    fileprivate func closeAsFile() throws(StorageError) {
        let path = connection.path
        try storing { () throws(SQLiteError) in
            guard try connection.checkpoint(.truncate).isComplete else {
                throw SQLiteError(extendedCode: 5, message: "somebody reads it", file: path, sql: "checkpoint")
            }
        }
        connection.close()
        try FileOperations.remove(path + "-wal")
        try FileOperations.remove(path + "-shm")
    }

    /// Nothing of it is used any more.
    fileprivate func leave() { connection.close() }
}
