import Keyspace
import Raft
import Wire

/// Every member that applies an index applies the same entry there and holds the same state afterwards (thesis figure 3.2).
package struct StateMachineSafety {
    private struct Applied {
        var term: Term
        var contents: UInt32
        var hash: StateHash
        var by: MemberID
    }

    /// Place 0 is index 1.
    private var history: [Applied?] = []

    package init() {}

    /// The last index that anybody has applied.
    package var last: Index { Index(UInt64(history.count)) }

    package func term(at index: Index) -> Term? {
        index > 0 && index <= last ? history[Int(index.value) - 1]?.term : nil
    }

    package mutating func applied(_ entry: LogEntry, hash: StateHash, by member: MemberID) throws(Violation) {
        let place = Int(entry.index.value) - 1
        let contents = entry.checksum(after: 0)
        while history.count <= place { history.append(nil) }
        guard let first = history[place] else {
            history[place] = Applied(term: entry.term, contents: contents, hash: hash, by: member)
            return
        }
        guard first.term == entry.term, first.contents == contents else {
            throw Violation(
                "state machine safety",
                "\(member) applied an entry of term \(entry.term) at index \(entry.index), \(first.by) another one of term \(first.term)")
        }
        guard first.hash == hash else {
            throw Violation(
                "state machine safety",
                "the state behind index \(entry.index) is \(hash.hex) on \(member) and \(first.hash.hex) on \(first.by)")
        }
    }

    /// A member has the state of `position` in one piece, from a snapshot.
    package func installed(_ position: LogPosition, hash: StateHash, by member: MemberID) throws(Violation) {
        guard position.index > 0 else { return }
        guard position.index <= last, let first = history[Int(position.index.value) - 1] else {
            throw Violation("state machine safety", "\(member) installed entry \(position.index), which nobody has applied")
        }
        guard first.term == position.term, first.hash == hash else {
            throw Violation(
                "state machine safety",
                "the snapshot of index \(position.index), term \(position.term) on \(member) is not what \(first.by) had there")
        }
    }
}
