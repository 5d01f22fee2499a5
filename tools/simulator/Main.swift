import Glibc
import ProcessStart
import Simulation

@main
struct Simulator {
    /// More of them tell nothing that the first did not.
    private static let failuresMax = 20

    static func main() {
        guard let arguments = ProcessArguments.all.flatMap({ Arguments(Array($0.dropFirst())) }) else {
            print(Arguments.help)
            exit(2)
        }
        let start = ContinuousClock.now
        var report = Report()
        var failed: [UInt64] = []
        var seed = arguments.first
        while UInt64(report.seeds) < arguments.seeds, report.hours < arguments.hours ?? .infinity, failed.count < failuresMax {
            let trace: ((String) -> Void)? = arguments.isTraced ? { say($0) } : nil
            let outcome = World.run(seed: seed, settings: arguments.settings, tellsMessages: arguments.tellsMessages, trace: trace)
            report.add(outcome)
            if arguments.isTalkative {
                let took = seconds(since: start)
                say(
                    "seed \(seed): \(outcome.microseconds / 1_000_000) s, \(outcome.applied) entries, digest \(outcome.digest), "
                        + "\(Int(took)) s so far")
            }
            if let violation = outcome.violation {
                say("seed \(seed) failed after \(Double(outcome.microseconds) / 1_000_000) simulated seconds: \(violation)")
                say("it had drawn: \(outcome.settings)")
                say("replay with: tools/simulate --seed \(seed)\(arguments.faults.map { " --faults \($0)" } ?? "") --trace")
                failed.append(seed)
            }
            seed += 1
        }
        if !failed.isEmpty { say("failed: \(failed.map(String.init).joined(separator: " "))") }
        say(report.text(seconds: seconds(since: start)))
        exit(failed.isEmpty ? 0 : 1)
    }

    /// Whoever reads a pipe wants to see how far it is.
    private static func say(_ text: String) {
        print(text)
        fflush(nil)
    }

    private static func seconds(since start: ContinuousClock.Instant) -> Double {
        let took = start.duration(to: .now).components
        return Double(took.seconds) + Double(took.attoseconds) / 1e18
    }
}
