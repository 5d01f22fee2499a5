/// A follower as its leader sees it (v2-keys.md §14).
package struct FollowerRecord: Equatable, Sendable {
    package var id: UInt64
    package var successes: UInt64
    package var failures: UInt64
    /// Round trips in milliseconds.
    package var current: Double
    package var average: Double
    package var deviation: Double
    package var minimum: Double
    package var maximum: Double

    package init(id: UInt64) {
        self.id = id
        (successes, failures) = (0, 0)
        (current, average, deviation, minimum, maximum) = (0, 0, 0, 0, 0)
    }
}

/// The counters of `/v2/stats/store` (v2-keys.md §14), in the order they are shown.
package struct StoreStatistics: Equatable, Sendable {
    package struct Pair: Equatable, Sendable {
        package var success: UInt64 = 0
        package var fail: UInt64 = 0

        package init(success: UInt64 = 0, fail: UInt64 = 0) {
            self.success = success
            self.fail = fail
        }
    }

    /// Counted where they were asked, `cached` and `read` alike.
    package var gets = Pair()
    package var sets = Pair()
    package var deletes = Pair()
    package var updates = Pair()
    /// PUT with `prevExist=false`, and POST.
    package var creates = Pair()
    package var compareAndSwaps = Pair()
    package var compareAndDeletes = Pair()
    package var expires: UInt64 = 0
    /// Watchers that wait now.
    package var watchers: UInt64 = 0

    package init() {}
}

/// What the replica counts for `/metrics`; totals since the process started.
package struct ReplicaCounters: Sendable {
    package var leaderChanges: UInt64 = 0
    package var proposalsPending: UInt64 = 0
    package var proposalsFailed: UInt64 = 0
    /// Watches ever asked for.
    package var watchRequests: UInt64 = 0
    /// Durations of commits of `log.db` with their fsync.
    package var logCommits = DurationHistogram()
    /// Durations of commits of `tree.db`.
    package var treeCommits = DurationHistogram()

    package init() {}
}

/// Durations in buckets of 1 ms × 2^0 … 2^13, as etcd's disk histograms have them, and one for all above.
package struct DurationHistogram: Equatable, Sendable {
    package static let bucketCount = 14

    /// How many fell into each bucket, not cumulative; the last one is "longer than all".
    package private(set) var counts = [UInt64](repeating: 0, count: bucketCount + 1)
    package private(set) var sumNanoseconds: UInt64 = 0

    package init() {}

    package mutating func record(nanoseconds: UInt64) {
        var bucket = 0
        var bound: UInt64 = 1_000_000
        while bucket < Self.bucketCount, nanoseconds > bound {
            bucket += 1
            bound *= 2
        }
        counts[bucket] += 1
        sumNanoseconds &+= nanoseconds
    }
}
