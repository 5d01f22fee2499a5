import Raft
import Storage

/// Disks without room: the leader's alone, and all at once. Full disks may cost those members that have them, but not the service as long as
/// a majority has room, and no election after the other when none has.
extension World {
    func fill(_ id: MemberID, for microseconds: UInt64, _ kind: FaultKind) {
        let place = place(of: id)
        machines[place].isFull = true
        disk.setFull(machines[place].volume, true)
        schedule(after: microseconds, .heal(kind, id))
    }

    func empty(_ id: MemberID) {
        endTermsOfFullDisks()
        let place = place(of: id)
        machines[place].isFull = false
        disk.setFull(machines[place].volume, false)
    }

    /// The leader's only, long enough for others to take over and to be seen working.
    func fillLeader(_ leader: SimulatedMember) {
        let isAlone = !machines.contains { $0.isFull }
        fill(leader.id, for: faults.chance.within(20_000_000...40_000_000), .fullLeader)
        guard isAlone, isOtherwiseWell else { return }
        schedule(after: 10_000_000, .lookAtFullLeader(leader.id, faults: faults.total + 1, moment: .begin))
    }

    /// Room returns to one after the other.
    func fillAll() {
        for machine in machines where !machine.isGone { fill(machine.id, for: faults.chance.within(1_000_000...40_000_000), .allFull) }
        beginTermsOfFullDisks()
    }

    // MARK: A majority with room is served

    /// Nothing but full disks disturbs, and nothing is so slow by itself that an election or a write may take long.
    private var isOtherwiseWell: Bool {
        settings.isGentle && settings.members > 2 && network.extraLossPercent == 0 && !network.isAnythingBlocked
            && machines.allSatisfy { $0.isGone || ($0.member.map { $0.pausedUntil <= now } ?? false) && !$0.isSlow }
    }

    func lookAtFullLeader(_ id: MemberID, faultsBefore: Int, _ moment: FullLeaderMoment) {
        guard faults.total == faultsBefore, isOtherwiseWell, machines[place(of: id)].isFull else { return }
        switch moment {
        case .begin:
            let next = FullLeaderMoment.end(served: workload.succeeded, hadFound: machines[place(of: id)].member?.space != .free)
            schedule(after: 9_000_000, .lookAtFullLeader(id, faults: faultsBefore, moment: next))
        case .end(let served, let hadFound):
            count("full leaders looked at")
            if workload.succeeded == served { checks.report("progress", "nobody was served while one disk of many was full: \(state)") }
            guard hadFound else { return }
            count("full leaders that had found it")
            if leader == nil || leader?.id == id { checks.report("full leader", "\(id) still leads, or nobody does: \(state)") }
        }
    }

    // MARK: No storm

    private var highestTerm: UInt64 { max(highestTermOfEnded, runningMembers.map(\.term.value).max() ?? 0) }

    func beginTermsOfFullDisks() {
        // Where elections cannot end in time by themselves, or members may disturb each other, nobody promises how many there will be.
        guard settings.promisesProgress, fullDisks == nil, !machines.contains(where: { !$0.isGone && !$0.isFull }) else { return }
        fullDisks = (highestTerm, machines.count, counts["starts"] ?? 0)
    }

    /// Each life of a member can begin one election whose vote its disk does not take, and hand leadership over once until all know that
    /// there is no room; what is in the log's WAL already can be written over for a while.
    func endTermsOfFullDisks() {
        guard let before = fullDisks else { return }
        fullDisks = nil
        let lives = before.members + (counts["starts"] ?? 0) - before.starts
        count("times that all were full")
        let climbed = highestTerm - min(before.term, highestTerm)
        if climbed > UInt64(4 * lives) {
            checks.report("election storm", "the term has grown by \(climbed) while all disks were full: \(state)")
        }
    }
}

package enum FullLeaderMoment: Sendable {
    case begin
    case end(served: Int, hadFound: Bool)
}

extension SimulationSettings {
    /// Nothing is lost, and everything is quick in comparison with the election timeout.
    var isGentle: Bool {
        lossPercent == 0 && duplicationPercent == 0 && stragglerPercent == 0 && keepsOrder && networkDelay.upperBound <= 2_000
            && fsync.upperBound <= 5_000 && applyDelay.upperBound <= 2_000 && core.heartbeatMilliseconds >= 100 && core.preVote
            && core.checkQuorum && core.entriesPerMessageMax >= 16
    }
}

// MARK: The member

extension SimulatedMember {
    /// The log thread or the tree thread has found no room, or has found some again.
    func noteDisk(isLogFull log: Bool? = nil, isTreeFull tree: Bool? = nil) throws(StorageError) {
        if let log { isLogFull = log }
        if let tree { isTreeFull = tree }
        let found: DiskSpace = isLogFull ? .full : isTreeFull ? .logOnly : .free
        guard found != space else { return }
        space = found
        try handle(.disk(found))
    }
}
