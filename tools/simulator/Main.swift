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
            let outcome = World.run(seed: seed, trace: arguments.isTraced ? { print($0) } : nil)
            report.add(outcome)
            if let violation = outcome.violation {
                print("seed \(seed) failed after \(Double(outcome.microseconds) / 1_000_000) simulated seconds: \(violation)")
                print("digest \(outcome.digest)")
                print("replay with: tools/simulate --seed \(seed) --trace")
                exit(1)
            }
            seed += 1
        }
        let took = start.duration(to: .now).components
        print(report.text(seconds: Double(took.seconds) + Double(took.attoseconds) / 1e18))
    }
}
