import Raft
import Wire

/// Two logs that hold an entry with the same index and term hold the same entries up to there (thesis figure 3.2).
///
/// By induction it is enough that each position is always seen with the same contents behind the same predecessor.
package struct LogMatching {
    private struct Seen {
        var previous: Term
        var contents: UInt32
    }

    private var entries: [LogPosition: Seen] = [:]

    package init() {}

    /// A member has put `entry` into its log, behind an entry of term `previous`.
    package mutating func wrote(_ entry: LogEntry, behind previous: Term, by member: MemberID) throws(Violation) {
        let contents = entry.checksum(after: 0)
        guard let seen = entries[entry.position] else {
            entries[entry.position] = Seen(previous: previous, contents: contents)
            return
        }
        guard seen.previous == previous, seen.contents == contents else {
            throw Violation(
                "log matching",
                "entry \(entry.index) of term \(entry.term) on \(member) differs from what another log has there: "
                    + (seen.contents == contents ? "its predecessor is of term \(previous), not \(seen.previous)" : "its contents"))
        }
    }
}
