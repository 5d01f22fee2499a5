/// How long something took, counted in buckets whose bounds double. Whoever counts owns it: adding one is a few instructions.
package struct DurationHistogram: Equatable, Sendable {
    /// The bound of the first bucket, in nanoseconds.
    package let first: UInt64
    /// How many fell into each bucket, not cumulative; the last one is "longer than all".
    package private(set) var counts: [UInt64]
    package private(set) var sumNanoseconds: UInt64 = 0

    /// - Parameter bounds: how many buckets have one.
    package init(first nanoseconds: UInt64, bounds: Int) {
        first = nanoseconds
        counts = [UInt64](repeating: 0, count: bounds + 1)
    }

    // As etcd has them (server.md §7).

    /// 1 ms to 8 s.
    package static var disk: DurationHistogram { DurationHistogram(first: 1_000_000, bounds: 14) }
    /// 0.1 ms to 3 s.
    package static var roundTrip: DurationHistogram { DurationHistogram(first: 100_000, bounds: 16) }
    /// 0.1 ms to 52 s.
    package static var apply: DurationHistogram { DurationHistogram(first: 100_000, bounds: 20) }
    /// 10 ms to 11 min.
    package static var copy: DurationHistogram { DurationHistogram(first: 10_000_000, bounds: 17) }
    /// 0.1 s to 51 s.
    package static var transfer: DurationHistogram { DurationHistogram(first: 100_000_000, bounds: 10) }

    /// - Parameter times: how often it took so long.
    package mutating func record(nanoseconds: UInt64, times: UInt64 = 1) {
        var bucket = 0
        var bound = first
        while bucket < counts.count - 1, nanoseconds > bound {
            bucket += 1
            bound *= 2
        }
        counts[bucket] &+= times
        sumNanoseconds &+= nanoseconds &* times
    }

    /// In seconds, as Prometheus writes them.
    package var bounds: [String] { (0..<counts.count - 1).map { "\(Double(first << UInt64($0)) / 1e9)" } }
}
