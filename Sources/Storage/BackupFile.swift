import Keyspace
import Raft
import SQLite
import Wire

/// What a backup says of itself, in its table `backup`.
package struct BackupManifest: Equatable, Sendable {
    package var member: MemberID
    package var cluster: MemberID
    package var applied: LogPosition
    package var keysIndex: UInt64
    /// Time of the newest entry in it, nanoseconds since 1970 UTC.
    package var time: Int64
    package var schema: Int
    package var nodes: Int
    package var stateHash: String
    /// UTC text.
    package var created: String
}

/// A backup: one SQLite file with the tables of `tree.db` and a table `backup` that says where it comes from.
package enum BackupFile {
    /// Copies the tree as one reader sees it, writes the manifest, verifies all of it, and only then gives the file its name.
    ///
    /// Works beside a running server: the copy is a read transaction, writers go on.
    ///
    /// - Parameters:
    ///   - lock: held while the tree is copied, not while the copy is verified.
    ///   - abandonment: ends the work early, which throws.
    package static func make(
        tree: String, identity: Identity, to path: String, lock: TreeFileLock = TreeFileLock(),
        abandonment: Abandonment = Abandonment()
    ) throws(StorageError) -> BackupManifest {
        try write(to: path, identity: identity, abandonment) { (partial: String) throws(StorageError) in
            try TreeCopy.make(beside: tree, to: partial, lock: lock, abandonment: abandonment)
        }
    }

    /// The same for a directory without a server: the copy gets the end of the log as well, so nothing acknowledged is missing.
    package static func make(
        of directory: DataDirectory, to path: String, progress: ProgressReport?
    ) throws(StorageError) -> BackupManifest {
        let reader = try DirectoryReader(directory)
        return try write(to: path, identity: reader.log.identity) { (partial: String) throws(StorageError) in
            if reader.hasTree { try TreeCopy.make(of: directory, to: partial) }
            _ = try TreeCopy.bringUp(
                partial, with: reader.log, upTo: reader.tail.position.index, historyEvents: reader.historyEvents,
                progress: progress)
        }
    }

    private static func write(
        to path: String, identity: Identity, _ abandonment: Abandonment = Abandonment(), _ makeCopy: (String) throws(StorageError) -> Void
    ) throws(StorageError) -> BackupManifest {
        guard FileOperations.kind(path) == nil else { throw .refused("\(path) exists; choose another name") }
        let partial = path + ".partial"
        try FileOperations.remove(partial)
        do {
            try makeCopy(partial)
            Failpoint.pass("backup.copied")
            try writeManifest(partial, identity)
            return try accept(partial, as: path, abandonment)
        } catch {
            for suffix in ["", "-wal", "-shm"] { try? FileOperations.remove(partial + suffix) }
            throw error
        }
    }

    /// Verifies a finished file and gives it its name.
    package static func accept(
        _ partial: String, as path: String, _ abandonment: Abandonment = Abandonment()
    ) throws(StorageError) -> BackupManifest {
        let manifest = try verify(partial, abandonment)
        try FileOperations.synchronize(partial)
        Failpoint.pass("backup.before-rename")
        try FileOperations.renameIfFree(partial, to: path)
        return manifest
    }

    private static let manifestSQL =
        """
        CREATE TABLE backup(
            only INTEGER PRIMARY KEY CHECK (only = 1), member_id TEXT NOT NULL, cluster_id TEXT NOT NULL,
            applied_index INTEGER NOT NULL, applied_term INTEGER NOT NULL, keys_index INTEGER NOT NULL,
            time INTEGER NOT NULL, schema INTEGER NOT NULL, nodes INTEGER NOT NULL, state_hash TEXT NOT NULL,
            created TEXT NOT NULL) STRICT
        """

    private static func writeManifest(_ path: String, _ identity: Identity) throws(StorageError) {
        try storing { () throws(SQLiteError) in
            let file = try Connection(path, as: .scratch)
            defer { file.close() }
            try file.execute(manifestSQL)
            let row = try file.prepare(
                """
                INSERT INTO backup SELECT 1, ?, ?, applied_index, applied_term, keys_index, applied_time,
                    (SELECT max(number) FROM schema_migrations), (SELECT count(*) FROM nodes), state_hash, datetime('now')
                FROM state
                """)
            try row.bind(1, text: identity.member.description)
            try row.bind(2, text: identity.cluster.description)
            try row.run()
        }
    }

    /// Reads the manifest and proves that the file holds what it says: SQLite's structure, schema, state hash.
    package static func verify(_ path: String, _ abandonment: Abandonment = Abandonment()) throws(StorageError) -> BackupManifest {
        try FileOperations.requireFile(path, followLinks: true)
        guard let connection = try ManifestedTree.open(path, manifest: "backup", madeBy: manifestSQL, abandonment) else {
            throw .refused("\(path) is not a backup of etclite: it has no table backup, or another one")
        }
        defer { connection.close() }
        let manifest = try readManifest(connection)
        try ManifestedTree.prove(connection) { found in
            [
                ("backup.applied_index", "\(manifest.applied.index)", "\(found.state.applied.index)"),
                ("backup.applied_term", "\(manifest.applied.term)", "\(found.state.applied.term)"),
                ("backup.keys_index", "\(manifest.keysIndex)", "\(found.state.keysIndex)"),
                ("backup.time", "\(manifest.time)", "\(found.state.time)"),
                ("backup.schema", "\(manifest.schema)", "\(found.schema)"),
                ("backup.nodes", "\(manifest.nodes)", "\(found.nodes.nodes)"),
                ("backup.state_hash", manifest.stateHash, found.nodes.hash.hex),
            ]
        }
        return manifest
    }

    private static func readManifest(_ connection: Connection) throws(StorageError) -> BackupManifest {
        let row = try storing { () throws(SQLiteError) in
            try connection.prepare(
                """
                SELECT member_id, cluster_id, applied_index, applied_term, keys_index, time, schema, nodes, state_hash, created
                FROM backup
                """)
        }
        defer { row.reset() }
        guard try storing({ () throws(SQLiteError) in try row.step() }), let member = MemberID(hex: row.text(0)),
            let cluster = MemberID(hex: row.text(1)), row.integer(2) >= 0, row.integer(3) >= 0, row.integer(4) >= 0
        else { throw .damaged(file: connection.path, place: "table backup", reason: "it is empty, or a value is out of range") }
        return BackupManifest(
            member: member, cluster: cluster,
            applied: LogPosition(index: Index(UInt64(row.integer(2))), term: Term(UInt64(row.integer(3)))),
            keysIndex: UInt64(row.integer(4)), time: row.integer(5), schema: Int(clamping: row.integer(6)),
            nodes: Int(clamping: row.integer(7)), stateHash: row.text(8), created: row.text(9))
    }
}

/// All nodes of a tree, counted and hashed anew, with the invariants of a tree checked on the way.
package struct TreeSummary {
    package private(set) var nodes = 0
    package private(set) var directories = 0
    package private(set) var expiring = 0
    package private(set) var valueBytes = 0
    package private(set) var hash = StateHash()
    /// Nodes whose parent is missing or a file; at most the first hundred.
    package private(set) var orphans: [TreePath] = []

    /// `progress` is called now and then with the number of nodes so far.
    package init(_ reader: TreeReader, progress: ((Int) -> Void)? = nil) throws(StorageError) {
        var summary = (nodes: 0, directories: 0, expiring: 0, bytes: 0, hash: StateHash(), orphans: [TreePath]())
        var lastParent: TreePath?
        try reader.allNodes { (path: TreePath, node: TreeNode) throws(StorageError) in
            summary.nodes += 1
            summary.directories += node.isDirectory ? 1 : 0
            summary.expiring += node.expiration == nil ? 0 : 1
            summary.bytes += node.value.count
            summary.hash.add(path, node)
            if let parent = path.parent, parent != lastParent {
                lastParent = parent
                if !parent.isRoot, try reader.node(at: parent)?.isDirectory != true, summary.orphans.count < 100 {
                    summary.orphans.append(path)
                }
            }
            if summary.nodes % 50_000 == 0 { progress?(summary.nodes) }
            return true
        }
        (nodes, directories, expiring, valueBytes, hash, orphans) = summary
    }
}
