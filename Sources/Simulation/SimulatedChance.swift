import Raft

/// What the simulator draws from a seed.
package struct SimulatedChance: Sendable {
    private var numbers: SeededNumbers

    package init(seed: UInt64) { numbers = SeededNumbers(seed: seed) }

    package mutating func next() -> UInt64 { numbers.next() }

    /// From 0 up to and without `bound`; 0 for a bound of 0.
    package mutating func below(_ bound: UInt64) -> UInt64 { numbers.below(bound) }

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
