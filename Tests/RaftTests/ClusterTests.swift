import Raft
import TestSupport
import Testing

@Suite("Raft thesis figure 3.2: a small cluster under faults")
struct ClusterTests {
    static let seeds: UInt64 = 300

    @Test("Nothing goes wrong under loss, repetition, delay, partitions, crashes, changes, transfers, snapshots and reads")
    func chaos() {
        for seed in 1...Self.seeds {
            let cluster = play(seed)
            #expect(cluster.violations.isEmpty, "seed \(seed)")
            if !cluster.violations.isEmpty { return }
        }
    }

    @Test("The same seed gives the same history")
    func repeatable() {
        for seed in [3, 14, 15] as [UInt64] {
            let first = play(seed)
            let second = play(seed)
            #expect(first.history == second.history && first.steps == second.steps && first.readsReleased == second.readsReleased)
        }
    }

    @Test("What the faults are for happens: snapshots, reads, changes, elections")
    func coverage() {
        let clusters = (1...50).map { play($0) }
        #expect(clusters.reduce(0) { $0 + $1.snapshotsInstalled } > 40)
        #expect(clusters.reduce(0) { $0 + $1.readsReleased } > 400)
        #expect(clusters.reduce(0) { $0 + $1.leaders.count } > 120)
        let changes = clusters.reduce(0) { $0 + $1.history.filter { $0.change != nil }.count }
        #expect(changes > 150)
    }

    @Test("Disks that come back old or empty break promises, but stop nobody")
    func amnesia() {
        for seed in 1...60 as ClosedRange<UInt64> {
            let cluster = SmallCluster(seed: seed, voters: 3)
            cluster.checksSafety = false
            var chaos = Chaos(cluster: cluster)
            for _ in 0..<60 {
                chaos.act()
                if cluster.generator.once(in: 8) { chaos.loseDisk() }
            }
        }
    }

    func play(_ seed: UInt64) -> SmallCluster {
        var generator = SeededGenerator(seed: seed &* 31)
        let voters = Int.random(in: 1...5, using: &generator)
        let settings = CoreSettings(
            entriesPerMessageMax: Int.random(in: 1...4, using: &generator),
            entriesInFlightMax: Int.random(in: 4...12, using: &generator), preVote: !generator.once(in: 5),
            checkQuorum: !generator.once(in: 5))
        let cluster = SmallCluster(seed: seed, voters: voters, spares: 3, settings: settings)
        var chaos = Chaos(cluster: cluster)
        for _ in 0..<80 where cluster.violations.isEmpty { chaos.act() }
        cluster.heal()
        cluster.checkLiveness(within: 60_000)
        cluster.checkLogs()
        return cluster
    }
}

/// Draws what happens next.
struct Chaos {
    let cluster: SmallCluster
    private var nextSpare: UInt64

    init(cluster: SmallCluster) {
        self.cluster = cluster
        nextSpare = cluster.members.first { $0.disk.entries.isEmpty }?.id.value ?? 99
    }

    mutating func act() {
        let anyone = cluster.members[draw(cluster.members.count)].id
        switch draw(26) {
        case 0: crash(anyone)
        case 1, 2: for member in cluster.members where cluster.generator.once(in: 2) { cluster.start(member.id) }
        case 3: partition()
        case 4, 5: cluster.cutLinks.removeAll()
        case 6: drawFaults()
        case 7: change()
        case 8: cluster.give(.transferLeadership(to: draw(2) == 0 ? nil : anyone), to: cluster.leader ?? anyone)
        case 9, 14, 15: for member in cluster.members { cluster.cutLog(of: member.id, leaving: UInt64(draw(4))) }
        case 10: cluster.members[cluster.place(anyone)].pausedUntil = cluster.now + UInt64(draw(3000))
        case 11: for member in cluster.members where draw(3) == 0 { cluster.give(.linkLost(anyone), to: member.id) }
        case 12: for member in cluster.members where draw(3) == 0 { cluster.give(.memberDown(anyone), to: member.id) }
        case 13: cluster.give(.campaign, to: anyone)
        case 24: cluster.members[cluster.place(draw(2) == 0 ? cluster.leader ?? anyone : anyone)].isFull = true
        case 25: for member in cluster.members { cluster.members[cluster.place(member.id)].isFull = draw(8) == 0 }
        default: work()
        }
        cluster.run(milliseconds: UInt64(draw(draw(6) == 0 ? 2500 : 150)))
        if draw(10) == 0 { cluster.checkLogs() }
    }

    /// The disk of a member comes back as it was, without its newest part, or empty.
    mutating func loseDisk() {
        let place = draw(cluster.members.count)
        let id = cluster.members[place].id
        cluster.crash(id)
        let disk = cluster.members[place].disk
        if draw(2) == 0 {
            cluster.members[place].disk = TestDisk()
        } else if disk.last.index > disk.cut.index {
            let from = Index(disk.last.index.value - UInt64(draw(disk.entries.count)))
            cluster.members[place].disk.truncate(from: from)
            cluster.members[place].disk.hardState = HardState(term: cluster.members[place].disk.last.term)
            cluster.members[place].disk.applied = min(disk.applied, from.previous)
        }
        cluster.start(id)
    }

    private func draw(_ count: Int) -> Int { Int.random(in: 0..<count, using: &cluster.generator) }

    private func work() {
        for _ in 0..<draw(6) {
            let member = draw(3) > 0 ? cluster.leader : nil
            let target = member ?? cluster.members[draw(cluster.members.count)].id
            if draw(3) == 0 { cluster.read(at: target) }
            cluster.give(.proposed(Array(repeating: nil, count: draw(6))), to: target)
            cluster.run(milliseconds: UInt64(draw(8)))
        }
    }

    private func crash(_ id: MemberID) {
        let victim = draw(2) == 0 ? cluster.leader ?? id : id
        cluster.crash(victim)
        guard draw(3) > 0 else { return }
        for member in cluster.members where member.id != victim { cluster.later(.memberDown(victim), to: member.id, within: 30) }
    }

    private func partition() {
        let style = draw(3)
        for from in cluster.members {
            for to in cluster.members where from.id != to.id {
                let isCut =
                    switch style {
                    case 0: draw(4) == 0
                    case 1: from.id == cluster.leader || to.id == cluster.leader
                    default: from.id.value % 2 != to.id.value % 2
                    }
                if isCut { cluster.cutLinks.insert([from.id, to.id]) }
            }
        }
    }

    private func drawFaults() {
        cluster.faults.lossOneIn = [0, 0, 20, 5][draw(4)]
        cluster.faults.repetitionOneIn = [0, 10, 3][draw(3)]
        cluster.faults.longDelayOneIn = [0, 0, 30][draw(3)]
        cluster.faults.delayMax = [0, 3, 30, 200][draw(4)]
        cluster.faults.diskMax = [0, 50, 400, 2000][draw(4)]
        cluster.faults.snapshotFailsOneIn = [0, 3][draw(2)]
    }

    private mutating func change() {
        guard let leader = cluster.leader, let configuration = cluster[leader].core?.configuration else { return }
        let members = configuration.voters + configuration.learners
        let change: ConfigurationChange
        switch draw(4) {
        case 0 where nextSpare <= UInt64(cluster.members.count):
            change = draw(2) == 0 ? .addLearner(MemberID(nextSpare)) : .addVoter(MemberID(nextSpare))
        case 1 where !configuration.learners.isEmpty: change = .addVoter(configuration.learners[0])
        case 2: change = .remove(members[draw(members.count)])
        default: change = .addVoter(members[draw(members.count)])
        }
        let before = cluster[leader].core?.last.index
        cluster.give(.proposed([change]), to: leader)
        let isTaken = cluster[leader].core?.last.index != before
        if isTaken, !members.contains(MemberID(nextSpare)), cluster[leader].core?.configuration.contains(MemberID(nextSpare)) == true {
            nextSpare += 1
        }
    }
}
