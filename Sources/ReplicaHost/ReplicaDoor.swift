import Keyspace
import NIOCore

/// What a door (the client API, the peer port) may ask of the replica.
///
/// Confined to the replica's event loop: every call is made on it, and every answer comes on it, either before the
/// call returns or later, exactly once.
package protocol ReplicaDoor: AnyObject {
    var status: ReplicaStatus { get }

    /// Puts a change into the log and answers when it is applied here.
    ///
    /// - Parameter client: The client's address as text bytes, kept in the log entry.
    /// - Returns: What `withdraw` takes.
    @discardableResult
    func propose(_ command: Command, client: [UInt8], answer: @escaping (ProposalResult) -> Void) -> RequestToken

    /// What the loop already knows about `path` without asking another thread, at index `status.keysIndex`; nil when
    /// it must be `read`.
    func cached(_ path: TreePath, recursive: Bool) -> CachedReading?

    /// Reads from the tree; with `quorum` only after a majority has confirmed that nothing newer is committed.
    @discardableResult
    func read(_ path: TreePath, recursive: Bool, quorum: Bool, answer: @escaping (ReadResult) -> Void) -> RequestToken

    /// Whoever asked is gone: there will be no answer. A change that is not in the log yet, and was not given to another member, is not
    /// made; any other may still happen, as with every request whose client leaves. Nothing happens when it was answered already.
    func withdraw(_ token: RequestToken)

    /// Keeps an encoded listing for `cached` until something below `path` changes.
    ///
    /// Call it only inside the `answer` of the `read` it was made from, and only for listings in which nothing has a
    /// TTL: a shown TTL changes by itself.
    func keep(_ body: ByteBuffer, path: TreePath, recursive: Bool)

    /// Registers a watcher. The sink gets `started`, `cleared` or `unavailable` first, then events.
    ///
    /// - Parameter since: The `waitIndex`; zero when not given.
    /// - Returns: What `cancel` takes. A watcher that is done (one-shot after its event, cleared) needs no cancel.
    func watch(
        _ path: TreePath, recursive: Bool, isStream: Bool, since: UInt64, sink: any WatchSink
    ) -> WatchToken

    /// Forgets the watcher; nothing happens when it is gone already.
    func cancel(_ token: WatchToken)

    /// All members of the cluster, ordered by id.
    var members: [MemberRecord] { get }

    /// Changes who is a member, and answers when the change is applied here (cluster.md §5, §6).
    func change(_ change: MemberChange, answer: @escaping (MemberChangeResult) -> Void)

    /// What is known of the connections with the others; nil while this member does not lead.
    var followers: [FollowerRecord]? { get }
    var appendCounts: (received: UInt64, sent: UInt64) { get }
    var storeStatistics: StoreStatistics { get }
    var counters: ReplicaCounters { get }

    /// Makes a hot backup: a finished and verified copy in a file of its own, for the caller to stream. The caller
    /// calls `done` of the copy when it needs the file no more, whatever happened.
    func backup(answer: @escaping (Result<BackupCopy, Unavailable>) -> Void)
}

/// Where the replica stands, at the moment it was asked.
package struct ReplicaStatus: Sendable {
    package var memberID: UInt64 = 0
    package var clusterID: UInt64 = 0
    package var name = ""
    /// Zero while no leader is known.
    package var leader: UInt64 = 0
    /// Nanoseconds since 1970 UTC; when `leader` became known as leader.
    package var leaderSince: Int64 = 0
    /// Nanoseconds since 1970 UTC; when this process started.
    package var startTime: Int64 = 0
    package var term: UInt64 = 0
    package var commitIndex: UInt64 = 0
    package var appliedIndex: UInt64 = 0
    /// The v2 index (v2-keys.md §7).
    package var keysIndex: UInt64 = 0
    package var isLeader = false
    /// The disk has refused a write that waits for room; others are refused meanwhile.
    package var isDiskFull = false
    /// `3.4.0`; empty until the cluster has agreed on one.
    package var clusterVersion = ""
    /// The replica's wall clock, nanoseconds since 1970 UTC, protected against steps: what TTLs are counted from.
    package var now: Int64 = 0
    package var electionTimeoutMilliseconds: UInt64 = 1000

    package init() {}
}

/// True now, maybe not later; never written to the log. Clients see error 300 with a text of its own (v2-keys.md §6).
package enum Unavailable: Error, Equatable, Sendable {
    case timedOut
    /// The leader was lost while the request waited; it may still happen.
    case timedOutLeaderLost
    /// The connection to the leader was lost while the request waited; it may still happen.
    case timedOutConnectionLost
    /// No leader was known at all.
    case noLeader
    case stopped
    case diskFull
    /// More waits than the replica is willing to hold.
    case overloaded
}

package enum ProposalResult: Sendable {
    case applied(Event)
    /// With the v2 index at which the tree refused.
    case refused(Refusal, index: UInt64)
    case unavailable(Unavailable)
}

/// An answer the loop can give by itself.
package enum CachedReading: Sendable {
    case file(TreeNode)
    /// A whole answer body, as it was given to `keep`.
    case listing(ByteBuffer)
    case refused(Refusal)
}

package struct ReadResult: Sendable {
    package enum Outcome: Sendable {
        case found(Reading)
        case refused(Refusal)
        case unavailable(Unavailable)
    }

    package var outcome: Outcome
    /// The v2 index the tree had when it was read; zero when it was not.
    package var index: UInt64

    package init(_ outcome: Outcome, index: UInt64) {
        self.outcome = outcome
        self.index = index
    }
}

/// Names what was proposed or is read, until it is answered.
package enum RequestToken: Hashable, Sendable {
    /// It was, before the call returned.
    case answered
    case proposal(UInt64)
    case read(UInt64)
}

/// Names a registered watcher.
package struct WatchToken: Hashable, Sendable {
    package let number: UInt64

    package init(_ number: UInt64) { self.number = number }
}

/// Who gets the events of one watcher; called on the replica's loop only.
///
/// A one-shot watch gets one `push` and is forgotten by the hub; so does a stream whose first event was found in the
/// history (v2-keys.md §13, The past).
package protocol WatchSink: AnyObject {
    /// Registered, or found in the history; `index` is the v2 index at that moment.
    func started(index: UInt64)
    /// The history no longer reaches back to the `waitIndex`; the end of this watch.
    func cleared(oldest: UInt64, index: UInt64)
    /// One event; `twice` when a stream must get it two times (v2-keys.md §13, Streams). One-shot watches ignore it.
    func push(_ event: SharedEvent, twice: Bool)
    /// The last `push` of a burst is done: time to flush.
    func flushEvents()
    /// The server stops; the end of this watch.
    func ended()
    /// The watch could not be started (a failed look into the history, say); the end of this watch.
    func unavailable(_ reason: Unavailable)
}

/// An event on its way to any number of watchers, encoded by the first that needs it. Confined to the replica's loop.
package final class SharedEvent {
    package let event: Event
    /// What the client API made of it; nobody else looks inside.
    package var encoded: ByteBuffer?

    package init(_ event: Event) { self.event = event }
}

package struct MemberRecord: Equatable, Sendable {
    package var id: UInt64
    /// Empty for a member that has not started yet.
    package var name: String
    package var peerURLs: [String]
    package var clientURLs: [String]
    package var isLearner: Bool

    package init(id: UInt64, name: String, peerURLs: [String], clientURLs: [String], isLearner: Bool = false) {
        self.id = id
        self.name = name
        self.peerURLs = peerURLs
        self.clientURLs = clientURLs
        self.isLearner = isLearner
    }
}

package enum MemberChange: Sendable {
    /// `isStarting`: the member itself asks, and starts when it is added.
    case add(peerURLs: [String], isStarting: Bool)
    case remove(UInt64)
    case update(UInt64, peerURLs: [String])
}

package enum MemberChangeResult: Sendable {
    /// With the new member, when one was added.
    case done(MemberRecord?)
    case idExists
    case urlExists
    case unknown
    /// It was a member once.
    case removed
    /// Not now, or not at all; with the reason for people.
    case refused(String)
    case unavailable(Unavailable)
}

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

/// A finished hot backup in a file.
package struct BackupCopy {
    package let path: String
    /// Size of the file in bytes.
    package let size: UInt64
    /// The state hash inside, as it is shown to people.
    package let stateHash: String
    /// Removes the file; call it once, on the replica's loop.
    package let done: () -> Void

    package init(path: String, size: UInt64, stateHash: String, done: @escaping () -> Void) {
        self.path = path
        self.size = size
        self.stateHash = stateHash
        self.done = done
    }
}
