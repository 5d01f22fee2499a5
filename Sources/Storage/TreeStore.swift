import Access
import Keyspace
import Raft
import SQLite
import Wire

/// The writing side of `tree.db`: one transaction a layer, and the checkpoints.
///
/// Confined to the thread that owns it. A commit costs no fsync, because the log has everything; only what a complete
/// checkpoint has copied counts as durable, and only behind that may the log be cut.
package final class TreeStore {
    let connection: Connection
    private let frames: FrameCounter
    /// What the last commit holds.
    package private(set) var state: TreeState
    /// What survives a crash of the machine, not only of the process.
    package internal(set) var durable: LogPosition
    private let historyEvents: Int
    private var checksum: StateChecksum
    private var backlog = CheckpointBacklog()
    /// How far the last checkpoint came that somebody was in the way of, in frames.
    private var stuckAt: Int?
    /// As last committed: `StateChecksum` speaks of them.
    private var members: [Member]
    private var access: AccessState

    private var values: ChangeValues
    private let upsert: Statement
    private let delete: Statement
    private let deleteSubtree: Statement
    private let insertEvent: Statement
    private let trimEvents: Statement
    private let endsOfEvents: Statement
    private let saveState: Statement

    /// A checkpoint is due from here on (32 MiB of pages): pages that change again and again are copied once for all of it.
    private static let checkpointFrames = 8192

    /// Makes or upgrades the file.
    package convenience init(_ path: String, historyEvents: Int) throws(StorageError) {
        if TreeStore.isAheadOfItsWAL(path) { try TreeStore.prove(path, mayLackPageChecksums: false) }
        let connection = try storing { () throws(SQLiteError) in try Connection(path, as: .viewWriter) }
        do {
            _ = try Migrator.migrate(connection, Schema.tree)
            // Before anything is read: a strange view in the place of a table would get to run.
            try Schema.require(connection, Schema.tree)
            try TreeStore.convert(connection)
            // Not only in a file that was just made: a crash may have come between the two steps.
            try connection.execute(
                """
                INSERT INTO state(only, applied_index, applied_term, applied_time, keys_index, state_hash, cluster_version, history_events)
                SELECT 1, 0, 0, 0, 0, '\(StateHash().hex)', '', 0
                WHERE NOT EXISTS (SELECT 1 FROM state) AND NOT EXISTS (SELECT 1 FROM nodes)
                    AND NOT EXISTS (SELECT 1 FROM events)
                """)
        } catch let error as StorageError {
            throw error
        } catch let error as Migrator.Failure {
            throw StorageError(error)
        } catch let error as SQLiteError {
            throw StorageError(error)
        } catch {
            throw .failed("\(error)")
        }
        try self.init(connection, historyEvents: historyEvents)
    }

    private init(_ connection: Connection, historyEvents: Int) throws(StorageError) {
        self.connection = connection
        self.historyEvents = historyEvents
        func prepare(_ sql: String) throws(StorageError) -> Statement {
            try storing { () throws(SQLiteError) in try connection.prepare(sql) }
        }
        values = try storing { () throws(SQLiteError) in try ChangeValues(connection) }
        upsert = try prepare(
            """
            INSERT INTO nodes VALUES (?, ?, ?, ?, ?, ?, ?, ?)
            ON CONFLICT(parent, name) DO UPDATE SET dir = excluded.dir, value = excluded.value, created = excluded.created,
                modified = excluded.modified, expiration = excluded.expiration, value_index = excluded.value_index
            """)
        delete = try prepare("DELETE FROM nodes WHERE parent = ? AND name = ?")
        deleteSubtree = try prepare("DELETE FROM nodes WHERE parent = ?1 OR (parent >= ?2 AND parent < ?3)")
        insertEvent = try prepare("INSERT INTO events VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)")
        trimEvents = try prepare("DELETE FROM events WHERE \"index\" < ?")
        endsOfEvents = try prepare(TreeReader.endsOfEventsSQL)
        saveState = try prepare(
            """
            UPDATE state SET applied_index = ?, applied_term = ?, applied_time = ?, keys_index = ?, state_hash = ?,
                cluster_version = ?, history_events = ?, checksum = ?
            """)
        let reader = try TreeReader(connection)
        state = try reader.state()
        (members, access) = (try reader.members(), try reader.access())
        checksum = StateChecksum(members, access)
        frames = connection.countFrames()
        // Whatever the WAL holds at the start is made durable once, so that `durable` is known.
        let checkpoint = try storing { () throws(SQLiteError) in try connection.checkpoint(.passive) }
        durable = checkpoint.isComplete ? state.applied : .origin
    }

    /// A checkpoint has copied more into the file than its WAL shows now.
    ///
    /// A WAL is synced before it is copied and stays as it is afterwards, so a loss of power does not do that; a bit that flips in its last
    /// transaction does, and looks like a torn write: SQLite drops the transaction, and shows the pages of the one before where the
    /// WAL has them, and the newer ones of the file elsewhere.
    private static func isAheadOfItsWAL(_ path: String) -> Bool {
        guard (FileOperations.size(path + "-wal") ?? 0) > 0 else { return false }
        func applied(_ profile: ConnectionProfile) -> Int64? {
            // Whatever is wrong with the file, opening it in earnest says so.
            guard let connection = try? Connection(path, as: profile) else { return nil }
            defer { connection.close() }
            return try? connection.integer("SELECT applied_index FROM state")
        }
        guard let shown = applied(.reader) else { return false }
        // A file that is not whole without its WAL tells nothing, and a page of it that the WAL covers is not looked at in earnest.
        guard let inFile = applied(.immutable) else { return true }
        return inFile > shown
    }

    /// For a file that another program may have written to (`DataDirectory.mayLackPageChecksums`), or whose WAL is damaged: proves by
    /// the state hash that the nodes are what they were, and starts the WAL anew.
    ///
    /// Pages that another program wrote have no checksums: if there are any, every page is written anew, with its checksum, which
    /// takes as much room again as the file has. Of the rest, `StateChecksum` proves that it is of the same moment, and what applying
    /// depends on; the contents of events are left.
    ///
    /// - Parameter mayLackPageChecksums: false after damage to the WAL: whatever no sum speaks of must have right page checksums.
    package static func prove(_ path: String, mayLackPageChecksums: Bool = true) throws(StorageError) {
        guard mayLackPageChecksums else { return try proveContents(of: path, rewriting: false) }
        do {
            // A server that was killed on a full disk leaves the same signs, and there may be no room to write everything twice.
            return try proveContents(of: path, rewriting: false)
        } catch .damaged {
            try PageChecksums.tolerated { () throws(StorageError) in try proveContents(of: path, rewriting: true) }
        } catch {
            throw error
        }
    }

    private static func proveContents(of path: String, rewriting: Bool) throws(StorageError) {
        let connection = try storing { () throws(SQLiteError) in try Connection(path, as: .viewWriter) }
        defer { connection.close() }
        guard try storing({ () throws(SQLiteError) in try Migrator.version(of: connection) }) > 0 else { return }
        let result = try storing { () throws(SQLiteError) in try connection.text("PRAGMA integrity_check(1)") ?? "" }
        guard result == "ok" else { throw .damaged(file: path, place: "PRAGMA integrity_check", reason: result) }
        let reader = try TreeReader(connection)
        let state = try reader.state()
        let found = try TreeSummary(reader).hash
        guard state.hash == found else {
            throw .damaged(
                file: path, place: "table nodes",
                reason: "its state hash is \(found.hex), \(state.hash.hex) is stored; \(StorageError.waysOutOfDamage)")
        }
        if let problem = try ChangeValues.problem(reader) {
            throw .damaged(file: path, place: "table change_values", reason: "\(problem); \(StorageError.waysOutOfDamage)")
        }
        if let problem = try reader.problemOfEvents(state) {
            throw .damaged(file: path, place: "table events", reason: "\(problem); \(StorageError.waysOutOfDamage)")
        }
        try storing { () throws(SQLiteError) in
            if rewriting { try connection.execute("VACUUM") }
            try connection.checkpoint(.truncate)
        }
    }

    /// Writes one layer in one transaction, the applied position with it.
    ///
    /// - Returns: the digest of the nodes that were taken out of the layer's hash (`TreeLayer.uncounted`).
    @discardableResult
    package func write(_ layer: TreeLayer) throws(StorageError) -> StateHash {
        Failpoint.pass("tree.write.begin")
        let (nextMembers, nextAccess) = (layer.members ?? members, layer.access ?? access)
        let next = layer.members == nil && layer.access == nil ? checksum : StateChecksum(nextMembers, nextAccess)
        // Nobody else writes, so it is the same before the transaction as in it.
        let counted = try count(layer.uncounted)
        var newState = layer.state
        newState.hash.subtract(counted)
        let held = ChangeValues.Held(layer.events, oldestEvent: layer.oldestEvent)
        do {
            try connection.transaction { () throws(SQLiteError) in
                for path in layer.cleared { try clear(path, held) }
                for change in layer.newest {
                    if let node = change.node { try put(node, at: change.path, held) } else { try remove(change.path, held) }
                }
                for event in layer.events where event.index >= layer.oldestEvent { try put(event, held) }
                if layer.oldestEvent > 0 {
                    try values.trim(before: layer.oldestEvent)
                    try trimEvents.bind(1, Int64(clamping: layer.oldestEvent))
                    try trimEvents.run()
                }
                if let members = layer.members { try put(members) }
                if let access = layer.access { try AccessTables.write(access, into: connection) }
                try put(newState, next)
                Failpoint.pass("tree.write.before-commit")
            }
        } catch {
            connection.rollBack()
            throw StorageError(error)
        }
        Failpoint.pass("tree.write.after-commit")
        (state, checksum, members, access) = (newState, next, nextMembers, nextAccess)
        return counted
    }

    private func count(_ uncounted: [TreeLayer.Uncounted]) throws(StorageError) -> StateHash {
        var hash = StateHash()
        if uncounted.isEmpty { return hash }
        let reader = try TreeReader(connection)
        for one in uncounted {
            try reader.visitSubtree(one.path) { path, node in if one.holds(path) { hash.add(path, node) } }
        }
        return hash
    }

    /// Copies the WAL into the file when enough has gathered, or when `force` asks. Returns true when `durable` moved.
    package func checkpointIfDue(force: Bool = false) throws(StorageError) -> Bool {
        guard backlog.isDue(frames.frames, every: TreeStore.checkpointFrames) || force else { return false }
        Failpoint.pass("tree.checkpoint.begin")
        // Our own readers hold on for moments and are waited for, so that the next commit starts the WAL anew. Whoever was in the way
        // the last time, and still is, is not one of them.
        let result = try storing { () throws(SQLiteError) in
            let first = try connection.checkpoint(.passive)
            let isSameReader = !first.isComplete && first.copied == stuckAt
            return isSameReader ? first : try connection.checkpoint(.restart, patienceMilliseconds: 50)
        }
        stuckAt = result.isComplete ? nil : result.copied
        backlog.tried(at: frames.frames, every: TreeStore.checkpointFrames, isComplete: result.isComplete)
        Failpoint.pass("tree.checkpoint.end")
        guard result.isComplete else { return false }
        durable = state.applied
        return true
    }

    /// What has gathered in the WAL though checkpoints were tried; 0 when nobody is in their way.
    package var bytesHeldUp: Int { backlog.bytesHeldUp(frames.frames) }

    /// Closes it as it is: another file takes its place.
    package func leave() { connection.close() }

    /// What does not fit on a full disk stays in the WAL.
    package func close() throws(StorageError) {
        do {
            try storing { () throws(SQLiteError) in _ = try connection.checkpoint(.truncate, patienceMilliseconds: 200) }
        } catch .diskFull {} catch { throw error }
        connection.close()
    }

    // MARK: Rows

    private func clear(_ path: TreePath, _ held: ChangeValues.Held) throws(SQLiteError) {
        try values.clear(path, held)
        try remove(path, held)
        let (first, end) = TreeReader.parentsBelow(path)
        try deleteSubtree.bind(1, text: path.bytes)
        try deleteSubtree.bind(2, text: first)
        try deleteSubtree.bind(3, text: end)
        try deleteSubtree.run()
    }

    private func remove(_ path: TreePath, _ held: ChangeValues.Held) throws(SQLiteError) {
        guard let slash = path.bytes.lastIndex(of: UInt8(ascii: "/")) else { return }
        let (parent, name) = (path.bytes[..<slash], path.bytes[(slash + 1)...])
        _ = try values.put(nil, parent: parent, name: name, held)
        try delete.bind(1, text: parent)
        try delete.bind(2, text: name)
        try delete.run()
    }

    private func put(_ node: TreeNode, at path: TreePath, _ held: ChangeValues.Held) throws(SQLiteError) {
        guard let slash = path.bytes.lastIndex(of: UInt8(ascii: "/")) else { return }
        let (parent, name) = (path.bytes[..<slash], path.bytes[(slash + 1)...])
        let valueIndex = try values.put(node, parent: parent, name: name, held)
        try upsert.bind(1, text: parent)
        try upsert.bind(2, text: name)
        try upsert.bind(3, node.isDirectory ? 1 : 0)
        try upsert.bind(4, text: valueIndex == nil ? node.value : [])
        try upsert.bind(5, Int64(bitPattern: node.created))
        try upsert.bind(6, Int64(bitPattern: node.modified))
        try upsert.bind(7, node.expiration)
        try upsert.bind(8, valueIndex)
        try upsert.run()
    }

    private func put(_ event: Event, _ held: ChangeValues.Held) throws(SQLiteError) {
        let indexes = try values.put(event, held)
        try insertEvent.bind(1, Int64(bitPattern: event.index))
        try insertEvent.bind(2, Int64(event.action.rawValue))
        try insertEvent.bind(3, text: event.path.bytes)
        try insertEvent.bind(4, event.node.isDirectory ? 1 : 0)
        try insertEvent.bind(5, text: indexes.value == nil ? event.node.value : [])
        try insertEvent.bind(6, Int64(bitPattern: event.node.created))
        try insertEvent.bind(7, event.node.expiration)
        if let previous = event.previous {
            try insertEvent.bind(8, previous.isDirectory ? 1 : 0)
            try insertEvent.bind(9, text: indexes.previous == nil ? previous.value : [])
            try insertEvent.bind(10, Int64(bitPattern: previous.created))
            try insertEvent.bind(11, Int64(bitPattern: previous.modified))
            try insertEvent.bind(12, previous.expiration)
        } else {
            for position in Int32(8)...12 { try insertEvent.bindNull(position) }
        }
        try insertEvent.bind(13, event.time)
        try insertEvent.bind(14, event.isRefresh ? 1 : 0)
        try insertEvent.bind(15, indexes.value)
        try insertEvent.bind(16, indexes.previous)
        try insertEvent.run()
    }

    private func put(_ members: [Member]) throws(SQLiteError) {
        try connection.execute("DELETE FROM members")
        let row = try connection.prepare("INSERT INTO members VALUES (?, ?, ?, ?, ?, ?)")
        for member in members {
            try row.bind(1, text: member.id.description)
            try row.bind(2, text: member.name)
            try row.bind(3, text: member.peerURLs.joined(separator: ","))
            try row.bind(4, text: member.clientURLs.joined(separator: ","))
            try row.bind(5, member.isLearner ? 1 : 0)
            try row.bind(6, member.isRemoved ? 1 : 0)
            try row.run()
        }
    }

    /// Behind everything else that the transaction writes: the checksum speaks of it.
    private func put(_ state: TreeState, _ checksum: StateChecksum) throws(SQLiteError) {
        try saveState.bind(1, Int64(bitPattern: state.applied.index.value))
        try saveState.bind(2, Int64(bitPattern: state.applied.term.value))
        try saveState.bind(3, state.time)
        try saveState.bind(4, Int64(bitPattern: state.keysIndex))
        try saveState.bind(5, text: state.hash.hex)
        try saveState.bind(6, text: state.clusterVersion)
        try saveState.bind(7, Int64(historyEvents))
        let events = try endsOfEvents.step() ? (first: endsOfEvents.integer(0), last: endsOfEvents.integer(1)) : (0, 0)
        endsOfEvents.reset()
        try saveState.bind(8, Int64(checksum.value(state, events: events)))
        try saveState.run()
    }
}
