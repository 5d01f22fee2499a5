import Raft
import Replica
import Storage
import Wire

/// Machines come and go, and processes on them.
extension World {
    /// A new machine with an empty disk.
    @discardableResult
    func addMachine() -> MemberID {
        let number = machines.count
        // Ids are spread, as hashes are.
        let id = MemberID(UInt64(number + 1) &* 0x9E37_79B9 & 0xFFFF_FFFF | 1 << 32)
        let skew = number < settings.clockSkews.count ? settings.clockSkews[number] : 0
        add(Machine(id: id, clockStart: 1_000 + chance.below(1 << 20), clockSpeed: UInt64(1_000 + skew)))
        disk.setTime(milliseconds: World.wallClockStart / 1_000_000)
        return id
    }

    static func member(_ id: MemberID, isLearner: Bool = false) -> Member {
        Member(id: id, name: "\(id)", peerURLs: ["http://\(id):2380"], isLearner: isLearner)
    }

    /// The founders write the same first entries.
    func found() {
        for _ in 0..<settings.members { addMachine() }
        let members = machines.map { World.member($0.id) }
        for machine in machines {
            do {
                try FileOperations.makeDirectories(machine.directory.member)
                try LogStore.found(
                    machine.directory.log, identity: Identity(member: machine.id, cluster: World.cluster, origin: "simulated"),
                    members: members)
                try FileOperations.synchronize(machine.directory.member)
            } catch {
                checks.report("founding", "\(error)")
            }
            schedule(after: chance.below(1_000_000), .start(machine.id))
        }
    }

    /// A machine for a member that was added to a running cluster.
    func join(_ id: MemberID) {
        let machine = machines[place(of: id)]
        // Its operator sees that it has no room, and comes back.
        guard !machine.isFull else { return machine.isStarting = false }
        do {
            try FileOperations.makeDirectories(machine.directory.member)
            try LogStore.join(
                machine.directory.log, identity: Identity(member: id, cluster: World.cluster, origin: "simulated, joined"))
            try FileOperations.synchronize(machine.directory.member)
        } catch {
            checks.report("joining", "\(error)")
        }
        schedule(after: chance.below(1_000_000), .start(id))
    }

    /// The process starts with what the disk holds. Damage that was done on purpose makes the machine useless; any other is a mistake.
    func start(_ id: MemberID) {
        let place = place(of: id)
        machines[place].isStarting = false
        guard machines[place].member == nil, !machines[place].isGone else { return }
        machines[place].life += 1
        let process = Process(member: id, life: machines[place].life)
        do {
            let stores = try OpenedMember(machines[place].directory)
            if machines[place].isSuspect { try compareWithHash(stores) }
            let machine = try makeMachine(stores, life: process.life, now: clock(of: id), seed: chance.next())
            let member = try SimulatedMember(process, stores, machine: machine, world: self, chance: chance.branch())
            machines[place].member = member
            count("starts")
            tell("\(id) starts: term \(machine.core.term), last \(machine.core.last.index), applied \(stores.applier.applied.index)")
            checks.note(10, id.value, machine.core.last.index.value, machine.core.term.value)
            // What was committed in an earlier life, and is not in the tree yet.
            member.apply(upTo: machine.core.committed)
            try member.handle(.started)
        } catch {
            fail(process, error)
        }
    }

    /// Bits were flipped on this machine's disk: whatever was not found at the start must have done no harm.
    private func compareWithHash(_ stores: OpenedMember) throws(StorageError) {
        let reader = try TreeReader(path: stores.directory.tree, as: .reader)
        defer { reader.close() }
        let found = try TreeSummary(reader).hash
        let stored = try reader.state().hash
        guard found != stored else { return }
        checks.report(
            "damage", "\(stores.log.identity.member) started with a tree whose hash is \(found.hex), \(stored.hex) is stored")
    }

    private func makeMachine(_ stores: OpenedMember, life: Int, now: UInt64, seed: UInt64) throws(StorageError) -> ReplicaMachine {
        let log = stores.log
        let core = RaftCore(
            id: log.identity.member, settings: settings.core, hardState: log.hardState,
            log: stores.shape, configuration: MembershipRules.configuration(of: stores.applier.members),
            changes: try log.configurationChanges(applied: stores.applier.applied.index),
            applied: stores.applier.applied.index, now: now, seed: seed)
        return ReplicaMachine(
            core: core,
            policy: LogPolicy(
                entriesBetweenCuts: settings.entriesBetweenCuts, entriesKept: settings.entriesKept,
                cutAt: log.cut.position.index, durable: stores.tree.durable.index),
            members: stores.applier.members, applied: stores.applier.applied, life: UInt64(life))
    }

    /// Runs a step of a process; when its storage fails, the process ends, as the product's does.
    func step(_ process: Process, _ body: (SimulatedMember) throws(StorageError) -> Void) {
        guard let member = running(process) else { return }
        do { try body(member) } catch { fail(process, error) }
    }

    /// The storage has failed: planned, or not.
    private func fail(_ process: Process, _ error: StorageError) {
        let place = place(of: process.member)
        let volume = machines[place].volume
        let isPowerLoss = disk.hasCrashed(volume)
        let wasPlanned = disk.hasFailed(volume) || isPowerLoss
        tell("\(process.member) stops: \(error)")
        if case .damaged = error, !isPowerLoss, machines[place].isSuspect {
            count("damage found")
            end(process.member)
            return lose(process.member)
        }
        if case .diskFull = error, machines[place].isFull {
            // It cannot start, or take a snapshot; somebody starts it again when there may be room.
            count("stopped by a full disk")
            end(process.member)
            return restart(process.member, after: chance.within(100_000...5_000_000))
        }
        guard wasPlanned || machines[place].isSuspect else {
            return checks.report("storage", "\(process.member): \(error)")
        }
        count(isPowerLoss ? "power lost in a write" : "stopped by a failed call")
        // After a failed sync nobody knows what the disk holds, so the machine is set up anew with it.
        disk.fail(volume, .sync, afterCalls: 0)
        if !isPowerLoss { disk.crash(volume, seed: chance.next()) }
        end(process.member)
        restart(process.member, after: chance.within(10_000...5_000_000))
    }

    /// The process is gone; its peers may notice by their connections.
    func end(_ id: MemberID, peersNotice: Bool = true) {
        let place = place(of: id)
        guard let member = machines[place].member else { return }
        highestTermOfEnded = max(highestTermOfEnded, member.term.value)
        disk.kill(machines[place].volume)
        machines[place].member = nil
        network.forget(id)
        abandonClients(of: id)
        guard peersNotice else { return }
        for peer in runningMembers where !network.isBlocked(from: id, to: peer.id) && chance.happens(80) {
            let delay = chance.within(100...50_000)
            schedule(after: delay, .tell(peer.process, .linkLost(id)))
            if chance.happens(80) { schedule(after: delay + 100, .tell(peer.process, .memberDown(id))) }
        }
    }

    func restart(_ id: MemberID, after microseconds: UInt64) {
        let place = place(of: id)
        guard !machines[place].isStarting, !machines[place].isGone else { return }
        machines[place].isStarting = true
        schedule(after: microseconds, .start(id))
    }

    /// What was on its disk is lost for good: under its identity it never comes back.
    func lose(_ id: MemberID) {
        let place = place(of: id)
        machines[place].isGone = true
        disk.wipe(machines[place].volume)
        faults.toReplace.append(id)
        tell("\(id) is lost")
    }
}
