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
    /// Only asked, never gone through, as what follows.
    private var blocked: Set<Link> = []
    /// When the last message of each link arrives.
    private var arrivals: [Link: UInt64] = [:]
    /// More is lost than the settings say, for a while.
    package var extraLossPercent = 0.0
    package var isCalm = false

    package init(_ settings: SimulationSettings, _ chance: SimulatedChance) {
        self.settings = settings
        self.chance = chance
    }

    package func isBlocked(from: MemberID, to: MemberID) -> Bool {
        !blocked.isEmpty && blocked.contains(Link(from: from, to: to))
    }

    package var isAnythingBlocked: Bool { !blocked.isEmpty }

    package mutating func block(from: MemberID, to: MemberID) { blocked.insert(Link(from: from, to: to)) }

    package mutating func heal() { blocked = [] }

    /// When the copies of a message arrive, in microseconds from now; usually one.
    package mutating func delays(from: MemberID, to: MemberID, at now: UInt64) -> [UInt64] {
        guard !isBlocked(from: from, to: to) else { return [] }
        if isCalm { return [inOrder(now + chance.skewed(100...2_000), Link(from: from, to: to)) - now] }
        guard !chance.happens(settings.lossPercent + extraLossPercent) else { return [] }
        var delay = chance.skewed(settings.networkDelay)
        if chance.happens(settings.stragglerPercent) {
            delay += chance.below(3_000_000)
        } else if settings.keepsOrder {
            delay = inOrder(now + delay, Link(from: from, to: to)) - now
        }
        var delays = [delay]
        while delays.count < 4, chance.happens(settings.duplicationPercent) {
            delays.append(delay + chance.skewed(settings.networkDelay) * 2)
        }
        return delays
    }

    private mutating func inOrder(_ time: UInt64, _ link: Link) -> UInt64 {
        let time = max(time, arrivals[link] ?? 0)
        arrivals[link] = time
        return time
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
