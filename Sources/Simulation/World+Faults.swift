import Raft
import Replica
import Storage

/// Bad luck, one piece at a time.
extension World {
    func fault() {
        guard !isCalm else { return }
        guard !isQuiet else { return schedule(at: quietUntil, .fault) }
        schedule(after: faults.chance.within(settings.faultPause), .fault)
        guard !settings.faults.isEmpty else { return }
        let kind = faults.chance.pick(settings.faults)
        // Not measured any more: something else goes wrong.
        outage = nil
        guard let victim = happen(kind) else { return }
        faults.count(kind)
        tell("fault: \(kind) \(victim == .none ? "" : "\(victim)")")
        checks.note(7, UInt64(kind.rawValue), victim.value)
    }

    /// Nil when it cannot happen now.
    private func happen(_ kind: FaultKind) -> MemberID? {
        let members = runningMembers
        guard !members.isEmpty else { return nil }
        var victim = faults.chance.pick(members)
        if faults.chance.happens(40), let leader { victim = leader }
        let id = victim.id
        switch kind {
        case .kill, .crash, .crashAll, .pause: stop(kind, victim)
        case .silentDeath: dieSilently(victim)
        case .crashInWrite, .slowDisk, .fullDisk, .failedWrite, .lostDisk, .flippedBit: return spoilDisk(kind, victim)
        case .partitionHalves, .partitionOneWay, .partitionRing, .leaderAlone, .linkLost, .lossyNetwork: return disturb(kind, victim)
        case .clockJump:
            machines[place(of: id)].wallClockOffset += (Int64(faults.chance.below(7_200)) - 3_600) * 1_000_000_000
        case .transfer:
            guard let leader else { return nil }
            let target = faults.chance.happens(50) ? faults.chance.pick(members).id : nil
            step(leader.process) { (member: SimulatedMember) throws(StorageError) in try member.handle(.transferLeadership(target)) }
        case .membership: return changeMembership()
        case .removedReturns:
            guard mayLose(id), members.count > 1 else { return nil }
            faults.toRemove.append(id)
            faults.toReturn.append(id)
            end(id)
            machines[place(of: id)].isGone = true
        case .oldDisk:
            // Counted when the image is put back.
            keepImage(of: victim)
            return nil
        case .fullLeader:
            guard let leader else { return nil }
            fillLeader(leader)
            return leader.id
        case .allFull: fillAll()
        case .interruptedSnapshots:
            faults.interruptsSnapshots = true
            schedule(after: faults.chance.within(1_000_000...20_000_000), .heal(kind, .none))
        }
        return id
    }

    private func stop(_ kind: FaultKind, _ victim: SimulatedMember) {
        let pause: UInt64 = faults.chance.happens(50) ? faults.chance.within(1_000...2_000_000) : faults.chance.within(1_000_000...30_000_000)
        switch kind {
        case .pause: victim.pausedUntil = now + faults.chance.within(10_000...15_000_000)
        case .crashAll:
            for member in runningMembers {
                if faults.chance.happens(80) { disk.crash(machines[place(of: member.id)].volume, seed: faults.chance.next()) }
                end(member.id, peersNotice: false)
                restart(member.id, after: faults.chance.within(1_000...5_000_000))
            }
        default:
            let isPowerLoss = kind == .crash
            if isPowerLoss { disk.crash(machines[place(of: victim.id)].volume, seed: faults.chance.next()) }
            end(victim.id, peersNotice: !isPowerLoss)
            restart(victim.id, after: pause)
        }
    }

    private func spoilDisk(_ kind: FaultKind, _ victim: SimulatedMember) -> MemberID? {
        let id = victim.id
        let place = place(of: id)
        let volume = machines[place].volume
        switch kind {
        case .crashInWrite: disk.crash(volume, afterCalls: faults.chance.within(1...40), seed: faults.chance.next())
        case .failedWrite:
            disk.fail(volume, faults.chance.pick([.write, .sync]), afterCalls: faults.chance.within(1...40))
        case .slowDisk:
            machines[place].isSlow = true
            schedule(after: faults.chance.within(1_000_000...30_000_000), .heal(kind, id))
        case .fullDisk:
            fill(id, for: faults.chance.within(1_000_000...30_000_000), kind)
            beginTermsOfFullDisks()
        case .lostDisk:
            guard mayLose(id) else { return nil }
            end(id)
            lose(id)
        default:
            guard mayLose(id) else { return nil }
            machines[place].isSuspect = true
            end(id)
            disk.crash(volume, seed: faults.chance.next(), keep: .everything)
            guard flipBits(place) else { return nil }
            restart(id, after: faults.chance.within(10_000...5_000_000))
        }
        return id
    }

    /// Not in the WAL of the log: its last transaction may have been acknowledged, and nobody could tell a flipped bit from a torn write.
    private func flipBits(_ place: Int) -> Bool {
        let directory = machines[place].directory
        var isDone = false
        for _ in 0...faults.chance.below(3) {
            let path = faults.chance.pick([directory.log, directory.tree, directory.tree + "-wal"])
            guard let size = FileOperations.size(path), size > 0 else { continue }
            let place = faults.chance.below(size)
            tell("bit of \(path) at \(place) of \(size)")
            isDone = disk.flip(path, at: place, bit: faults.chance.below(8)) || isDone
        }
        return isDone
    }

    private func disturb(_ kind: FaultKind, _ victim: SimulatedMember) -> MemberID? {
        let ids = faults.chance.shuffled(machines.filter { !$0.isGone }.map(\.id))
        guard ids.count > 1 else { return nil }
        let others = ids.filter { $0 != victim.id }
        switch kind {
        case .partitionHalves:
            let cut = 1 + faults.chance.below(ids.count - 1)
            network.split(Array(ids.prefix(cut)), from: Array(ids.dropFirst(cut)))
        case .partitionOneWay:
            for other in others where faults.chance.happens(70) {
                if faults.chance.happens(50) { network.block(from: victim.id, to: other) } else { network.block(from: other, to: victim.id) }
            }
        case .partitionRing:
            guard ids.count > 3 else { return nil }
            network.makeRing(ids)
        case .leaderAlone:
            guard let leader else { return nil }
            network.split([leader.id], from: ids.filter { $0 != leader.id })
        case .lossyNetwork: network.extraLossPercent = faults.chance.pick([5, 30, 60])
        default:
            let peer = faults.chance.pick(others)
            step(victim.process) { (member: SimulatedMember) throws(StorageError) in try member.handle(.linkLost(peer)) }
            return victim.id
        }
        schedule(after: faults.chance.within(200_000...20_000_000), .heal(kind, victim.id))
        return victim.id
    }

    func heal(_ kind: FaultKind, _ id: MemberID) {
        switch kind {
        case .slowDisk: machines[place(of: id)].isSlow = false
        case .fullDisk, .fullLeader, .allFull: empty(id)
        case .lossyNetwork: network.extraLossPercent = 0
        case .interruptedSnapshots: faults.interruptsSnapshots = false
        case .membership: retire(id)
        case .oldDisk: bringOldDisk()
        default: network.heal()
        }
    }
}
