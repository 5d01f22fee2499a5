import PeerTransport

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
    /// Quorum reads that no majority confirmed in time.
    package var readsFailed: UInt64 = 0
    /// Turns of a leader's heartbeats that came more than a heartbeat late.
    package var lateHeartbeats: UInt64 = 0
    /// Watches ever asked for.
    package var watchRequests: UInt64 = 0
    /// Payloads that were written to the log.
    package var logBytesWritten: UInt64 = 0
    /// Durations of commits of `log.db` with their fsync.
    package var logCommits = DurationFigures.disk
    /// Durations of commits of `tree.db`.
    package var treeCommits = DurationFigures.disk
    /// What applying an entry takes; of entries that are applied at one go, what each takes on average.
    package var applies = DurationFigures.apply
    /// Entries that took more than 100 ms, or belonged to a batch that did on average.
    package var slowApplies: UInt64 = 0
    /// Durations of copies of the tree's file, for backups and snapshots.
    package var copies = DurationFigures.copy
    /// A snapshot is being put in place of the tree.
    package var isInstalling = false
    /// Of `tree.db`.
    package var treeBytes: UInt64 = 0

    package init() {}
}

/// Named here for doors, which know nothing of how members talk.
package typealias DurationFigures = DurationHistogram

/// Another member, as this one's connections show it; totals since the process started.
package struct PeerRecord: Sendable {
    package struct Snapshots: Sendable {
        package var sending: UInt64 = 0
        package var sent: UInt64 = 0
        package var sendFailures: UInt64 = 0
        package var sendDurations = DurationFigures.transfer
        package var receiving: UInt64 = 0
        package var received: UInt64 = 0
        package var receiveFailures: UInt64 = 0
        /// From the first byte until it is verified.
        package var receiveDurations = DurationFigures.transfer

        package init() {}
    }

    package var id: UInt64
    package var isConnected = false
    package var disconnects: UInt64 = 0
    package var bytesSent: UInt64 = 0
    package var bytesReceived: UInt64 = 0
    /// Messages that could not be sent.
    package var sendFailures: UInt64 = 0
    package var roundTrips = DurationFigures.roundTrip
    package var snapshots = Snapshots()

    package init(id: UInt64) { self.id = id }
}
