import Keyspace
import Raft
import Storage

/// Makes a directory with the same identity and the same tree, and without the log that led to it.
package enum Compaction {
    package struct Report: Sendable {
        package let directory: String
        package let state: TreeState
        /// Entries that the source keeps and the new directory does not.
        package let entriesCut: UInt64
        package let bytesBefore: Int
        package let bytesAfter: Int
    }

    /// The tree is brought up to the end of the log first, so nothing acknowledged is lost. Its state hash is counted in the
    /// source and in the copy.
    package static func run(
        _ path: String, into new: String, progress: ProgressReport? = nil
    ) throws(RecoveryError) -> Report {
        let source = try Looking.reader(path)
        let directory = source.directory
        let built = try NewDirectory.build(
            new,
            { (target: DataDirectory) throws(StorageError) in
                let before = try TreeSummary(source.tree) { progress?("reading the tree", UInt64($0), nil) }
                try before.require(source.tree.state(), file: directory.tree)
                let expected = try source.currentTree(progress).state
                if source.hasTree { try TreeCopy.make(of: directory, to: target.tree) }
                let state = try TreeCopy.bringUp(
                    target.tree, with: source.log, upTo: source.tail.position.index, historyEvents: source.historyEvents,
                    progress: progress)
                Failpoint.pass("compact.tree-made")
                // A server that writes on meanwhile has taken its tree further than the log that was looked at.
                guard state == expected || state.applied.index > expected.applied.index else {
                    throw .damaged(
                        file: target.tree, place: "table state, state_hash",
                        reason: "it is \(state.hash.hex), and was \(expected.hash.hex) before")
                }
                let link =
                    state.applied == source.tail.position
                    ? source.tail : ChainLink(position: state.applied, checksum: 0)
                try LogCopy.makeEmpty(
                    from: source.log, behind: link, to: target.log, origin: source.log.identity.origin)
                return state
            }, pass: { Failpoint.pass("compact.before-rename") })
        return Report(
            directory: new, state: built, entriesCut: source.entryCount, bytesBefore: bytes(directory.path),
            bytesAfter: bytes(new))
    }

    private static func bytes(_ path: String) -> Int {
        let directory = DataDirectory(path: path)
        return [directory.log, directory.log + "-wal", directory.tree, directory.tree + "-wal"].reduce(0) {
            $0 + (FileOperations.size($1) ?? 0)
        }
    }
}
