import Raft
import Replica
import Wire

/// One life of a member's process; what was meant for an earlier one is void.
package struct Process: Hashable, Sendable {
    package var member: MemberID
    package var life: Int
}

/// A copy of a tree on its way from one machine to another.
package struct SnapshotTransfer: Sendable {
    package var from: Process
    package var to: MemberID
    package var term: Term
    package var position: LogPosition
    package var bytes: [UInt8]
}

/// Whatever the simulated time has in store.
package enum SimulationEvent: Sendable {
    case deliver(PeerMessage, from: MemberID)
    /// The machine of a member wanted to be told the time.
    case wake(Process, due: UInt64)
    /// The log thread's transaction is durable, or its turn has come.
    case logTurn(Process)
    case applyTurn(Process)
    case treeTurn(Process)
    case makeSnapshot(Process, to: MemberID)
    case snapshotArrives(SnapshotTransfer)
    case tell(Process, ReplicaEvent)
    case client(Int)
    case clientGivesUp(Int, operation: Int)
    case start(MemberID)
    case fault
    /// The end of a fault that has one.
    case heal(FaultKind, MemberID)
    case lookAtFullLeader(MemberID, faults: Int, moment: FullLeaderMoment)
    case administer
    case quiet(QuietMoment)
}
