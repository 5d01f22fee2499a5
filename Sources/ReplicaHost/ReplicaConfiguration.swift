import PeerTransport
import Raft
import TLS
import Wire

/// What the replica needs to know of the server's settings.
package struct ReplicaConfiguration: Sendable {
    package var name: String
    package var peerURLs: [String]
    package var clientURLs: [String]
    /// Who a new data directory belongs to; one that exists knows it by itself.
    package var member: MemberID
    package var cluster: MemberID
    /// All who found the cluster, for a new data directory; empty: this member alone.
    package var founders: [Member] = []
    /// A new data directory begins with an empty log, and the others send what it lacks.
    package var isJoining = false
    /// Whom a member that joins was told to talk to.
    package var joinPeers: [Member] = []
    /// `--force-new-cluster`: a data directory that holds a member becomes a cluster of that member alone.
    package var forcesNewCluster = false
    package var serverVersion = "3.4.23"
    package var minimumClusterVersion = ClusterVersion.minimum.text
    /// `--strict-reconfig-check`.
    package var isStrict = true
    /// The id of a member with these peer URLs that is added at that time, in seconds since 1970 UTC.
    package var makeMemberID: @Sendable ([String], Int64) -> MemberID = { _, time in MemberID(UInt64(bitPattern: time)) }
    /// Entries between two cuts of the log.
    package var snapshotCount: UInt64 = 100_000
    /// Events kept for watches of the past.
    package var historyEvents = 1000
    /// Proposals that may wait at once; more are refused.
    package var pendingProposalsMax = 16384
    /// The same in bytes of their payloads; a single one may be larger.
    package var pendingProposalBytesMax = 128 << 20
    /// Reads that may wait for a majority at once, as many for the apply thread, and as many watches for it; more are refused.
    package var waitingReadsMax = 65_536
    package var heartbeatMilliseconds: UInt64 = 100
    package var electionMilliseconds: UInt64 = 1000
    /// For peer URLs that are `https`.
    package var peerTLS = TLSPolicy.system

    package init(
        name: String, peerURLs: [String], clientURLs: [String], member: MemberID, cluster: MemberID
    ) {
        self.name = name
        self.peerURLs = peerURLs
        self.clientURLs = clientURLs
        self.member = member
        self.cluster = cluster
    }

    /// How long a change waits before its client is told that it timed out: 5 s and two election timeouts (server.md §12).
    package var requestTimeoutNanoseconds: Int64 { 5_000_000_000 + 2 * Int64(clamping: electionMilliseconds) * 1_000_000 }
}

/// Facts that an operator should read, for whoever writes the log of the server.
package enum ReplicaNotice: Sendable {
    case founded(MemberID, cluster: MemberID)
    case restarting(MemberID, cluster: MemberID, commit: Index)
    case treeRebuilt(from: Index)
    /// Another program has written to the file after a crash; its contents are checked whole before they are used.
    case treeProven(file: String)
    case tornTail(file: String, frames: Int)
    case electionStarted(MemberID, term: Term)
    case becameLeader(MemberID, term: Term)
    case core(MemberID, CoreNotice)
    case peer(PeerNotice)
    case changeRefused(String)
    /// Users and roles count from now on.
    case accessEnabled(guestsMayDoEverything: Bool)
    case accessDisabled
    case joining(MemberID, cluster: MemberID)
    /// This member goes on without the others; `isNews`: there were some.
    case forcedAlone(MemberID, cluster: MemberID, commit: Index, isNews: Bool)
    case memberRemoved(MemberID, cluster: MemberID)
    /// This member is no longer one.
    case removed
    case memberAdded(MemberID, peerURLs: [String], cluster: MemberID)
    /// `before` is empty when there was none.
    case clusterVersionSet(String, before: String)
    case published(name: String, clientURLs: [String], cluster: MemberID)
    case logCut(upTo: Index)
    case backupFailed(String)
    /// A large listing, or a look into a long past.
    case longReadFailed(String)
    case snapshotFailed(String)
    case snapshotInstalling(Index)
    case snapshotInstalled(Index)
    /// Somebody reads a database file in a transaction that does not end, so its WAL grows; it is left the old file at `bytesMax`.
    /// `holders`: whom the system names, none if it names nobody.
    case readerInTheWay(file: String, bytes: Int, holders: [String], bytesMax: Int)
    case fileReplaced(file: String)
    case replacementFailed(file: String, String)
    case diskFull
    case diskHasRoom
}
