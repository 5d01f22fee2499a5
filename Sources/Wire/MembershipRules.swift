import Raft

/// Why a change of the membership does nothing; the same on every member (cluster.md §6).
package enum MembershipRefusal: Hashable, Sendable {
    /// The id was a member once and never comes back.
    case idWasRemoved(MemberID)
    case idExists(MemberID)
    /// Another member has this peer URL.
    case peerURLExists(String)
    case unknownID(MemberID)
    case tooManyLearners
    /// Without a voter nothing could be decided any more.
    case lastVoter
    /// The leader had too many changes waiting. Says nothing about the change itself; it may be tried again.
    case notNow
}

/// The rules of the membership, for whoever applies a change and for the leader that looks before it proposes one.
package enum MembershipRules {
    /// One is enough to replace a member, and more would each cost the leader its bandwidth (etcd has the same bound).
    package static let learnersMax = 1

    /// Nil when the change may happen.
    package static func refusal(of change: MembershipChange, in members: [Member]) -> MembershipRefusal? {
        switch change {
        case .add(let member): refusal(ofAdding: member, in: members)
        case .remove(let id): refusal(ofRemoving: id, in: members)
        case .update(let id, let peerURLs): known(id, members) ?? taken(peerURLs, by: id, members)
        case .publish(let id, _, _): known(id, members)
        case .clusterVersion: nil
        }
    }

    private static func refusal(ofAdding member: Member, in members: [Member]) -> MembershipRefusal? {
        if let present = members.first(where: { $0.id == member.id }) {
            if present.isRemoved { return .idWasRemoved(member.id) }
            return isPromotion(member, of: present) ? nil : .idExists(member.id)
        }
        if let refusal = taken(member.peerURLs, by: member.id, members) { return refusal }
        let learners = members.count { $0.isLearner && !$0.isRemoved }
        return member.isLearner && learners >= learnersMax ? .tooManyLearners : nil
    }

    private static func refusal(ofRemoving id: MemberID, in members: [Member]) -> MembershipRefusal? {
        if let refusal = known(id, members) { return refusal }
        return configuration(of: members).voters == [id] ? .lastVoter : nil
    }

    private static func known(_ id: MemberID, _ members: [Member]) -> MembershipRefusal? {
        guard let member = members.first(where: { $0.id == id }) else { return .unknownID(id) }
        return member.isRemoved ? .idWasRemoved(id) : nil
    }

    private static func taken(_ peerURLs: [String], by id: MemberID, _ members: [Member]) -> MembershipRefusal? {
        for member in members where member.id != id && !member.isRemoved {
            if let url = peerURLs.first(where: { member.peerURLs.contains($0) }) { return .peerURLExists(url) }
        }
        return nil
    }

    /// What the leader looks for besides `refusal`: another member has one of the peer URLs in another spelling.
    ///
    /// Not for whoever applies a change: members of earlier versions compare texts, and all must come to the same.
    package static func refusalOfSpelling(_ change: MembershipChange, in members: [Member]) -> MembershipRefusal? {
        let (id, peerURLs): (MemberID, [String])
        switch change {
        case .add(let member) where !members.contains(where: { $0.id == member.id }): (id, peerURLs) = (member.id, member.peerURLs)
        case .update(let member, let urls): (id, peerURLs) = (member, urls)
        case .add, .remove, .publish, .clusterVersion: return nil
        }
        let others = members.filter { $0.id != id && !$0.isRemoved }.flatMap(\.peerURLs).map { HostSpelling.canonical(url: $0) }
        return peerURLs.first { others.contains(HostSpelling.canonical(url: $0)) }.map { .peerURLExists($0) }
    }

    /// A learner that is added once more as a voter is promoted; what it has published stays.
    private static func isPromotion(_ member: Member, of present: Member) -> Bool { present.isLearner && !member.isLearner }

    /// What the members come to with a change that is not refused. Ordered by id, as the list given.
    package static func applying(_ change: MembershipChange, to members: [Member]) -> [Member] {
        var members = members
        func update(_ id: MemberID, _ change: (inout Member) -> Void) {
            guard let position = members.firstIndex(where: { $0.id == id }) else { return }
            change(&members[position])
        }
        switch change {
        case .add(let member):
            if members.contains(where: { $0.id == member.id }) {
                update(member.id) { $0.isLearner = false }
            } else {
                members.append(member)
                members.sort { $0.id < $1.id }
            }
        case .remove(let id): update(id) { $0.isRemoved = true }
        case .update(let id, let peerURLs): update(id) { $0.peerURLs = peerURLs }
        case .publish(let id, let name, let clientURLs):
            update(id) {
                $0.name = name
                $0.clientURLs = clientURLs
            }
        case .clusterVersion: break
        }
        return members
    }

    /// The members as Raft counts them.
    package static func configuration(of members: [Member]) -> Configuration {
        Configuration(
            voters: members.filter { !$0.isRemoved && !$0.isLearner }.map(\.id),
            learners: members.filter { !$0.isRemoved && $0.isLearner }.map(\.id))
    }

    /// What the change is to Raft; nil when who votes stays as it is.
    package static func configurationChange(of change: MembershipChange) -> ConfigurationChange? {
        switch change {
        case .add(let member): member.isLearner ? .addLearner(member.id) : .addVoter(member.id)
        case .remove(let id): .remove(id)
        case .update, .publish, .clusterVersion: nil
        }
    }
}

extension EntryPayload {
    /// What the entry is to Raft, from the moment that it is in a log; nil for nearly all.
    package var configurationChange: ConfigurationChange? {
        guard kind == EntryKind.membership.rawValue, !MembershipCodec.isVoid(self), let change = MembershipCodec.decode(self) else {
            return nil
        }
        return MembershipRules.configurationChange(of: change)
    }
}
