import Raft

/// What lies between members: delays, losses, repetitions, and cuts in either direction.
package struct SimulatedNetwork: Sendable {
    /// One direction between two members.
    private struct Link: Hashable {
        var from: MemberID
        var to: MemberID
    }

    private let settings: SimulationSettings
    private var chance: SimulatedChance
    /// Only asked, never gone through.
    private var blocked: Set<Link> = []
    /// More is lost than the settings say, for a while.
    package var extraLossPercent = 0.0
    package var isCalm = false

    package init(_ settings: SimulationSettings, _ chance: SimulatedChance) {
        self.settings = settings
        self.chance = chance
    }

    package func isBlocked(from: MemberID, to: MemberID) -> Bool { blocked.contains(Link(from: from, to: to)) }

    package mutating func block(from: MemberID, to: MemberID) { blocked.insert(Link(from: from, to: to)) }

    package mutating func heal() { blocked = [] }

    /// When the copies of a message arrive, in microseconds from now; usually one.
    package mutating func delays(from: MemberID, to: MemberID) -> [UInt64] {
        guard !isBlocked(from: from, to: to) else { return [] }
        if isCalm { return [chance.skewed(100...2_000)] }
        guard !chance.happens(settings.lossPercent + extraLossPercent) else { return [] }
        var delays = [delay()]
        while delays.count < 4, chance.happens(settings.duplicationPercent) { delays.append(delay() * 2) }
        return delays
    }

    private mutating func delay() -> UInt64 {
        let delay = chance.skewed(settings.networkDelay)
        return chance.happens(settings.stragglerPercent) ? delay + chance.below(3_000_000) : delay
    }

    // MARK: Partitions

    /// Two groups that do not hear each other.
    package mutating func split(_ one: [MemberID], from other: [MemberID]) {
        for first in one {
            for second in other {
                block(from: first, to: second)
                block(from: second, to: first)
            }
        }
    }

    /// Each hears its two neighbours only.
    package mutating func makeRing(_ members: [MemberID]) {
        let count = members.count
        for first in 0..<count {
            for second in 0..<count where first != second && (first + 1) % count != second && (second + 1) % count != first {
                block(from: members[first], to: members[second])
            }
        }
    }
}
