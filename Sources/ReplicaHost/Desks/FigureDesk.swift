import Keyspace
import Raft
import Storage

/// What happened how often?
struct FigureDesk {
    /// Of `/v2/stats/store`.
    private(set) var store = StoreStatistics()
    /// Of `/metrics`.
    var counters = ReplicaCounters()
    /// Sent to and received from whom; of those that are members no more as well, while this process runs.
    var snapshots: [MemberID: PeerRecord.Snapshots] = [:]
    /// Since when one is coming from whom, in steady nanoseconds.
    private var arriving: [MemberID: Int64] = [:]

    /// - Parameter nanoseconds: for all `entries` together.
    mutating func applied(_ entries: Int, nanoseconds: UInt64) {
        guard entries > 0 else { return }
        let each = nanoseconds / UInt64(entries)
        counters.applies.record(nanoseconds: each, times: UInt64(entries))
        if each > Self.slowNanoseconds { counters.slowApplies += UInt64(entries) }
    }

    mutating func sentSnapshot(to member: MemberID, nanoseconds: UInt64, succeeded: Bool) {
        var figures = snapshots[member] ?? PeerRecord.Snapshots()
        figures.sending -= min(figures.sending, 1)
        if succeeded { figures.sent += 1 } else { figures.sendFailures += 1 }
        if succeeded { figures.sendDurations.record(nanoseconds: nanoseconds) }
        snapshots[member] = figures
    }

    mutating func startsToReceive(from member: MemberID, at now: Int64) {
        arriving[member] = now
        snapshots[member, default: PeerRecord.Snapshots()].receiving = 1
    }

    /// It is verified, or it is not what was announced, or the rest never came. Of one that was not let in there is nothing to count.
    mutating func received(from member: MemberID, at now: Int64, succeeded: Bool) {
        guard let start = arriving.removeValue(forKey: member) else { return }
        var figures = snapshots[member] ?? PeerRecord.Snapshots()
        figures.receiving = 0
        if succeeded { figures.received += 1 } else { figures.receiveFailures += 1 }
        if succeeded { figures.receiveDurations.record(nanoseconds: UInt64(max(0, now - start))) }
        snapshots[member] = figures
    }

    /// As etcd has it.
    private static let slowNanoseconds: UInt64 = 100_000_000

    /// The cache or the tree had it.
    mutating func found() { store.gets.success += 1 }

    mutating func count(_ result: ReadResult) {
        switch result.outcome {
        case .found, .listed: store.gets.success += 1
        case .refused: store.gets.fail += 1
        case .unavailable: break
        }
    }

    mutating func count(expired: Int) { store.expires += UInt64(expired) }

    /// Changes are counted wherever they are applied, whoever asked for them (v2-keys.md §14).
    mutating func count(_ operation: Command.Operation, _ outcome: AppliedOutcome) {
        let counter: WritableKeyPath<StoreStatistics, StoreStatistics.Pair>
        switch operation {
        case .set: counter = \.sets
        case .create, .createInOrder: counter = \.creates
        case .update: counter = \.updates
        case .compareAndSwap: counter = \.compareAndSwaps
        case .delete: counter = \.deletes
        case .compareAndDelete: counter = \.compareAndDeletes
        case .expire: return
        }
        if case .refused = outcome {
            store[keyPath: counter].fail += 1
        } else {
            store[keyPath: counter].success += 1
        }
    }
}
