import Raft
import Wire

/// The strict check: changes of the membership that would be one step from losing the majority (cluster.md §5.3).
extension MemberDesk {
    /// - Parameters:
    ///   - counted: by Raft.
    ///   - connections: nanoseconds for which each other member has been connected without a break.
    /// - Returns: why not; nil: it may be made.
    func refusal(of change: MemberChange, counted: Configuration, connections: [MemberID: Int64]) -> String? {
        let voters = all.filter { !$0.isRemoved && !$0.isLearner } + onTheirWay(counted: counted)
        let isConnected = { (member: MemberID, seconds: Int64) in
            member == own || (connections[member].map { $0 >= seconds * 1_000_000_000 } ?? false)
        }
        return switch change {
        case .add(_, let isStarting): refusalOfAdding(to: voters, isStarting: isStarting, isConnected)
        case .remove(let id): refusalOfRemoving(MemberID(id), from: voters, isConnected)
        case .update: nil
        }
    }

    /// One that is about to start does not weaken the cluster for long, so nobody need wait for the others to have been connected for a while.
    private func refusalOfAdding(to voters: [Member], isStarting: Bool, _ isConnected: (MemberID, Int64) -> Bool) -> String? {
        let started = voters.count { !$0.name.isEmpty }
        if !(voters.count == 1 && started == 1), started < (voters.count + 1) / 2 + 1 {
            return "etcdserver: re-configuration failed due to not enough started members; start or remove those that are not"
        }
        guard voters.allSatisfy({ isConnected($0.id, isStarting ? 0 : 5) }) else {
            return "etcdserver: unhealthy cluster; all members must be connected for 5 s; to replace a dead one, remove it first"
        }
        return nil
    }

    private func refusalOfRemoving(_ id: MemberID, from voters: [Member], _ isConnected: (MemberID, Int64) -> Bool) -> String? {
        guard voters.contains(where: { $0.id == id }) else { return nil }
        let rest = voters.count - 1
        if rest == 0 { return "etcdserver: re-configuration failed due to not enough started members; the last one cannot be removed" }
        if voters.count(where: { $0.id != id && !$0.name.isEmpty }) < rest / 2 + 1 {
            return "etcdserver: re-configuration failed due to not enough started members; start those that are not first"
        }
        let connected = voters.count { isConnected($0.id, 0) }
        if isConnected(id, 0), connected - 1 < 1 + rest / 2 {
            return "etcdserver: unhealthy cluster; too few members would be connected without this one; remove a dead one first"
        }
        return nil
    }
}

extension MemberChangeResult {
    init(_ refusal: MembershipRefusal) {
        switch refusal {
        case .idWasRemoved: self = .removed
        case .idExists: self = .idExists
        case .peerURLExists: self = .urlExists
        case .unknownID: self = .unknown
        case .tooManyLearners: self = .refused("membership: too many learner members in cluster")
        case .lastVoter:
            self = .refused("etcdserver: re-configuration failed due to not enough started members; the last one cannot be removed")
        case .notNow: self = .refused("etcdserver: another change of the members is under way; try again")
        }
    }
}
