import Keyspace
import Raft
import Replica
import Storage
import Wire

/// Clients ask members, and members answer them.
extension World {
    /// The requests of a member's life, unlike any others.
    private func newRequest() -> UInt64 {
        lastRequest += 1
        return lastRequest
    }

    func client(_ number: Int) {
        guard workload.clients[number].pending == nil, !workload.clients[number].isStopped else { return }
        let members = runningMembers.filter { $0.pausedUntil <= now && !machines[place(of: $0.id)].isFull }
        // Mostly the leader, as followers only pass on; and now and then somebody else, who may think that it leads.
        var target: SimulatedMember? = workload.clients[number].chance.happens(60) ? leader : nil
        if target == nil, !members.isEmpty { target = workload.clients[number].chance.pick(members) }
        guard let target else { return schedule(after: 200_000, .client(number)) }
        let (key, action) = workload.draw(number)
        let request = newRequest()
        workload.begin(number, key, action, on: target.id, request: request, at: now)
        let operation = workload.lastOperation
        schedule(after: settings.requestTimeout, .clientGivesUp(number, operation: operation))
        checks.note(5, UInt64(number), request)
        // The request may take its time on the way.
        step(target.process) { (member: SimulatedMember) throws(StorageError) in
            if let command = command(action, key) {
                let payload = CommandCodec.encode(command, time: wallClock(of: member.id), client: [], request: request)
                try member.handle(.proposed([payload]))
            } else {
                try member.handle(.readRequested(request))
            }
        }
    }

    private func command(_ action: KeyOperation.Action, _ key: String) -> Command? {
        let path = TreePath(clean: Array("/\(key)".utf8))
        switch action {
        case .read: return nil
        case .set(let value):
            var command = Command(.set, path)
            command.value = Workload.bytes(of: value)
            return command
        case .compareAndSwap(let previous, let value):
            var command = Command(.compareAndSwap, path)
            command.previousValue = Workload.bytes(of: previous)
            command.value = Workload.bytes(of: value)
            return command
        case .delete: return Command(.delete, path)
        }
    }

    func clientGivesUp(_ number: Int, _ operation: Int) {
        guard workload.clients[number].pending?.number == operation else { return }
        guard let pending = workload.clients[number].pending else { return }
        finish(number, .unknown)
        guard let member = machines[place(of: pending.member)].member, member.pausedUntil <= now else { return }
        step(member.process) { (member: SimulatedMember) throws(StorageError) in
            try member.handle(pending.action == .read ? .readsAbandoned([pending.request]) : .abandoned([pending.request]))
        }
    }

    /// Their connections are closed; what they asked for may have happened.
    func abandonClients(of member: MemberID) {
        for number in workload.clients.indices where workload.clients[number].pending?.member == member { finish(number, .unknown) }
    }

    private func finish(_ number: Int, _ outcome: KeyOperation.Outcome) {
        workload.end(number, outcome, at: now)
        if isCalm, outcome != .unknown { servedInCalm += 1 }
        if isQuiet, outcome != .unknown { servedInQuiet += 1 }
        let pauses: ClosedRange<UInt64> = isCalm ? 1_000...500_000 : isQuiet ? 100_000...60_000_000 : settings.thinkTime
        let pause = isQuiet ? workload.clients[number].chance.within(pauses) : workload.clients[number].chance.skewed(pauses)
        schedule(after: pause, .client(number))
    }

    // MARK: Answers

    func applied(_ entry: LogEntry, _ outcome: AppliedOutcome, on member: SimulatedMember) {
        noteApplied(entry.payload.request)
        if case .membership(let change) = outcome { followed(change, at: entry.index, on: member) }
        switch outcome {
        case .event: workload.tookEffect(entry.payload.request, .done, at: now)
        case .refused: workload.tookEffect(entry.payload.request, .refused, at: now)
        default: break
        }
        guard entry.payload.request != 0, let client = workload.client(waitingFor: entry.payload.request, on: member.id) else { return }
        switch outcome {
        case .event:
            checks.acknowledged(entry.payload.request, at: entry.index)
            finish(client, .done)
        case .refused:
            checks.acknowledged(entry.payload.request, at: entry.index)
            finish(client, .refused)
        default: finish(client, .unknown)
        }
    }

    func refuse(_ request: UInt64, on member: SimulatedMember) {
        guard let client = workload.client(waitingFor: request, on: member.id) else { return }
        count("changes refused")
        checks.refused(request)
        finish(client, .unknown)
    }

    func release(read number: UInt64, at index: Index, on member: SimulatedMember) {
        guard let client = workload.client(waitingFor: number, on: member.id) else { return }
        workload.clients[client].pending?.readAt = index
        step(member.process) { (member: SimulatedMember) throws(StorageError) in try answerReads(on: member) }
    }

    func fail(read number: UInt64, on member: SimulatedMember) {
        guard let client = workload.client(waitingFor: number, on: member.id) else { return }
        count("reads failed")
        finish(client, .unknown)
    }

    func finishReads(on member: SimulatedMember) {
        step(member.process) { (member: SimulatedMember) throws(StorageError) in try answerReads(on: member) }
    }

    private func answerReads(on member: SimulatedMember) throws(StorageError) {
        for number in workload.clients.indices {
            guard let pending = workload.clients[number].pending, pending.member == member.id, let index = pending.readAt,
                index <= member.applier.applied.index
            else { continue }
            let path = TreePath(clean: Array("/\(pending.key)".utf8))
            switch try member.applier.tree.get(path, recursive: false) {
            case .success(.file(let node)): finish(number, .value(Workload.name(of: node.value)))
            case .success: finish(number, .unknown)
            case .failure: finish(number, .value(nil))
            }
            checks.note(6, pending.request, index.value)
        }
    }
}
