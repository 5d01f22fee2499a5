import Keyspace
import Raft
import SQLite
import Wire

/// What a snapshot says of itself, in its table `snapshot`, and what was found in it.
package struct SnapshotManifest: Equatable, Sendable {
    package var cluster: MemberID
    /// The last entry that the tree has applied, and what the chain of the log had come to with it. The receiver's log goes on from
    /// there, so all members' entries have the same checksums, whoever got them how.
    package var link: ChainLink
    package var schema: Int
    package var nodes: Int
    package var stateHash: String
    /// As of `link`; out of the table `members`.
    package var configuration: Configuration
    /// UTC text.
    package var created: String

    package var position: LogPosition { link.position }
}

/// A copy of the tree for a peer that needs entries which are no longer in the log: one SQLite file with the tables of `tree.db` and a
/// table `snapshot`. It says nothing of the member that made it.
package enum SnapshotFile {
    /// Copies the tree as one reader sees it, beside the threads that write both files.
    ///
    /// The log must not be cut behind the tree meanwhile (`ReplicaMachine` waits with it while a snapshot is on its way): the checksum
    /// of the copy's position is read from there. If it is gone, this throws `refused`, and there is nothing but to try again.
    ///
    /// - Parameters:
    ///   - path: of the new file; what an earlier attempt left there is replaced.
    ///   - lock: held while the tree is copied, and no longer.
    ///   - abandonment: ends the work early, which throws.
    package static func make(
        tree: String, log: String, cluster: MemberID, to path: String, lock: TreeFileLock = TreeFileLock(),
        abandonment: Abandonment = Abandonment()
    ) throws(StorageError) -> SnapshotManifest {
        for suffix in suffixes { try FileOperations.remove(path + suffix) }
        do {
            try TreeCopy.make(beside: tree, to: path, lock: lock, abandonment: abandonment)
            Failpoint.pass("snapshot.copied")
            try writeManifest(path, log: log, cluster: cluster)
            try FileOperations.synchronize(path)
            let connection = try storing { () throws(SQLiteError) in try Connection(path, as: .immutable) }
            defer { connection.close() }
            return try readManifest(connection)
        } catch {
            for suffix in suffixes { try? FileOperations.remove(path + suffix) }
            throw error
        }
    }

    static let suffixes = ["", "-wal", "-shm", "-journal"]

    private static let manifestSQL =
        """
        CREATE TABLE snapshot(
            only INTEGER PRIMARY KEY CHECK (only = 1), cluster_id TEXT NOT NULL, "index" INTEGER NOT NULL,
            term INTEGER NOT NULL, checksum INTEGER NOT NULL, schema INTEGER NOT NULL, nodes INTEGER NOT NULL,
            state_hash TEXT NOT NULL, created TEXT NOT NULL) STRICT
        """

    private static func writeManifest(_ path: String, log: String, cluster: MemberID) throws(StorageError) {
        let file = try storing { () throws(SQLiteError) in try Connection(path, as: .scratch) }
        defer { file.close() }
        let applied = try TreeReader(file).state().applied
        let reader = try LogReader(log)
        defer { reader.close() }
        guard let link = try reader.link(at: applied.index) else {
            throw .refused("the log was cut beyond entry \(applied.index) while the tree was copied; the copy is useless")
        }
        guard link.position == applied else {
            throw .damaged(
                file: tree(of: path), place: "table state, applied_term",
                reason: "entry \(applied.index) is of term \(link.position.term) in the log and of term \(applied.term) here")
        }
        try storing { () throws(SQLiteError) in
            try file.execute(manifestSQL)
            let row = try file.prepare(
                """
                INSERT INTO snapshot SELECT 1, ?, applied_index, applied_term, ?,
                    (SELECT max(number) FROM schema_migrations), (SELECT count(*) FROM nodes), state_hash, datetime('now')
                FROM state
                """)
            try row.bind(1, text: cluster.description)
            try row.bind(2, Int64(link.checksum))
            try row.run()
        }
    }

    private static func tree(of path: String) -> String { "\(path), a copy of tree.db" }

    /// Proves that a received file holds what it says, and that it is of this cluster: SQLite's structure, schema, every node, state
    /// hash, members. Nothing of it has run or been believed before.
    package static func verify(_ path: String, cluster: MemberID) throws(StorageError) -> SnapshotManifest {
        try FileOperations.requireFile(path, followLinks: false)
        guard let connection = try ManifestedTree.open(path, manifest: "snapshot", madeBy: manifestSQL) else {
            throw .damaged(file: path, place: "the schema", reason: "it has no table snapshot, or another one")
        }
        defer { connection.close() }
        let manifest = try readManifest(connection)
        guard manifest.cluster == cluster else {
            throw .refused("\(path) is a snapshot of cluster \(manifest.cluster), not of \(cluster)")
        }
        try ManifestedTree.prove(connection) { found in
            [
                ("snapshot.index", "\(manifest.position.index)", "\(found.state.applied.index)"),
                ("snapshot.term", "\(manifest.position.term)", "\(found.state.applied.term)"),
                ("snapshot.schema", "\(manifest.schema)", "\(found.schema)"),
                ("snapshot.nodes", "\(manifest.nodes)", "\(found.nodes.nodes)"),
                ("snapshot.state_hash", manifest.stateHash, found.nodes.hash.hex),
            ]
        }
        return manifest
    }

    private static func readManifest(_ connection: Connection) throws(StorageError) -> SnapshotManifest {
        let row = try storing { () throws(SQLiteError) in
            try connection.prepare(
                "SELECT cluster_id, \"index\", term, checksum, schema, nodes, state_hash, created FROM snapshot")
        }
        defer { row.reset() }
        // Half of the range of the log's numbers is room enough to go on.
        let numbers = Int64(0)...(.max / 2)
        guard try storing({ () throws(SQLiteError) in try row.step() }), let cluster = MemberID(hex: row.text(0)),
            numbers.contains(row.integer(1)), numbers.contains(row.integer(2)), let checksum = UInt32(exactly: row.integer(3))
        else { throw .damaged(file: connection.path, place: "table snapshot", reason: "it is empty, or a value is out of range") }
        let position = LogPosition(index: Index(UInt64(row.integer(1))), term: Term(UInt64(row.integer(2))))
        return SnapshotManifest(
            cluster: cluster, link: ChainLink(position: position, checksum: checksum), schema: Int(clamping: row.integer(4)),
            nodes: Int(clamping: row.integer(5)), stateHash: row.text(6),
            configuration: try TreeReader(connection).configuration(), created: row.text(7))
    }
}
