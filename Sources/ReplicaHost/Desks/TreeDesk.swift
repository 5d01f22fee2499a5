import Raft
import Storage
import Wire

/// What has the loop seen of the tree, and what in it is due?
struct TreeDesk {
    private(set) var applied: LogPosition
    /// The v2 index.
    private(set) var keysIndex: UInt64
    private var earliestExpiration: Int64?
    /// An entry that removes what is due is on its way.
    private var isExpiring = false

    init(_ applier: EntryApplier) {
        applied = applier.applied
        keysIndex = applier.tree.index
        earliestExpiration = applier.earliestExpiration
    }

    mutating func follow(_ batch: AppliedBatch) {
        applied = batch.upTo
        keysIndex = batch.keysIndex
        earliestExpiration = batch.earliestExpiration
    }

    mutating func follow(_ tree: InstalledTree) {
        applied = tree.position
        keysIndex = tree.keysIndex
        earliestExpiration = tree.earliestExpiration
    }

    /// True when something has had its time; not again before that is removed, or the one who led then leads no more.
    ///
    /// - Parameter now: nanoseconds since 1970 UTC.
    mutating func mustExpire(at now: Int64) -> Bool {
        guard !isExpiring, let earliestExpiration, earliestExpiration <= now else { return false }
        isExpiring = true
        return true
    }

    mutating func expired() { isExpiring = false }
}
