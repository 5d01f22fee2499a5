import Glibc

/// Wall time that nobody can step: read once from the system and then carried on by a clock that only goes forward and
/// also counts while the machine sleeps. A TTL must not end early because somebody set the date.
///
/// It starts no earlier than the newest entry of the log, so time does not go back over a restart either.
package struct WallClock: Sendable {
    private var startWall: Int64
    private let startSteady: Int64
    /// How far the clock of the leader is ahead of `startSteady`, as each of its last words had it.
    private var told: [Int64] = []
    private var teller: UInt64 = 0

    private static let toldMax = 32

    /// `notBefore`: nanoseconds since 1970 UTC.
    package init(notBefore: Int64) {
        startWall = max(WallClock.read(CLOCK_REALTIME), notBefore)
        startSteady = WallClock.read(CLOCK_BOOTTIME)
    }

    /// Nanoseconds since 1970 UTC.
    package var now: Int64 { startWall + (WallClock.read(CLOCK_BOOTTIME) - startSteady) }

    /// Another member's clock was ahead: time goes on from there.
    mutating func catchUp(with time: Int64) {
        let now = now
        if time > now { startWall += time - now }
    }

    /// Goes by another clock, which has just been heard of, or a while ago: the word may have waited. So it is the latest of several that
    /// counts, and this clock is behind the other by the time that the quickest of them took. It may go back.
    package mutating func follow(_ time: Int64, of teller: UInt64) {
        let difference = time.subtractingReportingOverflow(WallClock.read(CLOCK_BOOTTIME) - startSteady)
        // Another member may say anything.
        guard time > 0, time < .max / 2, !difference.overflow else { return }
        if teller != self.teller { told.removeAll() }
        self.teller = teller
        if told.count == WallClock.toldMax { told.removeFirst() }
        told.append(difference.partialValue)
        startWall = told.max() ?? startWall
    }

    /// Nanoseconds of a clock that only goes forward; from any beginning.
    package static var steady: Int64 { read(CLOCK_MONOTONIC) }

    /// The same in milliseconds, as the consensus core counts.
    package static var steadyMilliseconds: UInt64 { UInt64(max(steady, 0)) / 1_000_000 }

    private static func read(_ clock: clockid_t) -> Int64 {
        var time = timespec()
        clock_gettime(clock, &time)
        return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
    }
}
