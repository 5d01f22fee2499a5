import Raft
import Replica
import Storage
import Wire

/// How a run ended.
package struct Outcome: Sendable {
    package var violation: Violation?
    package var digest: String
    package var microseconds: UInt64
    /// Of them, those of quiet stretches.
    package var quiet: UInt64
    package var faults: [FaultKind: Int]
    package var counts: [String: Int]
    package var answered: Int
    package var unanswered: Int
    package var applied: UInt64
    /// Microseconds from the silent death of a leader, all others being well, to the next change that is applied.
    package var silentGaps: [UInt64] = []
    /// What the seed had drawn.
    package var settings = ""
}

extension World {
    /// Runs the seed to its end: a phase in which anything may break but no promise, then one in which everything is well and the
    /// cluster must show that it still works.
    package static func run(
        seed: UInt64, settings: SimulationSettings? = nil, tellsMessages: Bool = false, trace: ((String) -> Void)? = nil
    ) -> Outcome {
        let world = World(seed: seed, settings: settings)
        world.trace = trace
        world.tellsMessages = tellsMessages
        var files = SimulatedDisk.files
        files.logFrames = world.settings.logFrames
        return FileSystem.$simulated.withValue(files) { world.run() }
    }

    private func run() -> Outcome {
        found()
        for client in workload.clients.indices { schedule(after: chance.below(2_000_000), .client(client)) }
        schedule(after: settings.faultPause.upperBound, .fault)
        schedule(after: 1_000_000, .administer)
        if settings.quiet != nil { schedule(after: faults.chance.within(settings.busy), .quiet(.begin)) }
        while checks.isWell, now < settings.safetyPhase { advance() }
        if checks.isWell { calm() }
        let end = settings.safetyPhase + settings.livenessPhase
        var isWell = false
        var nextLook = now + 1_000_000
        while checks.isWell, !isWell, now < end {
            advance()
            guard now >= nextLook else { continue }
            nextLook = now + 500_000
            isWell = isEverythingWell()
        }
        if checks.isWell, !isWell { checks.report("liveness", "after \(settings.livenessPhase / 1_000_000) s of calm: \(state)") }
        if checks.isWell { checks.atTheEnd() }
        if checks.isWell {
            // What nobody waits for any more may have happened, as others may have seen.
            for client in workload.clients.indices { workload.end(client, .unknown, at: now) }
            checkHistories()
        }
        for machine in machines { checks.note(disk.calls(machine.volume)) }
        checks.note(now)
        let outcome = Outcome(
            violation: checks.violation, digest: checks.digest.hex, microseconds: now, quiet: min(quietTime, now), faults: faults.counts, counts: counts,
            answered: workload.succeeded, unanswered: workload.unknown, applied: checks.applied.value,
            silentGaps: silentGaps, settings: settings.text)
        for place in machines.indices { machines[place].member = nil }
        return outcome
    }

    private func advance() {
        guard let event = time.advance() else { return checks.report("simulation", "nothing is left to happen") }
        carryOut(event)
    }

    // MARK: Events

    private func carryOut(_ event: SimulationEvent) {
        switch event {
        case .deliver(let message, let from):
            messagesUnderWay -= 1
            deliver(message, from: from, event)
        case .wake(let process, let due): inProcess(process, event) { (member) throws(StorageError) in try member.wake(due: due) }
        case .logTurn(let process): inProcess(process, event) { (member) throws(StorageError) in try member.logTurn() }
        case .applyTurn(let process): inProcess(process, event) { (member) throws(StorageError) in try member.applyTurn() }
        case .treeTurn(let process): inProcess(process, event) { (member) throws(StorageError) in try member.treeTurn() }
        case .makeSnapshot(let process, let peer):
            inProcess(process, event) { (member) throws(StorageError) in try member.makeSnapshot(to: peer) }
        case .tell(let process, let what): inProcess(process, event) { (member) throws(StorageError) in try member.handle(what) }
        case .snapshotArrives(let transfer): arrive(transfer, event)
        case .client(let number): client(number)
        case .clientGivesUp(let number, let operation): clientGivesUp(number, operation)
        case .start(let id): start(id)
        case .fault: fault()
        case .heal(let kind, let id): heal(kind, id)
        case .lookAtFullLeader(let id, let faults, let moment): lookAtFullLeader(id, faultsBefore: faults, moment)
        case .administer: administer()
        case .quiet(let moment): goOnWithQuiet(moment)
        }
    }

    /// A paused process does nothing, and then everything at once.
    private func inProcess(
        _ process: Process, _ event: SimulationEvent, _ body: (SimulatedMember) throws(StorageError) -> Void
    ) {
        guard let member = running(process) else { return }
        guard member.pausedUntil <= now else { return schedule(at: member.pausedUntil, event) }
        step(process, body)
    }

    private func deliver(_ message: PeerMessage, from: MemberID, _ event: SimulationEvent) {
        guard let member = machines[place(of: message.to)].member, !network.isBlocked(from: from, to: message.to) else { return }
        checks.note(8, now, message.to.value)
        if tellsMessages { tell("\(from) > \(message.to): \(World.short(message))") }
        if member.pausedUntil > now { messagesUnderWay += 1 }
        inProcess(member.process, event) { (member) throws(StorageError) in try member.handle(.received(message)) }
    }

    private static func short(_ message: PeerMessage) -> String {
        switch message {
        case .raft(let message, _):
            if case .append(let previous, let entries, let commit) = message.body {
                return "term \(message.term) append behind \(previous.index)/\(previous.term), \(entries.count) entries, commit \(commit)"
            }
            return "term \(message.term) \(message.body)"
        case .forward(_, _, let term, let number, let payloads): return "term \(term) forward \(number), \(payloads.count) payloads"
        case .forwarded(_, _, let term, let number): return "term \(term) forwarded \(number)"
        case .tell, .outcome: return "between hosts"
        }
    }

    private func arrive(_ transfer: SnapshotTransfer, _ event: SimulationEvent) {
        var isThere = false
        if let member = machines[place(of: transfer.to)].member {
            guard member.pausedUntil <= now else { return schedule(at: member.pausedUntil, event) }
            let isInterrupted =
                network.isBlocked(from: transfer.from.member, to: transfer.to) || (faults.interruptsSnapshots && faults.chance.happens(70))
            if isInterrupted { count("snapshots interrupted") }
            step(member.process) { (member: SimulatedMember) throws(StorageError) in
                isThere = try member.receive(transfer, isInterrupted: isInterrupted)
            }
        }
        let succeeded = isThere && !network.isBlocked(from: transfer.to, to: transfer.from.member)
        schedule(
            after: chance.within(100...50_000),
            .tell(transfer.from, .snapshotSent(transfer.to, transfer.position, succeeded: succeeded)))
    }

    // MARK: The end

    /// The faults end, and whoever can run runs.
    private func calm() {
        isCalm = true
        tell("calm")
        network.heal()
        network.extraLossPercent = 0
        network.isCalm = true
        faults.interruptsSnapshots = false
        endTermsOfFullDisks()
        for place in machines.indices {
            let machine = machines[place]
            disk.setFull(machine.volume, false)
            disk.crash(machine.volume, afterCalls: 0, seed: 0)
            disk.fail(machine.volume, .sync, afterCalls: 0)
            machines[place].isSlow = false
            machines[place].isFull = false
            machine.member?.pausedUntil = now
            if machine.member == nil, machine.life > 0 { restart(machine.id, after: 1_000) }
        }
    }

    /// A leader, the operator's work done, every voter at the same place, and clients that were served since the calm began.
    private func isEverythingWell() -> Bool {
        guard let leader, faults.isOperatorIdle, !workload.clients.contains(where: { $0.pending != nil && !$0.isStopped }) else {
            stopClients()
            return false
        }
        stopClients()
        guard servedInCalm >= 10 else { return false }
        let core = leader.machine.core
        for voter in core.configuration.voters {
            guard let member = machines[place(of: voter)].member, member.applier.applied.index == core.last.index else { return false }
        }
        return true
    }

    /// Those that were served enough do not begin anew, so that the cluster comes to rest.
    private func stopClients() {
        guard servedInCalm >= 10 else { return }
        for client in workload.clients.indices { workload.clients[client].isStopped = true }
    }

    var state: String {
        let leading = leader.map { "\($0.id) leads in term \($0.machine.core.term) with \($0.machine.core.configuration.voters)" } ?? "no leader"
        let members = machines.map { machine in
            guard let member = machine.member else { return "\(machine.id) \(machine.isGone ? "gone" : "down")" }
            let core = member.machine.core
            return "\(machine.id) \(core.role) term \(core.term) last \(core.last.index) committed \(core.committed) applied "
                + "\(member.applier.applied.index)"
        }
        return "\(leading); served \(servedInCalm); operator \(faults.toReplace) \(faults.toRemove) \(faults.toAdd); "
            + members.joined(separator: "; ")
    }

    private func checkHistories() {
        for (key, history) in workload.allHistories {
            switch Linearizability.check(history) {
            case .legal: break
            case .undecided: count("histories too wide to check")
            case .illegal:
                let lines = history.map { "\($0.called)-\($0.returned) client \($0.client): \($0.action) \($0.outcome)" }
                return checks.report("linearizability", "key \(key)\n" + lines.joined(separator: "\n"))
            }
        }
    }
}
