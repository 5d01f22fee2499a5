import Raft
import Wire

/// What happens to the connection with a peer.
package enum PeerEvent: Equatable, Sendable {
    /// Our messages reach it from now on.
    case linkUp(MemberID)
    /// A connection is gone, and with it perhaps what was sent on it: ours to the peer, or the peer's to us.
    case linkLost(MemberID, PeerDirection)
    /// There were connections, all are gone, and a new one was refused by the system: nobody listens there. Said once for each
    /// time that the peer had been there.
    case memberDown(MemberID)
    /// That peer says that this member has been removed from the cluster for good.
    case removedFromCluster(by: MemberID)
}

package enum PeerDirection: Sendable {
    case outgoing
    case incoming
}

/// How a snapshot fared.
package enum SnapshotOutcome: Equatable, Sendable {
    /// The receiver has it durably and has taken it over.
    case delivered
    /// The receiver does not want it, or not now.
    case refused(String)
    /// It did not get there.
    case failed(String)

    package var succeeded: Bool { self == .delivered }
}

/// What the transport asks and tells its owner. All are called on the loop, and may call back into `PeerLinks`.
package struct PeerHandlers {
    /// Whether to talk with the member that says hello; nil: yes. Cluster, receiver and protocol version are checked before.
    /// Asked on both sides of every connection: `hello.from` is always the other one.
    package var accept: (Hello) -> HelloRefusal?
    /// Messages of one frame, in order; all are from that member and for this one.
    package var received: ([PeerMessage], MemberID) -> Void
    package var event: (PeerEvent) -> Void
    /// For a log; repetitions are left out.
    package var notice: (PeerNotice) -> Void
    /// The time that all should go by; nil while it is not this member that tells it.
    package var clock: () -> Int64?
    /// A peer tells the time. It was right when it was sent: it may be old, and is never ahead.
    package var clockTold: (Int64, MemberID) -> Void
    /// A peer wants to send a snapshot; nil: let it come. Otherwise why not.
    package var snapshotOffered: (SnapshotHeader, MemberID) -> String?
    /// A snapshot is here: complete, with right checksums, synced, at that path. From now on the file is the owner's to use
    /// or to remove. The reply must be called once, on the loop: nil when the snapshot is taken over, otherwise why not;
    /// until then no other snapshot is let in.
    package var snapshotReceived: (SnapshotHeader, MemberID, String, @escaping (String?) -> Void) -> Void

    package init(
        accept: @escaping (Hello) -> HelloRefusal?, received: @escaping ([PeerMessage], MemberID) -> Void,
        event: @escaping (PeerEvent) -> Void, notice: @escaping (PeerNotice) -> Void,
        clock: @escaping () -> Int64? = { nil }, clockTold: @escaping (Int64, MemberID) -> Void = { _, _ in },
        snapshotOffered: @escaping (SnapshotHeader, MemberID) -> String?,
        snapshotReceived: @escaping (SnapshotHeader, MemberID, String, @escaping (String?) -> Void) -> Void
    ) {
        self.accept = accept
        self.received = received
        self.event = event
        self.notice = notice
        self.clock = clock
        self.clockTold = clockTold
        self.snapshotOffered = snapshotOffered
        self.snapshotReceived = snapshotReceived
    }
}
