import Keyspace
import NIOCore
import Raft
import Replica
import Wire

/// What time brings.
extension ReplicaService {
    /// One task for the machine's next deadline. A deadline that moves away, as that of an election with each heartbeat, does not
    /// move the task: it comes, finds nothing to do, and is set anew.
    func setAlarm() {
        guard !room.isStopping, let due = machine.wakeUp else { return }
        if let alarm {
            if alarm.at <= due { return }
            alarm.task.cancel()
        }
        let now = WallClock.steadyMilliseconds
        let delay = due > now ? Int64(clamping: due - now) : 1
        let service = NIOLoopBound(self, eventLoop: loop)
        alarm = (now + UInt64(delay), loop.scheduleTask(in: .milliseconds(delay)) { service.value.wake() })
    }

    private func wake() {
        alarm = nil
        guard !room.isStopping else { return }
        turn {
            let now = WallClock.steadyMilliseconds
            guard let due = machine.wakeUp, due <= now else { return setAlarm() }
            if isLeading, now - due > configuration.heartbeatMilliseconds { figures.counters.lateHeartbeats += 1 }
            step(.time)
        }
    }

    /// What needs no precision.
    func tick() {
        turn {
            let now = WallClock.steady
            giveUpLate(at: now)
            for (member, position) in snapshots.due(at: now) { step(.snapshotSent(member, position, succeeded: false)) }
            if reads.hasCaughtUp, membership.mustSayAgain(at: now) { speakOfItself() } else { decideClusterVersion() }
            publishIfReady()
            expire()
        }
    }

    private func giveUpLate(at now: Int64) {
        let lateChanges = proposals.takeLate(at: now)
        let lateReads = reads.takeLate(at: now)
        guard !lateChanges.isEmpty || !lateReads.isEmpty else { return }
        let connections = connections
        func why(_ start: Int64) -> Unavailable {
            leader.whyLate(
                since: start, at: now, own: identity.member, election: Int64(clamping: configuration.electionMilliseconds) * 1_000_000,
                configuration: machine.core.configuration, connections: connections)
        }
        figures.counters.proposalsFailed += UInt64(lateChanges.count)
        figures.counters.readsFailed += UInt64(lateReads.count)
        for late in lateChanges { deliver(ProposalDesk.failure(of: late, why(late.start))) }
        for late in lateReads { deliver(ReadDesk.failure(of: late, why(late.start))) }
        if !lateChanges.isEmpty { step(.abandoned(lateChanges.map(\.request))) }
        if !lateReads.isEmpty { step(.readsAbandoned(lateReads.map(\.number))) }
    }

    /// Removes what has had its time. A new leader first learns how far time had come with the one before, by applying its own first entry.
    ///
    /// It goes in slices, one entry each: with many keys of one age nobody else would have a turn for seconds. The apply thread tells how far a
    /// slice goes; the entry says "everything up to then" by its time, as it always did.
    func expire() {
        guard isLeadingInFull, !room.isFull else { return }
        let now = clock.now
        guard tree.mustExpire(at: now) else { return }
        threads?.applier.submit(.expiry(now))
    }

    func expire(upTo time: Int64) {
        guard isLeadingInFull, !room.isFull, !room.isStopping else { return tree.expired() }
        gather(CommandCodec.encode(Command(.expire, .root), time: time, client: [], request: proposals.newRequest()))
    }

    // MARK: The time of the cluster

    /// Only the leader's clock counts, so that a TTL means the same on all members and whoever leads next.
    var timeForOthers: Int64? { isLeading && !room.isStopping ? clock.now : nil }

    func hear(_ time: Int64, from member: MemberID) { if !room.isStopping, !isLeading { clock.follow(time, of: member.value) } }

    /// A follower's clients are given the time by a clock that follows the leader's. One that has just started and has not heard of
    /// the time yet may be an hour off: what it proposes is put right here, before it gets into the log and drags all others along.
    func inTime(_ message: PeerMessage) -> PeerMessage {
        guard case .forward(let from, let to, let term, let number, let payloads) = message, isLeading else { return message }
        let now = clock.now
        // It may be as old as this because it has waited for a leader.
        let ageMax = configuration.requestTimeoutNanoseconds
        let isStrange = { (payload: EntryPayload) in
            let age = now.subtractingReportingOverflow(payload.time)
            return age.overflow || age.partialValue.magnitude > ageMax.magnitude
        }
        guard payloads.contains(where: isStrange) else { return message }
        let shifted = payloads.map { isStrange($0) ? CommandCodec.shifted($0, to: now) : $0 }
        return .forward(from: from, to: to, term: term, number: number, payloads: shifted)
    }
}
