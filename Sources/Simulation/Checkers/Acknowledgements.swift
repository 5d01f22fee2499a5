import Raft
import Wire

/// A change that was answered stays, and no change happens twice.
package struct Acknowledgements {
    /// Where each request was applied.
    private var places: [UInt64: Index] = [:]
    /// What its client was told: the index at which it happened.
    private var promised: [(request: UInt64, index: Index)] = []

    /// Were turned away for good.
    private var turnedAway: Set<UInt64> = []

    package init() {}

    package var count: Int { promised.count }

    package func place(of request: UInt64) -> Index? { places[request] }

    package mutating func applied(_ entry: LogEntry, by member: MemberID) throws(Violation) {
        let request = entry.payload.request
        guard request != 0 else { return }
        if let place = places[request], place != entry.index {
            throw Violation("exactly once", "request \(request) was applied at \(place) and, on \(member), at \(entry.index)")
        }
        guard !turnedAway.contains(request) else {
            throw Violation("refused is refused", "request \(request) was turned away, and on \(member) applied at \(entry.index)")
        }
        places[request] = entry.index
    }

    package mutating func refused(_ request: UInt64) throws(Violation) {
        if let place = places[request] {
            throw Violation("refused is refused", "request \(request) was turned away, and is applied at \(place)")
        }
        turnedAway.insert(request)
    }

    package mutating func acknowledged(_ request: UInt64, at index: Index) throws(Violation) {
        guard places[request] == index else {
            throw Violation(
                "no acknowledged write lost", "request \(request) was answered as applied at \(index), where it is not")
        }
        promised.append((request, index))
    }

    /// At the end, when a majority is well: `last` is what all its members have applied, the same on each by `StateMachineSafety`.
    package func atTheEnd(applied last: Index) throws(Violation) {
        for promise in promised where promise.index > last {
            throw Violation(
                "no acknowledged write lost", "request \(promise.request) was answered at \(promise.index); the cluster ends at \(last)")
        }
    }
}
