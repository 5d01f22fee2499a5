import Keyspace
import Raft
import Storage

/// Makes the tree of a directory once more from its log, in a new directory with the same identity.
package struct Replay: Sendable {
    /// The oldest state that the log reaches.
    package enum Start: Equatable, Sendable {
        /// The log has everything from its first entry.
        case empty
        /// The log was cut, so the stored tree is taken as it is and proven, and only what follows it is applied.
        case storedTree(Index)
    }

    package struct Report: Sendable {
        package let directory: String
        package let start: Start
        /// How many entries were applied.
        package let replayed: UInt64
        package let state: TreeState
        /// The stored tree of the source was reached on the way and is the same. Nil: it was not reached, or there is none.
        package let isSameAsSource: Bool?
    }

    /// The last entry to apply; nil: all.
    package var to: UInt64?

    package init(to: UInt64? = nil) { self.to = to }

    package func run(
        _ path: String, into new: String, progress: ProgressReport? = nil
    ) throws(RecoveryError) -> Report {
        let directory = try Looking.directory(path)
        return try NewDirectory.build(
            new,
            { (target: DataDirectory) throws(StorageError) in
                try build(directory, target, new, progress)
            }, pass: { Failpoint.pass("replay.before-rename") })
    }

    private func build(
        _ source: DataDirectory, _ target: DataDirectory, _ new: String, _ progress: ProgressReport?
    ) throws(StorageError) -> Report {
        let log = try DirectoryReader.logOnly(source)
        let tail = try log.verifiedTail(rows: 1).position.index
        let end = try lastEntry(log, tail)
        let outcome =
            log.cut == .origin
            ? try fromEmpty(source, log, end, target, progress)
            : try fromStoredTree(source, log, end, target, progress)
        Failpoint.pass("replay.tree-made")
        try LogCopy.make(
            of: log, upTo: end, to: target.log, origin: "\(log.identity.origin); replayed up to \(end)", progress: progress)
        return Report(
            directory: new, start: outcome.start, replayed: outcome.replayed, state: outcome.state,
            isSameAsSource: outcome.isSame)
    }

    private func lastEntry(_ log: LogContents, _ tail: Index) throws(StorageError) -> Index {
        guard let to else { return tail }
        guard to <= tail.value else { throw .refused("--to \(to): the log ends at \(tail)") }
        guard to >= log.cut.position.index.value else {
            throw .refused("--to \(to): the log begins behind \(log.cut.position.index); restore a backup from that time instead")
        }
        return Index(to)
    }

    private typealias Outcome = (start: Start, replayed: UInt64, state: TreeState, isSame: Bool?)

    private func fromEmpty(
        _ source: DataDirectory, _ log: LogContents, _ end: Index, _ target: DataDirectory, _ progress: ProgressReport?
    ) throws(StorageError) -> Outcome {
        // A tree that cannot be read is no reason to stop: this is how to get a new one.
        let stored = try? DirectoryReader.storedState(source)
        let historyEvents = stored?.historyEvents ?? TreeReader.historyEventsDefault
        let store = try TreeStore(target.tree, historyEvents: historyEvents)
        let applier = try EntryApplier(file: store.reader(), historyEvents: historyEvents)
        var isSame: Bool?
        if let stored, stored.state.applied.index <= end {
            try LogReplay.run(log, applier, into: store, upTo: stored.state.applied.index, progress: progress)
            guard store.state == stored.state else {
                throw .damaged(
                    file: source.tree, place: "table state",
                    reason: "its state hash is \(stored.state.hash.hex) at entry \(stored.state.applied.index), the log comes to "
                        + "\(store.state.hash.hex) at \(store.state.applied.index); move the file away to replay without it")
            }
            isSame = true
        }
        try LogReplay.run(log, applier, into: store, upTo: end, progress: progress)
        let summary = try TreeSummary(store.reader()) { progress?("proving the tree", UInt64($0), nil) }
        try summary.require(store.state, file: target.tree)
        let state = store.state
        try store.close()
        return (.empty, end.value, state, isSame)
    }

    private func fromStoredTree(
        _ source: DataDirectory, _ log: LogContents, _ end: Index, _ target: DataDirectory, _ progress: ProgressReport?
    ) throws(StorageError) -> Outcome {
        try TreeCopy.make(of: source, to: target.tree)
        let reader = try TreeReader(path: target.tree, as: .reader)
        let (start, historyEvents) = (try reader.state(), try reader.historyEvents())
        guard start.applied.index <= end else {
            throw .refused(
                "the log was cut behind \(log.cut.position.index), so the oldest state it reaches is that of the stored tree, "
                    + "entry \(start.applied.index); \(end) lies before that: restore a backup from that time instead")
        }
        try log.requireReach(of: start, file: source.tree)
        let state = try TreeCopy.bringUp(
            target.tree, with: log, upTo: end, historyEvents: historyEvents, progress: progress)
        return (.storedTree(start.applied.index), end.value - start.applied.index.value, state, true)
    }
}
