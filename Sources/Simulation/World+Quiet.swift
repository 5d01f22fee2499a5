/// Real clusters have long stretches in which little is asked and nothing breaks. What only time brings about shows there: clocks that
/// run apart, counters that grow, a heartbeat that is missed once in an hour.
extension World {
    /// Everything goes well: such a stretch, or the end of the run.
    var isQuiet: Bool { isCalm || now < quietUntil }

    func beginQuiet() {
        guard !isCalm, let length = settings.quiet else { return }
        let stretch = faults.chance.within(length)
        quietUntil = now + stretch
        quietTime += stretch
        network.isCalm = true
        servedInQuiet = 0
        tell("quiet for \(stretch / 1_000_000) s")
        // What was broken before has healed by then, and what was lost is replaced.
        schedule(after: stretch / 2, .quiet(.half))
        schedule(at: quietUntil, .quiet(.end))
    }

    func goOnWithQuiet(_ moment: QuietMoment) {
        switch moment {
        case .begin: beginQuiet()
        case .half: servedInQuiet = 0
        case .end:
            guard !isCalm else { return }
            if servedInQuiet == 0 { checks.report("liveness", "nobody was served in a quiet stretch: \(state)") }
            network.isCalm = false
            schedule(after: faults.chance.within(settings.busy), .quiet(.begin))
        }
    }
}

package enum QuietMoment: Sendable {
    case begin, half, end
}
