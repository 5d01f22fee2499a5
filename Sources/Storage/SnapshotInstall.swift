import Raft
import SQLite

/// Puts a verified snapshot in the place of log and tree, so that a crash at any point leaves the old state or the new one, whole.
///
///     stage      the file, now a plain tree.db, gets the name tree.db.incoming, durably        crash: it is thrown away
///     LogStore.beginInstall     one transaction of log.db: the log is empty and goes on behind the snapshot, and
///                               the row in `install` says that the tree file is to be swapped   ← from here on the new state counts
///     swap       the old WAL goes, tree.db.incoming becomes tree.db                             crash: the next start does it again
///     LogStore.finishInstall    the row goes
///
/// Whoever runs this has stopped every use of the old tree file before `swap`: a WAL written to by then would belong to nothing. A
/// reader that is left over goes on reading the old file, which has no name any more.
package enum SnapshotInstall {
    /// Makes `path` (verified, of this file system) the file that `swap` will take.
    package static func stage(_ path: String, in directory: DataDirectory) throws(StorageError) {
        let staged = directory.incomingTree
        for suffix in SnapshotFile.suffixes { try FileOperations.remove(staged + suffix) }
        try storing { () throws(SQLiteError) in
            let file = try Connection(path, as: .scratch)
            defer { file.close() }
            // Not there any more when a full disk has interrupted an earlier try.
            try file.execute("DROP TABLE IF EXISTS snapshot")
        }
        try FileOperations.synchronize(path)
        try FileOperations.rename(path, to: staged)
        Failpoint.pass("install.staged")
    }

    /// Gives the staged file its name. May be repeated; the log says that it is to be done.
    package static func swap(in directory: DataDirectory) throws(StorageError) {
        // Without the staged file the swap is done, and the WAL beside the tree is the new one's.
        guard FileOperations.kind(directory.incomingTree) != nil else { return }
        for suffix in ["-wal", "-shm", "-journal"] { try FileOperations.remove(directory.tree + suffix) }
        // The old WAL must be gone for good before the new file is there: SQLite would apply it to whatever it finds.
        try FileOperations.synchronize(directory.member)
        Failpoint.pass("install.old-removed")
        try FileOperations.rename(directory.incomingTree, to: directory.tree)
        Failpoint.pass("install.swapped")
    }

    /// At a start, before the tree is opened: finishes what a crash has interrupted, or throws away what had not begun.
    ///
    /// - Returns: the position of the snapshot that was put in place.
    package static func resume(in directory: DataDirectory, log: LogStore) throws(StorageError) -> LogPosition? {
        guard let plan = try log.installation() else {
            for suffix in SnapshotFile.suffixes { try FileOperations.remove(directory.incomingTree + suffix) }
            return nil
        }
        guard plan.position == log.cut.position else {
            throw .damaged(
                file: directory.log, place: "table install",
                reason: "a snapshot of entry \(plan.position.index) is being installed, but the log begins behind \(log.cut.position.index)")
        }
        try swap(in: directory)
        try require(plan, in: directory)
        try log.finishInstall()
        return plan.position
    }

    /// The file in place is the one that the plan speaks of.
    private static func require(_ plan: LogStore.Installation, in directory: DataDirectory) throws(StorageError) {
        guard FileOperations.kind(directory.tree) != nil else {
            throw .damaged(file: directory.tree, place: "the file", reason: "it is missing, and so is the snapshot for its place")
        }
        let reader = try TreeReader(path: directory.tree, as: .reader)
        let state = try reader.state()
        reader.close()
        // When the swap was done before, the server may have gone on from there.
        let isBehind = state.applied.index < plan.position.index
        let isAnother = state.applied.index == plan.position.index && (state.applied != plan.position || state.hash.hex != plan.stateHash)
        if isBehind || isAnother {
            throw .damaged(
                file: directory.tree, place: "table state",
                reason: "it is at entry \(state.applied.index), not the snapshot of entry \(plan.position.index) that was to be installed")
        }
    }
}

extension DataDirectory {
    /// A snapshot that waits to take the tree's place.
    package var incomingTree: String { tree + ".incoming" }
}

extension LogStore {
    /// What the row in `install` says.
    package struct Installation: Equatable, Sendable {
        package var position: LogPosition
        package var stateHash: String
    }

    /// The installation that was begun and not finished.
    package func installation() throws(StorageError) -> Installation? { try LogContents(connection).installation() }

    /// Forgets every entry, goes on behind the snapshot, and says that the tree is to be swapped: one durable transaction.
    ///
    /// No entry that others may count on is lost: the core installs only what is committed and what its log does not hold.
    package func beginInstall(_ manifest: SnapshotManifest) throws(StorageError) {
        let link = manifest.link
        guard link.position.index > committed else {
            throw .damaged(
                file: connection.path, place: "table snapshots",
                reason: "a snapshot of entry \(link.position.index) is to be installed, but everything up to \(committed) is committed")
        }
        var state = hardState
        state.term = max(state.term, link.position.term)
        // A vote is one of its term.
        if state.term != hardState.term { state.vote = .none }
        state.commit = link.position.index
        do {
            try connection.transaction { () throws(SQLiteError) in
                try connection.execute("DELETE FROM log")
                try connection.execute("DELETE FROM snapshots")
                try LogStore.record(link, connection)
                try save(state)
                let row = try connection.prepare("INSERT OR REPLACE INTO install VALUES (1, ?, ?, ?, datetime('now'))")
                try row.bind(1, Int64(bitPattern: link.position.index.value))
                try row.bind(2, Int64(bitPattern: link.position.term.value))
                try row.bind(3, text: manifest.stateHash)
                try row.run()
                Failpoint.pass("install.before-commit")
            }
        } catch {
            connection.rollBack()
            throw StorageError(error)
        }
        Failpoint.pass("install.log-reset")
        (cut, tail, hardState) = (link, link, state)
        noteCommitted(link.position.index)
    }

    /// The tree is in place.
    package func finishInstall() throws(StorageError) {
        do {
            try connection.transaction { () throws(SQLiteError) in try connection.execute("DELETE FROM install") }
        } catch {
            connection.rollBack()
            throw StorageError(error)
        }
        Failpoint.pass("install.finished")
    }
}

extension LogContents {
    func installation() throws(StorageError) -> LogStore.Installation? {
        // A log that only a tool looks at may be older than the table.
        guard try storing({ () throws(SQLiteError) in
            try connection.integer("SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = 'install'")
        }) == 1 else { return nil }
        let row = try storing { () throws(SQLiteError) in try connection.prepare("SELECT \"index\", term, state_hash FROM install") }
        defer { row.reset() }
        guard try storing({ () throws(SQLiteError) in try row.step() }) else { return nil }
        guard row.integer(0) >= 0, row.integer(1) >= 0 else {
            throw .damaged(file: connection.path, place: "table install", reason: "a number is out of range")
        }
        return LogStore.Installation(
            position: LogPosition(index: Index(UInt64(row.integer(0))), term: Term(UInt64(row.integer(1)))), stateHash: row.text(2))
    }
}
