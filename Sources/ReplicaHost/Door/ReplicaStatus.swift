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
