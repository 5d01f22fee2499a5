import Raft
import SQLite
import Wire

extension BackupFile {
    /// What a restored directory is to be.
    package struct Restoration: Sendable {
        package var identity: Identity
        /// The one member of the new cluster.
        package var member: Member
        /// Added to the v2 index, so that it lies above all that clients of the old cluster may have seen.
        package var indexesSkipped: UInt64

        package init(identity: Identity, member: Member, indexesSkipped: UInt64 = 0) {
            self.identity = identity
            self.member = member
            self.indexesSkipped = indexesSkipped
        }
    }

    /// Makes the two files of a member from a verified backup, in a directory that holds none yet.
    ///
    /// The key tree, its v2 index and the log's index and term go on from the backup. The history of events is dropped, so that
    /// a watcher of the old cluster is told that its index is cleared instead of waiting for what will never come.
    package static func restore(
        _ file: String, into directory: DataDirectory, as restoration: Restoration
    ) throws(StorageError) -> BackupManifest {
        try FileOperations.requireFile(file, followLinks: true)
        try FileOperations.copy(file, to: directory.tree)
        // The copy is verified, not the original, which somebody may be writing to.
        let manifest = try naming(file, insteadOf: directory.tree) { () throws(StorageError) in try verify(directory.tree) }
        Failpoint.pass("restore.copied")
        let (keysIndex, isTooHigh) = manifest.keysIndex.addingReportingOverflow(restoration.indexesSkipped)
        // The index is stored in 63 bits, and there must be room to go on.
        guard !isTooHigh, keysIndex < UInt64(Int64.max) / 2, manifest.applied.index.value < UInt64(Int64.max) / 2,
            manifest.applied.term.value < UInt64(Int64.max) / 2
        else { throw .refused("\(file): the index would be too high to go on from (\(manifest.keysIndex))") }
        // What it speaks of is changed here; the first layer writes it anew.
        let checksum = manifest.schema < TreeReader.checksumSchema ? "" : ", checksum = NULL"
        try storing { () throws(SQLiteError) in
            let tree = try Connection(directory.tree, as: .scratch)
            defer { tree.close() }
            try tree.transaction { () throws(SQLiteError) in
                for table in ["events", "members"] { try tree.execute("DELETE FROM \(table)") }
                if manifest.schema >= ChangeValues.schema { try ChangeValues.keepNodes(tree) }
                try tree.execute("DROP TABLE backup")
                try tree.execute("UPDATE state SET keys_index = \(keysIndex)\(checksum)")
            }
        }
        let store = try TreeStore(directory.tree, historyEvents: TreeReader.historyEventsDefault)
        var layer = TreeLayer()
        layer.members = [restoration.member]
        layer.state = store.state
        try store.write(layer)
        try store.close()
        let start = ChainLink(position: manifest.applied, checksum: 0)
        try LogStore.create(
            directory.log, identity: restoration.identity,
            hardState: HardState(term: manifest.applied.term, commit: manifest.applied.index),
            start: manifest.applied == .origin ? .origin : start)
        return manifest
    }

    private static func naming<Value>(
        _ file: String, insteadOf copy: String, _ body: () throws(StorageError) -> Value
    ) throws(StorageError) -> Value {
        do { return try body() } catch .damaged(let damaged, let place, let reason) {
            throw .damaged(file: damaged == copy ? file : damaged, place: place, reason: reason)
        } catch .refused(let text) {
            throw .refused(text.hasPrefix(copy) ? file + text.dropFirst(copy.count) : text)
        }
    }
}
