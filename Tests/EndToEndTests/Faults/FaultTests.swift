import Foundation
import TestSupport
import Testing

/// Everything that clients, disks, pauses and networks do to a cluster, beside clients that only want to be served.
@Suite("Faults", .blocking)
struct FaultTests {
    private static let environment = ProcessInfo.processInfo.environment
    private static let minutes = environment["ETCLITE_SOAK_MINUTES"].flatMap { Double($0) }
    private static let seed = environment["ETCLITE_SEED"].flatMap { UInt64($0) } ?? 20_261_128
    /// Of one scenario's name, to look at it alone.
    private static let only = environment["ETCLITE_FAULT"]

    @Test("Each fault once, on one running cluster: nothing ends, nothing is lost, the others are served")
    func each() throws {
        raiseDescriptorLimit()
        let stage = try FaultStage(seed: Self.seed)
        for scenario in FaultScenario.all where Self.only.map({ scenario.name.contains($0) }) ?? true {
            let start = steadySeconds
            let complaints = stage.play([scenario], seed: Self.seed)
            print(Report.line(scenario.name, stage, seconds: steadySeconds - start))
            for complaint in complaints { Issue.record("\(complaint)") }
            try #require(stage.allRun, "after \(scenario.name)")
        }
        for complaint in try stage.end() { Issue.record("\(complaint)") }
        print("registers: \(stage.operations) operations, \(stage.undecided) histories undecided")
    }

    /// `tools/soak`.
    @Test("Faults at random, one or several at a time, for a given time", .enabled(if: minutes != nil))
    func soak() throws {
        raiseDescriptorLimit()
        let stage = try FaultStage(scale: .init(seconds: 8, keys: 60_000, gapSecondsMax: 20), seed: Self.seed)
        var generator = SeededGenerator(seed: Self.seed)
        let end = steadySeconds + (Self.minutes ?? 0) * 60
        var reported = steadySeconds
        var round = 0
        while steadySeconds < end {
            round += 1
            let clients = FaultScenario.ofClients.shuffled(using: &generator).prefix(generator.below(3))
            var scenarios = Array(clients)
            if clients.isEmpty || generator.chance(60) { scenarios.append(generator.pick(FaultScenario.ofTheRest)) }
            let start = steadySeconds
            let complaints = stage.play(scenarios, seed: generator.next())
            let name = scenarios.map(\.name).joined(separator: " + ")
            if steadySeconds > reported + 30 || !complaints.isEmpty {
                reported = steadySeconds
                say(Report.line("\(round): \(name)", stage, seconds: steadySeconds - start))
            }
            for complaint in complaints {
                say("WRONG: \(complaint)")
                Issue.record("seed \(Self.seed), round \(round): \(complaint)")
            }
            try #require(stage.allRun, "seed \(Self.seed), round \(round), after \(name)")
        }
        let complaints = try stage.end()
        for complaint in complaints { Issue.record("seed \(Self.seed), at the end: \(complaint)") }
        say(
            "\(round) rounds, \(stage.probe.ledger.acknowledged) writes acknowledged and found again, \(stage.operations) operations on "
                + "registers (\(stage.undecided) histories undecided), term \(stage.highestTerm), seed \(Self.seed)")
    }

    /// Whoever reads a pipe wants to see how far it is.
    private func say(_ text: String) {
        print(text)
        fflush(nil)
    }

    /// Clients that take all descriptors of a member need as many themselves.
    private func raiseDescriptorLimit() {
        var limit = rlimit()
        guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return }
        limit.rlim_cur = limit.rlim_max
        setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
    }
}

/// How it goes, for whoever watches.
private enum Report {
    static func line(_ name: String, _ stage: FaultStage, seconds: Double) -> String {
        let latencies = stage.probe.takeLatencies()
        let gaps = stage.ports.indices.map { String(format: "%.1f", stage.probe.longestGap(of: $0)) }.joined(separator: "/")
        let members = stage.cluster.members.map { "\($0.name) \($0.memoryNow >> 20)/\($0.dataBytes >> 20)" }.joined(
            separator: ", ")
        return String(format: "%5.1f s  ", seconds) + name
            + String(
                format: " | %d writes, p50 %.0f ms, p99 %.0f ms, gaps %@ s, memory/data MB %@, term %d",
                stage.probe.ledger.acknowledged,
                latencies.p50, latencies.p99, gaps, members, stage.highestTerm)
    }
}
