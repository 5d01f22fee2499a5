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
        let reason = membership.refusal(of: change, counted: machine.core.configuration, connections: connections)
        guard !room.isStopping, let reason else { return propose(change, answer) }
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
        if let reason = room.refusal() ?? (proposals.hasRoomForAdministration ? nil : .overloaded) {
            return deliver(.other { answer(.unavailable(reason)) })
        }
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
        // An entry that nobody can read would stop every member that applies it, now and at each start.
        let payload = MembershipCodec.encode(wanted, time: clock.now, request: proposals.newRequest())
        guard MembershipCodec.decode(payload) == wanted else {
            if case .add = change { return refuse("etcdserver: the URLs cannot be recorded", answer) }
            return deliver(.other { answer(.unknown) })
        }
        let tell = { [weak self, own = identity.member] (outcome: ProposalDesk.AdministrationOutcome) in
            switch outcome {
            // The others have removed this member, which is what its client wanted; it may never see the entry itself.
            case .unavailable(.stopped) where wanted == .remove(own) && self?.membership.isRemoved == true: answer(.done(nil))
            case .unavailable(let reason): answer(.unavailable(reason))
            case .applied(.membershipRefused(_, let refusal)): answer(MemberChangeResult(refusal))
            case .applied: answer(.done(added))
            }
        }
        proposals.add(payload, start: WallClock.steady, patience: configuration.requestTimeoutNanoseconds, .administration(tell))
        gather(payload)
    }

    private func refuse(_ reason: String, _ answer: @escaping (MemberChangeResult) -> Void) {
        notice(.changeRefused(reason))
        deliver(.other { answer(.refused(reason)) })
    }

    // MARK: What the member says of itself

    func speakOfItself() {
        for change in membership.ownWords(isAlone: isLoneVoter, at: WallClock.steady) { propose(change) }
        decideClusterVersion()
    }

    /// Proposes a version if the leader and another one is due.
    func decideClusterVersion() {
        guard isLeading, reads.hasCaughtUp, !room.isStopping else { return }
        let version = membership.versionDue(leadingSince: leader.sinceSteady, at: WallClock.steady, connected: connections.keys)
        if let version { propose(.clusterVersion(version.text)) }
    }

    private func propose(_ change: MembershipChange) {
        gather(MembershipCodec.encode(change, time: clock.now, request: proposals.newRequest()))
    }

    /// Everything that was acknowledged before is known here from now on.
    func caughtUp() {
        guard reads.catchUp() else { return }
        speakOfItself()
        publishIfReady()
    }

    /// Clients may be served when this member has caught up and everybody can know who and where it is. What they write comes behind what
    /// the cluster writes of itself, so they wait for a version for a moment.
    func publishIfReady() {
        guard reads.hasCaughtUp, let onPublished, membership.isPublished, !membership.clusterVersion.isEmpty || isTiredOfWaiting else { return }
        self.onPublished = nil
        notice(.published(name: configuration.name, clientURLs: configuration.clientURLs, cluster: identity.cluster))
        deliver(.other(onPublished))
    }

    private var isTiredOfWaiting: Bool { leader.known != .none && WallClock.steady - leader.sinceSteady > Self.versionWaitNanoseconds }

    private static let versionWaitNanoseconds: Int64 = 250_000_000
}
