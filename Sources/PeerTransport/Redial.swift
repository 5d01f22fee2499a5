import NIOCore

/// When to dial again: the first time at once, then after ever longer waits, with a quarter of chance so that members that lost
/// each other at the same moment do not meet at the same moments.
struct Redial {
    private let first: Int64
    private let longest: Int64
    private var step = 0

    init(_ limits: PeerLimits) {
        first = Int64(max(1, limits.redialMillisecondsMin)) * 1000
        longest = Int64(max(1, limits.redialMillisecondsMax)) * 1000
    }

    /// The connection had been good for a while.
    mutating func reset() { step = 0 }

    /// The peer has nothing to say to us for now: no point in trying fast.
    mutating func slowDown() { step = 16 }

    mutating func next(_ random: (ClosedRange<Int64>) -> Int64 = { Int64.random(in: $0) }) -> TimeAmount {
        defer { step = min(step + 1, 16) }
        guard step > 0 else { return .zero }
        let wait = min(longest, first << Int64(step - 1))
        return .microseconds(wait + random(-wait / 4...wait / 4))
    }
}
