import Simulation

/// What `tools/simulate` was asked for.
struct Arguments {
    var seeds: UInt64 = 20
    var first: UInt64 = 1
    /// Go on with further seeds until so much was simulated.
    var hours: Double?
    /// These alone, in a cluster with default timings; nil: drawn from the seed, as all else.
    var settings: SimulationSettings?
    var faults: String?
    /// Tell what happens.
    var isTraced = false
    var tellsMessages = false
    /// Tell of each seed.
    var isTalkative = false

    static let help = """
        usage: tools/simulate [--seeds N] [--seed S] [--hours H] [--faults LIST] [--verbose] [--trace] [--messages]

        Runs a whole cluster in one thread and virtual time, once for each seed, and checks what must never break.
          --seeds N   so many seeds (default 20, or 1 with --seed)
          --seed S    the first seed (default 1)
          --hours H   as many seeds as it takes to simulate H hours
          --faults LIST   not what the seed says, but three members with default timings and these faults alone, separated by commas,
                      half a minute apart and more; of silentDeath the time to the next write is told:
                      \(FaultKind.allCases.map { "\($0)" }.joined(separator: ", "))
          --verbose   a line for each seed
          --trace     tell what happens, with the simulated seconds
          --messages  the same, and each message
        The exit code is 0 when all is well, 1 when something broke, 2 when the arguments make no sense.
        """

    /// Nil when they make no sense.
    init?(_ words: [String]) {
        var words = words[...]
        var seeds: UInt64?
        var isFirstGiven = false
        while let word = words.popFirst() {
            switch word {
            case "--trace": isTraced = true
            case "--messages": (isTraced, tellsMessages) = (true, true)
            case "--verbose": isTalkative = true
            case "--seeds", "--seed", "--hours", "--faults":
                guard let value = words.popFirst() else { return nil }
                if word == "--faults" {
                    var kinds: [FaultKind] = []
                    for name in value.split(separator: ",") {
                        guard let kind = FaultKind.allCases.first(where: { "\($0)" == name }) else { return nil }
                        kinds.append(kind)
                    }
                    settings = SimulationSettings(faults: kinds)
                    faults = value
                } else if word == "--hours" {
                    guard let number = Double(value), number > 0 else { return nil }
                    hours = number
                } else {
                    guard let number = UInt64(value) else { return nil }
                    if word == "--seeds" { seeds = number } else { (first, isFirstGiven) = (number, true) }
                }
            default: return nil
            }
        }
        self.seeds = seeds ?? (hours != nil ? .max : isFirstGiven ? 1 : 20)
    }
}
