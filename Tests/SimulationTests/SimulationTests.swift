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
