import Keyspace
import Storage

extension StoreStatistics {
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
            self[keyPath: counter].fail += 1
        } else {
            self[keyPath: counter].success += 1
        }
    }
}
