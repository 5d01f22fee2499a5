import Raft
import Replica
import Storage
import Wire

/// The operator of the cluster: adds, removes and replaces members, one at a time, by way of the leader.
extension World {
    /// The members after the newest change that was applied anywhere. A leader may be deposed, or behind with applying, and an
    /// operator who believed it could throw away one machine too many.
    private var members: [Member] { newestMembership.members }

    /// A majority of voters stays whole without it, whatever else is being done.
    func mayLose(_ id: MemberID) -> Bool {
        let voters = MembershipRules.configuration(of: members).voters
        let unsure = machines.count { voters.contains($0.id) && ($0.isGone || $0.isSuspect) && $0.id != id }
        return faults.isOperatorIdle && voters.contains(id) && voters.count >= 3 && unsure + 1 <= (voters.count - 1) / 2
    }

    func changeMembership() -> MemberID? {
        guard faults.isOperatorIdle, leader != nil else { return nil }
        let voters = MembershipRules.configuration(of: members).voters
        guard machines.count < 15 else { return nil }
        if voters.count > 2, faults.chance.happens(50), !machines.contains(where: \.isSuspect) {
            let id = faults.chance.pick(voters)
            faults.toRemove.append(id)
            return id
        }
        guard voters.count < 7 else { return nil }
        let id = addMachine()
        faults.toAdd.append(id)
        return id
    }

    func administer() {
        schedule(after: 1_000_000, .administer)
        checkProgress()
        let known = members
        func isIn(_ id: MemberID) -> Bool { known.contains { $0.id == id && !$0.isRemoved } }
        // Who was added counts already: when another member is lost meanwhile, there may be no majority before the new one runs.
        if let id = faults.toAdd.first(where: { isIn($0) && isNew($0) }) {
            machines[place(of: id)].isStarting = true
            return join(id)
        }
        if let id = faults.toReplace.first ?? faults.toRemove.first {
            guard isIn(id) else { return removed(id) }
            return propose(.remove(id))
        }
        guard let id = faults.toAdd.first else { return promote(known) }
        guard let member = known.first(where: { $0.id == id }) else {
            return propose(.add(World.member(id, isLearner: faults.chance.happens(50))))
        }
        if !member.isLearner { faults.toAdd.removeFirst() } else { promote(known) }
    }

    private func isNew(_ id: MemberID) -> Bool {
        let machine = machines[place(of: id)]
        return machine.life == 0 && machine.member == nil && !machine.isStarting
    }

    private func removed(_ id: MemberID) {
        let machine = machines[place(of: id)]
        if let place = faults.toReplace.firstIndex(of: id) {
            faults.toReplace.remove(at: place)
            faults.toAdd.append(addMachine())
        }
        faults.toRemove.removeAll { $0 == id }
        if let place = faults.toReturn.firstIndex(of: id) {
            faults.toReturn.remove(at: place)
            machines[self.place(of: id)].isGone = false
            restart(id, after: faults.chance.within(1_000...20_000_000))
        } else if machine.member != nil {
            // Its operator stops it, if it has not heard of its removal by then.
            schedule(after: faults.chance.within(1_000_000...30_000_000), .heal(.membership, id))
        }
        tell("\(id) is no member any more")
    }

    private func promote(_ members: [Member]) {
        guard let learner = members.first(where: { $0.isLearner && !$0.isRemoved }), let leader,
            let member = machines[place(of: learner.id)].member,
            member.applier.applied.index.value + 50 > leader.machine.core.committed.value
        else { return }
        propose(.add(World.member(learner.id)))
    }

    private func propose(_ change: MembershipChange) {
        guard let leader, leader.pausedUntil <= now else { return }
        tell("operator: \(change)")
        count("membership proposals")
        lastRequest += 1
        let payload = MembershipCodec.encode(change, time: wallClock(of: leader.id), request: lastRequest)
        step(leader.process) { (member: SimulatedMember) throws(StorageError) in try member.handle(.proposed([payload])) }
    }

    /// A member has applied a change of the membership.
    func followed(_ change: MembershipChange, at index: Index, on member: SimulatedMember) {
        if index > newestMembership.index { newestMembership = (index, member.applier.members) }
        guard case .remove(let id) = change, id == member.id else { return }
        // It says so and stops; what it was about to send may still leave.
        schedule(after: faults.chance.within(1_000...500_000), .heal(.membership, id))
    }

    /// A removed member ends, and its machine is not used again.
    func retire(_ id: MemberID) {
        end(id)
        machines[place(of: id)].isGone = true
        count("members retired")
    }
}
