import Raft

/// What lies between members: delays, losses, repetitions, and cuts in either direction.
package struct SimulatedNetwork: Sendable {
    /// One direction between two members.
    private struct Link: Hashable {
        var from: MemberID
        var to: MemberID
        var isLong = false
    }

    private let settings: SimulationSettings
    private var chance: SimulatedChance
    /// Only asked, never gone through, as what follows.
    private var blocked: Set<Link> = []
    /// When the last message of each link arrives.
    private var arrivals: [Link: UInt64] = [:]
    /// Until when what is long keeps each link busy.
    private var busyUntil: [Link: UInt64] = [:]
    /// Of what waits for a peer, beyond which its sender drops more.
    private static let waitingBytesMax: UInt64 = 64 << 20
    /// What is short waits no longer than for so many bytes.
    private static let partBytes: UInt64 = 128 << 10
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

    /// What the process had not sent yet is gone with it.
    package mutating func forget(_ member: MemberID) { busyUntil = busyUntil.filter { $0.key.from != member } }

    /// When the copies of a message arrive, in microseconds from now; usually one.
    ///
    /// - Parameter bytes: of a message with entries or proposals; 0 of what is short.
    package mutating func delays(from: MemberID, to: MemberID, bytes: UInt64 = 0, at now: UInt64) -> [UInt64] {
        guard !isBlocked(from: from, to: to), let wait = wait(from, to, bytes, now) else { return [] }
        let link = Link(from: from, to: to, isLong: bytes > 0)
        if isCalm { return [inOrder(now + wait + chance.skewed(100...2_000), link) - now] }
        guard !chance.happens(settings.lossPercent + extraLossPercent) else { return [] }
        var delay = wait + chance.skewed(settings.networkDelay)
        if chance.happens(settings.stragglerPercent) {
            delay += chance.below(3_000_000)
        } else if settings.keepsOrder {
            delay = inOrder(now + delay, link) - now
        }
        var delays = [delay]
        while delays.count < 4, chance.happens(settings.duplicationPercent) {
            delays.append(delay + chance.skewed(settings.networkDelay) * 2)
        }
        return delays
    }

    /// How long it takes until the link has carried the message; nil when too much waits already.
    private mutating func wait(_ from: MemberID, _ to: MemberID, _ bytes: UInt64, _ now: UInt64) -> UInt64? {
        guard !isCalm, let rate = settings.bytesPerSecond else { return 0 }
        let link = Link(from: from, to: to)
        let start = max(now, busyUntil[link] ?? 0)
        guard bytes > 0 else { return min(start - now, SimulatedNetwork.partBytes * 1_000_000 / rate) }
        guard (start - now) * rate / 1_000_000 < SimulatedNetwork.waitingBytesMax else { return nil }
        let end = start + bytes * 1_000_000 / rate
        busyUntil[link] = end
        return end - now
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
