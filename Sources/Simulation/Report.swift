/// What many runs came to.
package struct Report: Sendable {
    package private(set) var seeds = 0
    package private(set) var microseconds: UInt64 = 0
    package private(set) var quiet: UInt64 = 0
    package private(set) var faults: [FaultKind: Int] = [:]
    package private(set) var counts: [String: Int] = [:]
    package private(set) var answered = 0
    package private(set) var unanswered = 0
    package private(set) var applied: UInt64 = 0
    private var silentGaps: [UInt64] = []
    private var digest = Digest()

    package init() {}

    package mutating func add(_ outcome: Outcome) {
        seeds += 1
        microseconds += outcome.microseconds
        quiet += outcome.quiet
        for kind in FaultKind.allCases { faults[kind, default: 0] += outcome.faults[kind] ?? 0 }
        for name in outcome.counts.keys.sorted() { counts[name, default: 0] += outcome.counts[name] ?? 0 }
        answered += outcome.answered
        unanswered += outcome.unanswered
        applied += outcome.applied
        silentGaps += outcome.silentGaps
        digest.add(outcome.digest)
    }

    package var hours: Double { Double(microseconds) / 3_600_000_000 }

    /// - Parameter seconds: of real time.
    package func text(seconds: Double) -> String {
        var lines = ["seeds \(seeds)", "simulated hours \(Report.short(hours)), \(Report.short(Double(quiet) / 3_600_000_000)) of them quiet"]
        lines.append("operations answered \(answered), left unknown \(unanswered); entries applied \(applied)")
        lines.append("faults \(FaultKind.allCases.reduce(0) { $0 + (faults[$1] ?? 0) })")
        for kind in FaultKind.allCases { if let count = faults[kind], count > 0 { lines.append("  \(kind) \(count)") } }
        lines.append("events")
        for name in counts.keys.sorted() { lines.append("  \(name) \(counts[name] ?? 0)") }
        if !silentGaps.isEmpty {
            let gaps = silentGaps.sorted()
            func milliseconds(_ percent: Int) -> UInt64 { gaps[(gaps.count - 1) * percent / 100] / 1000 }
            lines.append(
                "silent deaths of a leader, all others well: \(gaps.count); to the next change applied, ms: median \(milliseconds(50)), "
                    + "90% \(milliseconds(90)), 99% \(milliseconds(99)), longest \(milliseconds(100))")
        }
        lines.append("simulated hours an hour \(Int(hours * 3600 / max(seconds, 0.001)))")
        lines.append("digest \(digest.hex)")
        return lines.joined(separator: "\n")
    }

    private static func short(_ number: Double) -> String {
        let tenths = Int(number * 100)
        return "\(tenths / 100).\(tenths % 100 / 10)\(tenths % 10)"
    }
}
