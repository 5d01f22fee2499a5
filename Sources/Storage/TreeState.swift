import Keyspace
import Raft

/// The one row of table `state`: how far the tree has come.
package struct TreeState: Equatable, Sendable {
    package var applied: LogPosition
    /// Time of the last applied entry that had one, nanoseconds since 1970 UTC.
    package var time: Int64
    /// The v2 index.
    package var keysIndex: UInt64
    package var hash: StateHash
    /// Major.minor.0; empty until the leader has set it.
    package var clusterVersion: String

    package init(
        applied: LogPosition = .origin, time: Int64 = 0, keysIndex: UInt64 = 0, hash: StateHash = StateHash(),
        clusterVersion: String = ""
    ) {
        self.applied = applied
        self.time = time
        self.keysIndex = keysIndex
        self.hash = hash
        self.clusterVersion = clusterVersion
    }
}
