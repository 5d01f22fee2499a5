import Raft
import Simulation
import Testing

@Suite("Simulated clusters")
struct SimulationTests {
    /// Short, so that a debug build runs several in a few seconds; `tools/simulate` runs the long ones.
    private func settings(of seed: UInt64) -> SimulationSettings {
        var chance = SimulatedChance(seed: seed)
        var settings = SimulationSettings(drawnFrom: &chance)
        settings.safetyPhase = 20_000_000
        settings.thinkTime = 1_000...200_000
        settings.faultPause = 200_000...3_000_000
        return settings
    }

    @Test("Nothing breaks in a few seeds", arguments: UInt64(1)...6)
    func seeds(seed: UInt64) {
        let outcome = World.run(seed: seed, settings: settings(of: seed))
        #expect(outcome.violation == nil, "seed \(seed): \(outcome.violation?.description ?? "")")
        #expect(outcome.answered > 0)
    }

    @Test("Old disks come back, and do no harm where the others know what they have forgotten")
    func oldDisks() {
        var comebacks = 0
        for seed in UInt64(1)...4 {
            var settings = settings(of: seed)
            settings.members = 3
            settings.safetyPhase = 120_000_000
            settings.faults = [.oldDisk, .oldDisk, .kill, .crash, .leaderAlone, .slowDisk]
            let outcome = World.run(seed: seed, settings: settings)
            #expect(outcome.violation == nil, "seed \(seed): \(outcome.violation?.description ?? "")")
            comebacks += outcome.faults[.oldDisk] ?? 0
        }
        #expect(comebacks > 1)
    }

    @Test("The leader's disk is full, or all are: a majority with room is served, and no election follows the other", arguments: [
        (FaultKind.fullLeader, "full leaders that had found it"), (.allFull, "times that all were full"),
    ])
    func fullDisks(kind: FaultKind, counted: String) {
        var settings = SimulationSettings()
        settings.safetyPhase = 150_000_000
        settings.thinkTime = 20_000...600_000
        settings.valueBytesMax = 3_000
        settings.logFrames = 80
        // A log that is cut often has room inside.
        settings.entriesBetweenCuts = 10_000
        settings.faultPause = 45_000_000...50_000_000
        settings.faults = [kind]
        let outcome = World.run(seed: 1, settings: settings)
        #expect(outcome.violation == nil, "\(outcome.violation?.description ?? "")")
        #expect(outcome.counts[counted, default: 0] > 0, "\(outcome.counts)")
    }

    @Test("A seed does the same each time")
    func digest() {
        let first = World.run(seed: 7, settings: settings(of: 7))
        let second = World.run(seed: 7, settings: settings(of: 7))
        #expect(first.digest == second.digest)
        #expect(World.run(seed: 8, settings: settings(of: 7)).digest != first.digest)
    }
}

@Suite("Simulated clusters: what must go on, and how soon")
struct SimulatedProgressTests {
    @Test("A leader that dies silently, all others being well, is followed within a second, almost always within half of one")
    func silentDeath() {
        var gaps: [UInt64] = []
        for seed in UInt64(1)...3 {
            var settings = SimulationSettings(faults: [.silentDeath])
            settings.safetyPhase = 600_000_000
            let outcome = World.run(seed: seed, settings: settings)
            #expect(outcome.violation == nil, "seed \(seed): \(outcome.violation?.description ?? "")")
            gaps += outcome.silentGaps
        }
        #expect(gaps.count >= 10)
        // Virtual time: no test machine is too slow for it.
        #expect(gaps.sorted()[gaps.count / 2] < 500_000)
    }

    @Test("Values of a megabyte on links of a megabyte a second: no election but the first, and everybody gets on")
    func slowLinks() {
        for seed in UInt64(1)...2 {
            var settings = SimulationSettings()
            settings.bytesPerSecond = 1_000_000
            settings.valueBytesMax = 1_200_000
            settings.clients = 2
            settings.requestTimeout = 20_000_000
            settings.safetyPhase = 60_000_000
            let outcome = World.run(seed: seed, settings: settings)
            #expect(outcome.violation == nil, "seed \(seed): \(outcome.violation?.description ?? "")")
            #expect((1...2).contains(outcome.counts["elections"] ?? 0) && outcome.answered > 20, "\(outcome.counts)")
        }
    }

    @Test("A majority that does nothing is found out")
    func idleMajority() {
        // Nobody misses a leader for an hour.
        var settings = SimulationSettings(faults: [.silentDeath])
        settings.core = CoreSettings(electionMilliseconds: 3_600_000)
        settings.faultPause = 30_000_000...40_000_000
        settings.safetyPhase = 600_000_000
        let outcomes = (1...3).map { World.run(seed: $0, settings: settings) }
        #expect(outcomes.contains { $0.violation?.property == "progress" })
    }
}
