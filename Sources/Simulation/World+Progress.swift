import Keyspace
import Raft
import Replica
import Storage
import Wire

/// How far a majority that is well has come.
struct Progress {
    /// All voters that are well, of which the last look found a majority, and since when they have been.
    var majority: [MemberID] = []
    var since: UInt64 = 0
    /// What was applied anywhere then.
    var applied: Index = 0
    var isProbed = false
}

/// A leader is silently gone, and the others, all well, were given something to do.
struct Outage {
    var since: UInt64
    var requests: Set<UInt64>
}

/// Safety alone is easy: a cluster that does nothing has it. A majority with room on its disks and with connections must get on.
extension World {
    /// Called once a second.
    func checkProgress() {
        guard let majority = healthyMajority else { return progress.majority = [] }
        guard majority == progress.majority, checks.applied == progress.applied else {
            progress = Progress(majority: majority, since: now, applied: checks.applied)
            return
        }
        // Enough for any election; then somebody asks for something, as clients may have nothing to ask for.
        let bound: UInt64 = settings.bytesPerSecond == nil ? 30_000_000 : 60_000_000
        if now - progress.since > bound / 2, !progress.isProbed {
            progress.isProbed = true
            for id in majority { _ = probe(id) }
        }
        if now - progress.since > bound {
            checks.report("progress", "\(majority) are well and a majority, and nothing has happened for \(bound / 1_000_000) s: \(state)")
        }
        if progress.isProbed { count("seconds in which a majority was watched") }
    }

    /// All voters that are well, if they are a majority and hear each other.
    private var healthyMajority: [MemberID]? {
        guard settings.promisesProgress, !isCalm, faults.isOperatorIdle, faults.oldDisk == nil, !faults.interruptsSnapshots,
            network.extraLossPercent == 0
        else { return nil }
        let voters = MembershipRules.configuration(of: newestMembership.members).voters
        let well = voters.filter { isWell($0) }
        guard well.count > voters.count / 2 else { return nil }
        for one in well {
            for other in well where one != other && network.isBlocked(from: one, to: other) { return nil }
        }
        return well
    }

    private func isWell(_ id: MemberID) -> Bool {
        guard isKnown(id) else { return false }
        let machine = machines[place(of: id)]
        guard let member = machine.member else { return false }
        return member.pausedUntil <= now && !machine.isFull && !machine.isSlow && !machine.isSuspect
    }

    /// A change that nobody waits for.
    private func probe(_ id: MemberID) -> UInt64? {
        guard let member = machines[place(of: id)].member else { return nil }
        lastRequest += 1
        let request = lastRequest
        let payload = CommandCodec.encode(
            Command(.set, TreePath(clean: Array("/probe".utf8))), time: wallClock(of: id), client: [], request: request)
        step(member.process) { (member: SimulatedMember) throws(StorageError) in try member.handle(.proposed([payload])) }
        return request
    }

    // MARK: Silent deaths

    /// Power or cable: nothing closes its connections, and nobody is told.
    func dieSilently(_ victim: SimulatedMember) {
        let others = machines.map(\.id).filter { $0 != victim.id }
        let wasLeader = leader?.id == victim.id
        if faults.chance.happens(50) {
            disk.crash(machines[place(of: victim.id)].volume, seed: faults.chance.next())
            end(victim.id, peersNotice: false)
            restart(victim.id, after: faults.chance.within(2_000_000...20_000_000))
        } else {
            network.split([victim.id], from: others)
            schedule(after: faults.chance.within(2_000_000...20_000_000), .heal(.silentDeath, victim.id))
        }
        outage = nil
        let voters = MembershipRules.configuration(of: newestMembership.members).voters
        let left = voters.filter { $0 != victim.id }
        guard wasLeader, left.count > voters.count / 2, left.allSatisfy({ isWell($0) }), let majority = healthyMajority,
            majority.filter({ $0 != victim.id }) == left
        else { return }
        outage = Outage(since: now, requests: Set(left.compactMap { probe($0) }))
    }

    func noteApplied(_ request: UInt64) {
        guard let outage, outage.requests.contains(request) else { return }
        silentGaps.append(now - outage.since)
        self.outage = nil
    }
}
