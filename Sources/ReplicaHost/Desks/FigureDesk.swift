import Keyspace
import Storage

/// What happened how often?
struct FigureDesk {
    /// Of `/v2/stats/store`.
    private(set) var store = StoreStatistics()
    /// Of `/metrics`.
    var counters = ReplicaCounters()

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
