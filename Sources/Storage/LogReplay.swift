import Raft
import Wire

/// Applies entries of a log to a tree outside of a server, through the server's own code.
package enum LogReplay {
    /// Gathered changes are written at one of these; memory stays bounded.
    private static let layerChanges = 20_000
    private static let layerBytes = 16 << 20

    /// Applies what follows the applied position, up to and including `target`, or to the end of the log when that comes first.
    ///
    /// - Parameter store: gets the changes now and then, and at the end; nil keeps all of them in memory.
    package static func run(
        _ log: LogContents, _ applier: EntryApplier, into store: TreeStore? = nil, upTo target: Index,
        progress: ProgressReport? = nil
    ) throws(StorageError) {
        let start = applier.applied.index.value
        guard start < target.value else { return }
        try log.visit(from: log.link(at: applier.applied.index)) { (entry: LogEntry, _: UInt32) throws(StorageError) in
            _ = try applier.apply(entry)
            if let store, applier.gatheredChanges >= layerChanges || applier.gatheredBytes >= layerBytes {
                try applier.flush(to: store)
            }
            if entry.index.value % 10_000 == 0 { progress?("applying the log", entry.index.value - start, target.value - start) }
            return entry.index < target
        }
        if let store { try applier.flush(to: store) }
    }
}
