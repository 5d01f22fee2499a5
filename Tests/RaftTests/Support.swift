import Raft

/// A member with a disk that does what it is told: persists what it was given when the test says so.
struct Bench {
    var core: RaftCore
    /// What was handed out to be written and is not yet on disk.
    private(set) var unwritten: [(term: Term, upTo: Index)] = []
    private(set) var outputs: [RaftCore.Output] = []

    static let id = MemberID(0x8e9e_05c5_2164_694d)

    init(hardState: HardState = HardState(), last: LogPosition = .origin, applied: Index = 0) {
        core = RaftCore(id: Bench.id, hardState: hardState, last: last, applied: applied)
    }

    @discardableResult
    mutating func step(_ input: RaftCore.Input) -> RaftCore.Output {
        var output = RaftCore.Output()
        core.step(input, into: &output)
        if let state = output.hardState { unwritten.append((state.term, core.durable)) }
        if let entry = output.emptyEntry { unwritten.append((entry.term, entry.index)) }
        if let range = output.appended { unwritten.append((core.term, range.upperBound)) }
        outputs.append(output)
        return output
    }

    /// The oldest write reaches the disk.
    @discardableResult
    mutating func persistOne() -> RaftCore.Output {
        guard !unwritten.isEmpty else { return RaftCore.Output() }
        let write = unwritten.removeFirst()
        return step(.persisted(term: write.term, upTo: write.upTo))
    }

    mutating func persistAll() { while !unwritten.isEmpty { persistOne() } }

    /// Elected, with the empty entry of its term committed.
    static func leader(hardState: HardState = HardState(), last: LogPosition = .origin, applied: Index = 0) -> Bench {
        var bench = Bench(hardState: hardState, last: last, applied: applied)
        bench.step(.campaign)
        bench.persistAll()
        return bench
    }
}

/// SplitMix64: the same seed gives the same numbers on every machine.
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}
