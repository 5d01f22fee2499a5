/// The proposals that somebody waits for: bounded, and each answered once. A waiter is whatever the caller wants to
/// remember of it.
package struct ProposalBook<Waiter> {
    private var waiters: [UInt64: Waiter] = [:]
    /// Requests in the order of their deadlines, which is the order in which they came.
    private var deadlines: [(request: UInt64, deadline: Int64)] = []
    private var firstDeadline = 0
    private let pendingMax: Int

    package init(pendingMax: Int) { self.pendingMax = pendingMax }

    package var count: Int { waiters.count }
    package var isFull: Bool { waiters.count >= pendingMax }

    /// `deadline` in the caller's unit of time; never earlier than the one before.
    package mutating func add(_ request: UInt64, deadline: Int64, _ waiter: Waiter) {
        waiters[request] = waiter
        deadlines.append((request, deadline))
    }

    /// Nil when nobody waits: it was answered, or another member proposed it.
    package mutating func take(_ request: UInt64) -> Waiter? { waiters.removeValue(forKey: request) }

    /// Takes out what waits for too long.
    package mutating func expired(at now: Int64) -> [Waiter] {
        var expired: [Waiter] = []
        while firstDeadline < deadlines.count, deadlines[firstDeadline].deadline <= now {
            if let waiter = waiters.removeValue(forKey: deadlines[firstDeadline].request) { expired.append(waiter) }
            firstDeadline += 1
        }
        // Answered ones are dropped here too, so that the list does not grow with the traffic.
        while firstDeadline < deadlines.count, waiters[deadlines[firstDeadline].request] == nil { firstDeadline += 1 }
        if firstDeadline > 1024, firstDeadline * 2 > deadlines.count {
            deadlines.removeFirst(firstDeadline)
            firstDeadline = 0
        }
        return expired
    }

    /// Takes out all, in the order in which they came.
    package mutating func takeAll() -> [Waiter] {
        let all = deadlines[firstDeadline...].compactMap { waiters.removeValue(forKey: $0.request) }
        deadlines.removeAll()
        firstDeadline = 0
        return all
    }
}
