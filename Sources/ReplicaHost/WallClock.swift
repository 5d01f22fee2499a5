import Glibc

/// Wall time that nobody can step: read once from the system and then carried on by a clock that only goes forward and
/// also counts while the machine sleeps. A TTL must not end early because somebody set the date.
///
/// It starts no earlier than the newest entry of the log, so time does not go back over a restart either.
package struct WallClock: Sendable {
    private var startWall: Int64
    private let startSteady: Int64

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
