import Migrations
import Raft
import SQLite
import Wire

/// Who this directory belongs to; never changes.
package struct Identity: Equatable, Sendable {
    package var member: MemberID
    package var cluster: MemberID
    /// How the directory came to be.
    package var origin: String

    package init(member: MemberID, cluster: MemberID, origin: String) {
        self.member = member
        self.cluster = cluster
        self.origin = origin
    }

    /// Stored beside it: neither the chain of the entries nor a page checksum covers this row, and a flipped bit would make the
    /// member somebody else.
    var checksum: UInt32 {
        var checksum = CRC32C()
        for text in [member.description, cluster.description, origin] { checksum.update(Array(text.utf8) + [0]) }
        return checksum.value
    }
}

/// An entry's place and what the checksum chain has come to with it.
package struct ChainLink: Equatable, Sendable {
    package var position: LogPosition
    package var checksum: UInt32

    package init(position: LogPosition, checksum: UInt32) {
        self.position = position
        self.checksum = checksum
    }

    package static let origin = ChainLink(position: .origin, checksum: 0)
}

/// The log and the hard state in `log.db`. What a method wrote is durable when it returns.
///
/// Confined to the thread that owns it. A full disk leaves everything as it was before the call; any other error means
/// that the owner must stop, because after a failed fsync nobody knows what the disk holds.
package final class LogStore {
    let connection: Connection
    let frames: FrameCounter
    private var backlog = CheckpointBacklog()
    private var isWALLimited = false
    package let identity: Identity
    package internal(set) var hardState: HardState
    /// What lies before the first entry that is kept.
    package internal(set) var cut: ChainLink
    package internal(set) var tail: ChainLink
    /// Nothing up to here is ever removed from the tail: the highest commit index that this store was told of.
    package private(set) var committed: Index

    private let insert: Statement
    private let saveHardState: Statement
    let deletePrefix: Statement
    let deleteTail: Statement
    let linkAt: Statement

    /// Rows whose chain is checked at every start, whatever the size of the log.
    package static let quickCheckRows: UInt64 = 512
    /// The WAL is written to this size once, when the file is made, and from then on only overwritten.
    static var grownFrames: Int { FileSystem.simulated?.logFrames ?? 2048 }
    /// A checkpoint is due from here on; the rest of the grown size is room for it to be late.
    static var checkpointFrames: Int { grownFrames / 4 * 3 }

    /// True when the file exists and belongs to a member. A crash while it was being made leaves one that does not.
    package static func hasIdentity(_ path: String) throws(StorageError) -> Bool {
        guard FileOperations.exists(path) else { return false }
        return try storing { () throws(SQLiteError) in
            let connection = try Connection(path, as: .reader)
            defer { connection.close() }
            guard try connection.integer("SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = 'identity'") ?? 0 > 0 else {
                return false
            }
            return try connection.integer("SELECT count(*) FROM identity") ?? 0 > 0
        }
    }

    /// Makes a new log whose first entry follows `start`.
    ///
    /// - Parameter entries: follow `start` without a gap, and are there from the beginning or not at all.
    package static func create(
        _ path: String, identity: Identity, hardState: HardState = HardState(), start: ChainLink = .origin,
        entries: [LogEntry] = []
    ) throws(StorageError) {
        let connection = try storing { () throws(SQLiteError) in try Connection(path, as: .durableWriter) }
        try migrate(connection)
        try storing { () throws(SQLiteError) in
            try connection.transaction { () throws(SQLiteError) in
                let row = try connection.prepare("INSERT INTO identity VALUES (1, ?, ?, datetime('now'), ?, ?)")
                try row.bind(1, text: identity.member.description)
                try row.bind(2, text: identity.cluster.description)
                try row.bind(3, text: identity.origin)
                try row.bind(4, Int64(identity.checksum))
                try row.run()
                let state = try connection.prepare("INSERT INTO hard_state VALUES (1, ?, ?, ?, ?)")
                try bind(hardState, to: state)
                try state.run()
                if start != .origin { try record(start, connection) }
                let insert = try connection.prepare(insertSQL)
                var checksum = start.checksum
                for entry in entries {
                    checksum = entry.checksum(after: checksum)
                    try bind(entry, checksum, to: insert)
                    try insert.run()
                }
            }
            try grow(connection)
        }
        connection.close()
    }

    /// The WAL gets its size, once: overwriting it later is a third cheaper than letting it grow.
    private static func grow(_ connection: Connection) throws(SQLiteError) {
        try connection.transaction { () throws(SQLiteError) in
            try connection.execute("CREATE TABLE growth(filler BLOB)")
            try connection.execute("INSERT INTO growth VALUES (zeroblob(\((grownFrames - 64) * 4096)))")
        }
        try connection.execute("DROP TABLE growth")
        try connection.checkpoint(.restart)
    }

    func growWAL() throws(StorageError) { try storing { () throws(SQLiteError) in try LogStore.grow(connection) } }

    /// Opens the log and does the quick check: schema, identity, hard state, the chain at its end.
    package init(_ path: String) throws(StorageError) {
        let verdict = try WALFile.inspect(path + "-wal")
        if case .damaged(let place, let reason) = verdict {
            throw .damaged(file: path + "-wal", place: place, reason: reason)
        }
        let connection = try storing { () throws(SQLiteError) in try Connection(path, as: .durableWriter) }
        try LogStore.migrate(connection)
        // Before anything is read: a strange view in the place of a table would get to run.
        try Schema.require(connection, Schema.log)
        let contents = try LogContents(connection)
        self.connection = connection
        identity = contents.identity
        hardState = contents.hardState
        committed = contents.hardState.commit
        cut = contents.cut
        tail = try contents.verifiedTail(rows: LogStore.quickCheckRows)
        try contents.requireHardState(fits: tail)
        let statements = try storing { () throws(SQLiteError) in
            (
                try connection.prepare(LogStore.insertSQL),
                try connection.prepare("UPDATE hard_state SET term = ?, vote = ?, \"commit\" = ?, checksum = ? WHERE only = 1"),
                try connection.prepare("DELETE FROM log WHERE \"index\" <= ?"),
                try connection.prepare("DELETE FROM log WHERE \"index\" >= ?"),
                try connection.prepare("SELECT term, checksum FROM log WHERE \"index\" = ?")
            )
        }
        (insert, saveHardState, deletePrefix, deleteTail, linkAt) = statements
        frames = connection.countFrames()
        // The WAL starts again from its beginning; behind the frames of the last run it would grow to twice its size.
        do {
            try storing { () throws(SQLiteError) in _ = try connection.checkpoint(.restart, patienceMilliseconds: 200) }
        } catch .diskFull {} catch { throw error }
        guard tail.position.index >= cut.position.index else {
            throw .damaged(
                file: path, place: "table log", reason: "ends at \(tail.position.index), cut at \(cut.position.index)")
        }
    }

    /// Everything is in the database file, and the WAL keeps its size. On a full disk it stays in the WAL.
    package func close() throws(StorageError) {
        do {
            try storing { () throws(SQLiteError) in _ = try connection.checkpoint(.restart, patienceMilliseconds: 200) }
        } catch .diskFull {} catch { throw error }
        connection.close()
    }

    /// Writes the hard state, removes a tail, appends the entries: in one transaction. `entries` follow what is left without a gap.
    package func write(
        _ newHardState: HardState?, truncateFrom: Index? = nil, _ entries: [LogEntry]
    ) throws(StorageError) {
        try write([LogChange(hardState: newHardState, truncateFrom: truncateFrom, entries: entries)])
    }

    /// The same for several changes, one after the other, in one transaction and one fsync.
    package func write(_ changes: [LogChange]) throws(StorageError) {
        var link = tail
        let newHardState = changes.last { $0.hardState != nil }?.hardState
        for change in changes { if let first = change.truncateFrom { try requireUncommitted(first) } }
        Failpoint.pass("log.append.begin")
        do {
            try connection.transaction { () throws(SQLiteError) in
                if let newHardState { try save(newHardState) }
                for change in changes {
                    if let first = change.truncateFrom, first <= link.position.index { link = try truncate(from: first) }
                    for entry in change.entries {
                        precondition(entry.index == link.position.index.next, "log: entries follow each other")
                        link = ChainLink(position: entry.position, checksum: entry.checksum(after: link.checksum))
                        try LogStore.bind(entry, link.checksum, to: insert)
                        try insert.run()
                    }
                }
                Failpoint.pass("log.append.before-commit")
            }
        } catch {
            connection.rollBack()
            throw StorageError(error)
        }
        Failpoint.pass("log.append.after-commit")
        tail = link
        if let newHardState {
            hardState = newHardState
            noteCommitted(newHardState.commit)
        }
    }

    /// The owner knows of commits before it writes them down.
    package func noteCommitted(_ index: Index) { committed = max(committed, index) }

    func save(_ state: HardState) throws(SQLiteError) {
        try LogStore.bind(state, to: saveHardState)
        try saveHardState.run()
    }

    private static func bind(_ state: HardState, to statement: Statement) throws(SQLiteError) {
        try statement.bind(1, Int64(bitPattern: state.term.value))
        try statement.bind(2, text: state.vote == .none ? "" : state.vote.description)
        try statement.bind(3, Int64(bitPattern: state.commit.value))
        try statement.bind(4, Int64(RowChecksum.of(state)))
    }

    private static let insertSQL = "INSERT INTO log VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"

    private static func bind(_ entry: LogEntry, _ checksum: UInt32, to insert: Statement) throws(SQLiteError) {
        let payload = entry.payload
        try insert.bind(1, Int64(bitPattern: entry.index.value))
        try insert.bind(2, Int64(bitPattern: entry.term.value))
        try insert.bind(3, Int64(payload.kind))
        try insert.bind(4, Int64(payload.version))
        try insert.bind(5, Int64(payload.operation))
        try insert.bind(6, text: payload.path)
        try insert.bind(7, text: payload.value)
        try insert.bind(8, blob: payload.options)
        try insert.bind(9, payload.time)
        try insert.bind(10, text: payload.client)
        try insert.bind(11, Int64(bitPattern: payload.request))
        try insert.bind(12, Int64(checksum))
    }

    /// Copies the WAL into the database file when enough has gathered; the owner calls it when nobody waits for it. Waits for nobody
    /// either: with a reader in the way the WAL grows on, and how far is the owner's business.
    package func checkpointIfDue() throws(StorageError) {
        try limitWAL()
        guard backlog.isDue(frames.frames, every: LogStore.checkpointFrames) else { return }
        Failpoint.pass("log.checkpoint.begin")
        let result = try storing { () throws(SQLiteError) in try connection.checkpoint(.passive) }
        backlog.tried(at: frames.frames, every: LogStore.checkpointFrames, isComplete: result.isComplete)
        Failpoint.pass("log.checkpoint.end")
    }

    /// One that a long reader has made much longer than it needs to be is cut when it begins anew, and then keeps its size again.
    private func limitWAL() throws(StorageError) {
        let mustLimit = isWALLimited ? frames.frames >= LogStore.checkpointFrames : frames.frames * 4120 > LogStore.walBytesKept
        guard mustLimit != isWALLimited else { return }
        isWALLimited = mustLimit
        try storing { () throws(SQLiteError) in
            try connection.execute("PRAGMA journal_size_limit=\(mustLimit ? LogStore.walBytesKept : -1)")
        }
    }

    private static let walBytesKept = 64 << 20

    /// What has gathered in the WAL though checkpoints were tried; 0 when nobody is in their way.
    package var bytesHeldUp: Int { backlog.bytesHeldUp(frames.frames) }

    /// Entries for whoever applies them; the chain is checked on the way.
    package func entries(after index: Index, limit: Int, bytes: Int = .max) throws(StorageError) -> [LogEntry] {
        try LogContents(connection).entries(after: index, limit: limit, bytes: bytes)
    }

    /// What the entries take in the file, roughly.
    package func bytesUsed() throws(StorageError) -> Int {
        try storing { () throws(SQLiteError) in
            let pages = try connection.integer("PRAGMA page_count") ?? 0
            let free = try connection.integer("PRAGMA freelist_count") ?? 0
            return Int(max(0, pages - free)) * Int(try connection.integer("PRAGMA page_size") ?? 4096)
        }
    }

    /// What file and WAL take without need: free pages, and what the WAL has grown beyond its first size.
    package func bytesToSpare() throws(StorageError) -> Int {
        let free = try storing { () throws(SQLiteError) in try connection.integer("PRAGMA freelist_count") ?? 0 }
        let wal = FileOperations.size(connection.path + "-wal") ?? 0
        return Int(free) * 4096 + max(0, Int(wal) - LogStore.grownFrames * 4120)
    }

    static func record(_ link: ChainLink, _ connection: Connection) throws(SQLiteError) {
        let row = try connection.prepare("INSERT OR REPLACE INTO snapshots VALUES (?, ?, ?, datetime('now'), ?)")
        try row.bind(1, Int64(bitPattern: link.position.index.value))
        try row.bind(2, Int64(bitPattern: link.position.term.value))
        try row.bind(3, Int64(link.checksum))
        try row.bind(4, Int64(RowChecksum.of(link)))
        try row.run()
    }

    private static func migrate(_ connection: Connection) throws(StorageError) {
        do { _ = try Migrator.migrate(connection, Schema.log) } catch { throw StorageError(error) }
    }
}
