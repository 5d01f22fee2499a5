/// Chance from a seed (splitmix64): the same on every machine and in every run.
package struct SimulatedChance: Sendable {
    private var state: UInt64

    package init(seed: UInt64) { state = seed }

    package mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }

    /// From 0 up to and without `bound`; 0 for a bound of 0.
    package mutating func below(_ bound: UInt64) -> UInt64 { next().multipliedFullWidth(by: bound).high }

    package mutating func below(_ bound: Int) -> Int { Int(below(UInt64(max(bound, 0)))) }

    package mutating func within(_ range: ClosedRange<UInt64>) -> UInt64 {
        range.lowerBound + below(range.upperBound - range.lowerBound + 1)
    }

    /// True `percent` times out of a hundred.
    package mutating func happens(_ percent: Double) -> Bool {
        Double(next() >> 11) / Double(1 << 53) * 100 < percent
    }

    /// - Precondition: there is something to pick from.
    package mutating func pick<Value>(_ values: [Value]) -> Value { values[below(values.count)] }

    package mutating func shuffled<Value>(_ values: [Value]) -> [Value] {
        var values = values
        for position in stride(from: values.count - 1, to: 0, by: -1) { values.swapAt(position, below(position + 1)) }
        return values
    }

    /// Mostly near the lower end, now and then far out, as delays are.
    package mutating func skewed(_ range: ClosedRange<UInt64>) -> UInt64 {
        let width = range.upperBound - range.lowerBound + 1
        let one = below(width)
        let two = below(width)
        return range.lowerBound + min(one, two, below(width))
    }

    /// A generator of its own, so that what one part draws does not move what another does.
    package mutating func branch() -> SimulatedChance { SimulatedChance(seed: next()) }
}
