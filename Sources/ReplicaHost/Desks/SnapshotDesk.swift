import PeerTransport
import Raft
import Storage

/// Who is sent the state itself, and whose do we hold?
///
/// Out: the machine asks for one; a copy is made (`CopyDesk`) and sent; the machine is told of the end once. A refusal is kept from it until
/// it is time for the next one, since it would ask for that at once.
/// In: received and verified, then offered to the machine, which has it installed or dropped.
struct SnapshotDesk {
    private var patience = SnapshotPatience()
    /// Members that refused one: when to tell the machine, in steady nanoseconds, and of what.
    private var refused: [MemberID: (position: LogPosition, until: Int64)] = [:]
    /// Received and verified, in the order of arrival. `PeerLinks` lets one in at a time, and the machine answers each at once.
    private var offers: [IncomingTree] = []

    static let failureNanoseconds: Int64 = 1_000_000_000

    // MARK: Out

    /// One was sent, or not. True when the machine is to be told of it now.
    mutating func ended(_ member: MemberID, _ position: LogPosition, _ outcome: SnapshotOutcome, at now: Int64) -> Bool {
        switch outcome {
        case .delivered: patience.forget(member)
        case .failed: break
        case .refused:
            let seconds = patience.refused(by: member)
            guard seconds == 0 else {
                refused[member] = (position, now + seconds * 1_000_000_000)
                return false
            }
        }
        return true
    }

    /// It could not even be copied; what was in the way may need a while.
    mutating func failed(_ member: MemberID, at now: Int64) { refused[member] = (.origin, now + Self.failureNanoseconds) }

    /// Those of which it is time to tell the machine.
    mutating func due(at now: Int64) -> [(member: MemberID, position: LogPosition)] {
        guard !refused.isEmpty else { return [] }
        let due = refused.filter { $0.value.until <= now }
        for member in due.keys { refused[member] = nil }
        return due.map { ($0.key, $0.value.position) }
    }

    /// Whoever is there now may take what the one before has refused. True when the machine is to be told now.
    mutating func connected(_ member: MemberID) -> Bool {
        patience.forget(member)
        return refused.removeValue(forKey: member) != nil
    }

    // MARK: In

    mutating func offer(_ tree: IncomingTree) { offers.append(tree) }

    /// The one that is to be installed.
    mutating func take(_ position: LogPosition) -> IncomingTree? {
        offers.firstIndex { $0.manifest.position == position }.map { offers.remove(at: $0) }
    }

    /// The one that nobody wants.
    mutating func drop(_ position: LogPosition) -> IncomingTree? {
        offers.lastIndex { $0.manifest.position == position }.map { offers.remove(at: $0) }
    }
}
