import NIOCore
import Raft
import Replica
import Storage
import Wire

/// Changes of the membership that clients ask for (cluster.md §5, §6).
extension ReplicaService {
    package func change(_ change: MemberChange, answer: @escaping (MemberChangeResult) -> Void) {
        loop.assertInEventLoop()
        turn { if configuration.isStrict { check(change, triesLeft: Self.checkTriesMax, answer) } else { propose(change, answer) } }
    }

    /// etcd refuses at once. But that a member has started and is connected becomes known to each of the others a moment later than to those
    /// who wait for it, so whoever makes one change after another would be refused now and then.
    private func check(_ change: MemberChange, triesLeft: Int, _ answer: @escaping (MemberChangeResult) -> Void) {
        guard !isStopping, let reason = refusal(of: change) else { return propose(change, answer) }
        guard triesLeft > 0 else { return refuse(reason, answer) }
        let bound = NIOLoopBound((self, answer), eventLoop: loop)
        loop.scheduleTask(in: Self.checkInterval) {
            let (service, answer) = bound.value
            service.turn { service.check(change, triesLeft: triesLeft - 1, answer) }
        }
    }

    private static let checkTriesMax = 10
    private static let checkInterval = TimeAmount.milliseconds(100)

    private func propose(_ change: MemberChange, _ answer: @escaping (MemberChangeResult) -> Void) {
        let reason: Unavailable? = isStopping ? .stopped : !fullDisks.isEmpty ? .diskFull : memberBook.isFull ? .overloaded : nil
        if let reason { return deliveries.append(.other { answer(.unavailable(reason)) }) }
        let wanted: MembershipChange
        var added: MemberRecord?
        switch change {
        case .add(let urls, _):
            let id = configuration.makeMemberID(urls, clock.now / 1_000_000_000)
            wanted = .add(Member(id: id, peerURLs: urls.sorted()))
            added = MemberRecord(id: id.value, name: "", peerURLs: urls.sorted(), clientURLs: [])
        case .remove(let id): wanted = .remove(MemberID(id))
        case .update(let id, let urls): wanted = .update(MemberID(id), peerURLs: urls.sorted())
        }
        let request = newRequest()
        let now = WallClock.steady
        // An entry that nobody can read would stop every member that applies it, now and at each start.
        let payload = MembershipCodec.encode(wanted, time: clock.now, request: request)
        guard MembershipCodec.decode(payload) == wanted else {
            if case .add = change { return refuse("etcdserver: the URLs cannot be recorded", answer) }
            return deliveries.append(.other { answer(.unknown) })
        }
        let pending = PendingChange(request: request, start: now) { [weak self, own = identity.member] result in
            switch result {
            // The others have removed this member, which is what its client wanted; it may never see the entry itself.
            case .unavailable(.stopped) where wanted == .remove(own) && self?.isRemoved == true: answer(.done(nil))
            case .unavailable(let reason): answer(.unavailable(reason))
            case .applied(.membershipRefused(_, let refusal)): answer(MemberChangeResult(refusal))
            case .applied: answer(.done(added))
            }
        }
        memberBook.add(request, deadline: now + configuration.requestTimeoutNanoseconds, pending)
        gather(payload)
    }

    private func refuse(_ reason: String, _ answer: @escaping (MemberChangeResult) -> Void) {
        notice(.changeRefused(reason))
        deliveries.append(.other { answer(.refused(reason)) })
    }

    /// The second member of a cluster has a say in its own addition. It cannot say it before it knows that it was added; so the
    /// addition counts as done when it is in the log of the first member, which nobody else can replace.
    func answerAdditionOfSecond(_ requests: [UInt64]) {
        for request in requests { if let waiting = memberBook.take(request) { deliveries.append(.other { waiting.answer(.nothing) }) } }
    }

    // MARK: The strict check

    private func refusal(of change: MemberChange) -> String? {
        switch change {
        case .add(_, let isStarting): refusalOfAdding(isStarting: isStarting)
        case .remove(let id): refusalOfRemoving(MemberID(id))
        case .update: nil
        }
    }

    private var voters: [Member] { currentMembers.filter { !$0.isRemoved && !$0.isLearner } + membersOnTheirWay }

    private func isConnected(_ member: MemberID, seconds: Int64) -> Bool {
        member == identity.member || (links?.connectedFor(member).map { $0 >= .seconds(seconds) } ?? false)
    }

    /// One that is about to start does not weaken the cluster for long, so nobody need wait for the others to have been connected for a while.
    private func refusalOfAdding(isStarting: Bool) -> String? {
        let started = voters.count { !$0.name.isEmpty }
        if !(voters.count == 1 && started == 1), started < (voters.count + 1) / 2 + 1 {
            return "etcdserver: re-configuration failed due to not enough started members; start or remove those that are not"
        }
        guard voters.allSatisfy({ isConnected($0.id, seconds: isStarting ? 0 : 5) }) else {
            return "etcdserver: unhealthy cluster; all members must be connected for 5 s; to replace a dead one, remove it first"
        }
        return nil
    }

    private func refusalOfRemoving(_ id: MemberID) -> String? {
        let voters = voters
        guard voters.contains(where: { $0.id == id }) else { return nil }
        let rest = voters.count - 1
        if rest == 0 { return "etcdserver: re-configuration failed due to not enough started members; the last one cannot be removed" }
        if voters.count(where: { $0.id != id && !$0.name.isEmpty }) < rest / 2 + 1 {
            return "etcdserver: re-configuration failed due to not enough started members; start those that are not first"
        }
        let connected = voters.count { isConnected($0.id, seconds: 0) }
        if isConnected(id, seconds: 0), connected - 1 < 1 + rest / 2 {
            return "etcdserver: unhealthy cluster; too few members would be connected without this one; remove a dead one first"
        }
        return nil
    }

    // MARK: Statistics

    package var followers: [FollowerRecord]? {
        guard machine.core.role == .leader else { return nil }
        return (links?.statistics ?? []).filter { machine.core.configuration.contains($0.member) }.map { peer in
            var record = FollowerRecord(id: peer.member.value)
            record.successes = peer.appendsSent
            record.failures = peer.messagesDropped
            record.current = peer.roundTrips.lastSeconds * 1000
            record.average = peer.roundTrips.averageSeconds * 1000
            record.deviation = peer.roundTrips.standardDeviationSeconds * 1000
            record.minimum = peer.roundTrips.minimumSeconds * 1000
            record.maximum = peer.roundTrips.maximumSeconds * 1000
            return record
        }
    }

    package var appendCounts: (received: UInt64, sent: UInt64) {
        let peers = links?.statistics ?? []
        return (peers.reduce(0) { $0 + $1.appendsReceived }, peers.reduce(0) { $0 + $1.appendsSent })
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
