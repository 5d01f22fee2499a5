import Keyspace
import NIOCore
import Raft
import Replica
import Storage
import Wire

/// The membership: what this member says of itself, and changes that clients ask for.
extension ReplicaService {
    /// A new cluster records itself; a member whose name or URLs have changed publishes them again.
    func proposeMembership() {
        var changes: [MembershipChange] = []
        if isLoneVoter, !currentMembers.contains(where: { $0.id == identity.member }) {
            changes.append(.add(Member(id: identity.member, peerURLs: configuration.peerURLs)))
        }
        if !isPublished, publishedAt == nil {
            publishedAt = WallClock.steady
            changes.append(.publish(identity.member, name: configuration.name, clientURLs: configuration.clientURLs))
        }
        for change in changes { gather(MembershipCodec.encode(change, time: clock.now, request: newRequest())) }
        decideClusterVersion()
    }

    var isPublished: Bool {
        currentMembers.contains {
            $0.id == identity.member && $0.name == configuration.name && $0.clientURLs == configuration.clientURLs
        }
    }

    /// This member knows what was committed when it asked, so clients see nothing older than what an earlier life has shown them.
    func askForBarrier() {
        let number = newNumber()
        barrier = number
        step(.readRequested(number))
    }

    func caughtUp() {
        hasCaughtUp = true
        proposeMembership()
        announceIfReady()
    }

    func announceIfReady() {
        guard hasCaughtUp, let onPublished, isPublished, isVersionWaitedFor else { return }
        self.onPublished = nil
        notice(.published(name: configuration.name, clientURLs: configuration.clientURLs, cluster: identity.cluster))
        deliveries.append(.other(onPublished))
    }

    // MARK: Who the peers are

    /// A member counts from the moment that its addition is in the log, so it must be reachable from then on.
    ///
    /// - Returns: requests that are answered when the entries are durable, whatever the new member says.
    func noteAnnounced(_ entries: [LogEntry]) -> [UInt64] {
        var hasChanged = false
        var answers: [UInt64] = []
        for entry in entries where entry.payload.kind == EntryKind.membership.rawValue {
            guard case .add(let member) = MembershipCodec.decode(entry.payload), !MembershipCodec.isVoid(entry.payload) else { continue }
            announced[member.id] = member.peerURLs
            hasChanged = true
            let isFirstOfTwo = currentMembers.count { !$0.isRemoved && !$0.isLearner } == 1
            if isFirstOfTwo, machine.core.role == .leader, member.id != identity.member { answers.append(entry.payload.request) }
        }
        if hasChanged { updatePeers() }
        return answers
    }

    /// Members that Raft counts, and whose addition is not applied yet. What a new leader has taken out of the log is not among them.
    var membersOnTheirWay: [Member] {
        announced.filter { id, _ in
            machine.core.configuration.contains(id) && !currentMembers.contains { $0.id == id }
        }.map { Member(id: $0, peerURLs: $1) }
    }

    func updatePeers() {
        var urls = announced
        for member in currentMembers {
            urls[member.id] = member.isRemoved ? nil : member.peerURLs + (movingInLog[member.id] ?? [])
        }
        links?.setPeers(
            urls.sorted { $0.key < $1.key }.map { ($0.key, urls: $0.value) },
            removed: Set(currentMembers.filter(\.isRemoved).map(\.id)))
    }

    func follow(_ members: [Member]) {
        currentMembers = members
        for member in members {
            announced[member.id] = nil
            if let urls = movingInLog[member.id], urls == member.peerURLs { movingInLog[member.id] = nil }
        }
        updatePeers()
        if members.contains(where: { $0.id == identity.member && $0.isRemoved }) { leaveForGood() }
    }

    /// This member was removed from the cluster.
    func leaveForGood() {
        guard !isRemoved, !isStopping else { return }
        isRemoved = true
        notice(.removed)
        // What was just applied may still have to be told to others.
        let service = NIOLoopBound(self, eventLoop: loop)
        loop.scheduleTask(in: .milliseconds(200)) { service.value.onRemoved() }
    }
}
