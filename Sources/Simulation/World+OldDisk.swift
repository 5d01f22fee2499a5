import Raft
import Storage

/// A disk as it was some time ago, put back under the same identity: an old image of a virtual machine, or an old copy of the directory.
///
/// Such a member has forgotten votes that it gave and entries that it acknowledged, and nobody can tell: the leader searches anew where
/// its log agrees and counts it for no more than that, but its vote is as good as any. With two of three members, {old, other} would
/// elect without what {old, leader} had committed. So all that can be promised is what an operator may rely on who stops the member,
/// looks at the others, and then puts the old disk back: no harm is done when
/// - a majority without this member holds all that its log held, so that whoever wins with its vote has that too;
/// - all others have reached its last term, and nobody stands in it: no election in which it has voted is still open;
/// - nothing that it has said in its earlier life is still under way, and the members are the same as on the old disk.
struct OldDisk {
    let member: MemberID
    let image: SimulatedDisk.Image
    let configuration: Configuration
    /// The newest change of the membership when the image was taken.
    let membership: Index
    /// What the disk held when its process was stopped; nil while it runs.
    var lost: (tail: LogPosition, term: Term)?
    /// The others were fit once; since then nobody asks for votes in the lost terms any more.
    var wereOthersFit = false
    var attempts = 0

    static let attemptsMax = 50
    /// Longer than any message is under way.
    static let pause: UInt64 = 10_000_000
}

extension World {
    /// Takes the image; it comes back later, if it can.
    func keepImage(of victim: SimulatedMember) {
        let id = victim.id
        guard faults.oldDisk == nil, mayLose(id), victim.log.tail.position.index >= newestMembership.index else { return }
        faults.oldDisk = OldDisk(
            member: id, image: disk.save(machines[place(of: id)].volume), configuration: victim.machine.core.configuration,
            membership: newestMembership.index)
        schedule(after: faults.chance.within(1_000_000...60_000_000), .heal(.oldDisk, id))
    }

    /// The next step towards the old disk.
    func bringOldDisk() {
        guard var old = faults.oldDisk else { return }
        faults.oldDisk = nil
        let machine = machines[place(of: old.member)]
        guard let lost = old.lost else {
            guard !isCalm, mayLose(old.member), newestMembership.index == old.membership, let member = machine.member else { return }
            old.lost = (member.log.tail.position, member.log.hardState.term)
            end(old.member)
            machine.isGone = true
            faults.oldDisk = old
            return schedule(after: OldDisk.pause, .heal(.oldDisk, old.member))
        }
        old.attempts += 1
        guard old.attempts <= OldDisk.attemptsMax, newestMembership.index == old.membership else { return comeBack(old.member) }
        let areOthersFit = areOthersFit(old, lost.tail, lost.term)
        guard areOthersFit, old.wereOthersFit else {
            old.wereOthersFit = areOthersFit
            faults.oldDisk = old
            return schedule(after: areOthersFit ? OldDisk.pause : 1_000_000, .heal(.oldDisk, old.member))
        }
        disk.restore(machine.volume, old.image)
        checks.forgot(old.member)
        faults.count(.oldDisk)
        tell("fault: oldDisk \(old.member), which had \(lost.tail.index) in term \(lost.term)")
        comeBack(old.member)
    }

    private func comeBack(_ id: MemberID) {
        guard newestMembership.members.contains(where: { $0.id == id && !$0.isRemoved }) else { return }
        machines[place(of: id)].isGone = false
        restart(id, after: 1_000)
    }

    private func areOthersFit(_ old: OldDisk, _ tail: LogPosition, _ term: Term) -> Bool {
        var holders = 0
        for machine in machines where !machine.isGone && old.configuration.contains(machine.id) {
            guard let member = machine.member, member.pausedUntil <= now, member.log.hardState.term >= term else { return false }
            let core = member.machine.core
            if core.configuration != old.configuration || (core.term == term && core.role == .candidate) { return false }
            if old.configuration.voters.contains(member.id), member.holds(tail) { holders += 1 }
        }
        return holders >= old.configuration.quorum
    }
}
