import Keyspace
import NIOCore
import Raft
import Replica
import Storage
import Wire

/// What the machine wants, carried out.
extension ReplicaService {
    func stepOnce(_ event: ReplicaEvent) {
        var effects = ReplicaEffects()
        machine.handle(event, at: WallClock.steadyMilliseconds, into: &effects)
        carryOut(effects)
        arm()
    }

    private func carryOut(_ effects: ReplicaEffects) {
        for request in effects.refused {
            counts.proposalsFailed += 1
            if let waiting = book.take(request) { deliveries.append(.proposal(waiting.answer, .unavailable(.noLeader))) }
            if let waiting = memberBook.take(request) { deliveries.append(.other { waiting.answer(.unavailable(.noLeader)) }) }
        }
        for request in effects.persist {
            persistsOnTheirWay += 1
            afterPersist.append(AfterPersist(messages: request.sendAfter, answers: noteAnnounced(request.entries)))
            threads?.log.submit(.persist(request, handedOn: handedOn))
            if request.durableIsCommitted, let last = request.entries.last { handedOn = last.index }
        }
        handOn()
        send(effects.send)
        for message in effects.fetch { fetcher?.fetch(message) }
        for read in effects.readsReleased { release(read.number) }
        for number in effects.readsFailed {
            guard let read = quorumReads.take(number) else { continue }
            deliveries.append(.read(read.answer, ReadResult(.unavailable(.overloaded), index: 0)))
        }
        if effects.makeTreeDurable { threads?.tree.submit(.makeDurable(upTo: machine.core.committed)) }
        if let target = effects.cutLog {
            notice(.logCut(upTo: target))
            threads?.log.submit(.cut(upTo: target))
        }
        for member in effects.sendSnapshot { sendSnapshot(to: member) }
        if let position = effects.installSnapshot { install(position) }
        if let position = effects.dropSnapshot { drop(position) }
        for one in effects.notices { take(one) }
        if machine.core.leader != leaderKnown { leaderChanged() }
    }

    private static let bytesAppliedWithoutRoomMax = 16 << 20

    /// Gives the apply thread what is committed and in the log durably.
    private func handOn() {
        let upTo = machine.core.committed
        // What the log thread reads from the file comes first. What the apply thread has no room for waits in the log.
        guard upTo > handedOn, applied.index >= readFromLog, let threads, !threads.applier.isBehind else { return }
        // What is applied on a full disk stays in memory until there is room: a little more does no harm, and the rest is in the log.
        let hasRoom = !fullDisks.contains(.tree)
        guard hasRoom || bytesAppliedWithoutRoom < Self.bytesAppliedWithoutRoomMax else { return }
        let held = machine.entries(after: handedOn, upTo: upTo)
        guard hasRoom || held != nil else { return }
        threads.log.note(committed: upTo)
        if let entries = held {
            if !hasRoom { bytesAppliedWithoutRoom += entries.reduce(0) { $0 + $1.payload.size + 256 } }
            threads.applier.submit(.entries(entries, []))
        } else {
            readFromLog = upTo
            threads.log.submit(.handOver(after: handedOn, upTo: upTo))
        }
        handedOn = upTo
    }

    private func take(_ one: CoreNotice) {
        if case .becameLeader(let term) = one {
            counts.leaderChanges += 1
            if isLoneVoter { notice(.electionStarted(identity.member, term: term)) }
            notice(.becameLeader(identity.member, term: term))
            openingEntry = machine.openingEntry
        } else if !isLoneVoter {
            notice(.core(identity.member, one))
        }
    }

    private func leaderChanged() {
        leaderKnown = machine.core.leader
        leaderSince = clock.now
        leaderSinceSteady = WallClock.steady
        if leaderKnown == identity.member {
            expirePending = false
            links?.tellTime()
        } else {
            openingEntry = nil
        }
    }

    // MARK: Time

    /// One task for the machine's next deadline. A deadline that moves away, as that of an election with each heartbeat, does not
    /// move the task: it comes, finds nothing to do, and is set anew.
    private func arm() {
        guard !isStopping, let due = machine.wakeUp else { return }
        if let wakeAt {
            if wakeAt <= due { return }
            wakeTask?.cancel()
        }
        let now = WallClock.steadyMilliseconds
        let delay = due > now ? Int64(clamping: due - now) : 1
        wakeAt = now + UInt64(delay)
        let service = NIOLoopBound(self, eventLoop: loop)
        wakeTask = loop.scheduleTask(in: .milliseconds(delay)) { service.value.wake() }
    }

    private func wake() {
        wakeAt = nil
        guard !isStopping else { return }
        turn { if let due = machine.wakeUp, due <= WallClock.steadyMilliseconds { step(.time) } else { arm() } }
    }

    /// What needs no precision.
    func tick() {
        let now = WallClock.steady
        let late = book.expired(at: now)
        counts.proposalsFailed += UInt64(late.count)
        for waiting in late { deliveries.append(.proposal(waiting.answer, .unavailable(whyLate(since: waiting.start)))) }
        let lateChanges = memberBook.expired(at: now)
        for waiting in lateChanges {
            let reason = whyLate(since: waiting.start)
            deliveries.append(.other { waiting.answer(.unavailable(reason)) })
        }
        let lateReads = quorumReads.expired(at: now)
        for read in lateReads { deliveries.append(.read(read.answer, ReadResult(.unavailable(whyLate(since: read.start)), index: 0))) }
        if !late.isEmpty || !lateChanges.isEmpty { step(.abandoned(late.map(\.request) + lateChanges.map(\.request))) }
        if !lateReads.isEmpty { step(.readsAbandoned(lateReads.map(\.number))) }
        if let publishedAt, now - publishedAt > configuration.requestTimeoutNanoseconds, hasCaughtUp, !isPublished {
            self.publishedAt = nil
            proposeMembership()
        }
        decideClusterVersion()
        announceIfReady()
        expire()
    }

    private func expire() {
        guard machine.core.role == .leader, fullDisks.isEmpty, !expirePending, let earliest = earliestExpiration else { return }
        let now = clock.now
        guard earliest <= now else { return }
        // A new leader first learns how far time had come with the one before.
        if !isLoneVoter, openingEntry != nil { return }
        expirePending = true
        gather(CommandCodec.encode(Command(.expire, .root), time: now, client: [], request: newRequest()))
    }

    /// As etcd tells a time-out of one kind from another (cluster.md §9).
    private func whyLate(since start: Int64) -> Unavailable {
        let lead = leaderSinceSteady
        let election = Int64(clamping: configuration.electionMilliseconds) * 1_000_000
        if machine.core.leader != .none, start > lead - 2 * election, start < lead { return .timedOutLeaderLost }
        let age = WallClock.steady - start
        func isConnected(_ member: MemberID) -> Bool { (links?.connectedFor(member)?.nanoseconds ?? -1) >= age }
        switch machine.core.leader {
        case .none: return .timedOut
        case identity.member:
            let configuration = machine.core.configuration
            let connected = configuration.voters.count { $0 == identity.member || isConnected($0) }
            return connected < configuration.quorum ? .timedOutConnectionLost : .timedOut
        case let leader: return isConnected(leader) ? .timedOut : .timedOutConnectionLost
        }
    }
}
