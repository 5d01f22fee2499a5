import Glibc
import Simulation

@main
struct Simulator {
    static func main() {
        guard let arguments = Arguments(Array(CommandLine.arguments.dropFirst())) else {
            print(Arguments.help)
            exit(2)
        }
        let start = ContinuousClock.now
        var report = Report()
        var seed = arguments.first
        while UInt64(report.seeds) < arguments.seeds, report.hours < arguments.hours ?? .infinity {
            let outcome = World.run(seed: seed, tellsMessages: arguments.tellsMessages, trace: arguments.isTraced ? { print($0); fflush(nil) } : nil)
            report.add(outcome)
            if arguments.isTalkative {
                let took = seconds(since: start)
                print("seed \(seed): \(outcome.microseconds / 1_000_000) s, \(outcome.applied) entries, digest \(outcome.digest), \(Int(took)) s so far")
                // Whoever reads a pipe wants to see how far it is.
                fflush(nil)
            }
            if let violation = outcome.violation {
                print("seed \(seed) failed after \(Double(outcome.microseconds) / 1_000_000) simulated seconds: \(violation)")
                print("digest \(outcome.digest)")
                print("replay with: tools/simulate --seed \(seed) --trace")
                exit(1)
            }
            seed += 1
        }
        print(report.text(seconds: seconds(since: start)))
    }

    private static func seconds(since start: ContinuousClock.Instant) -> Double {
        let took = start.duration(to: .now).components
        return Double(took.seconds) + Double(took.attoseconds) / 1e18
    }
}
