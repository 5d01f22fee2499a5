/// What always holds after a step, whatever came in: a broken promise of this code, on which it is better to stop than to go on.
extension RaftCore {
    func checkInvariants() {
        precondition(log.cut.index <= committed && committed <= commit && commit <= log.last.index, "raft: cut <= committed <= last")
        precondition(committed <= durable && durable <= log.last.index, "raft: committed <= durable <= last")
        precondition(commit <= agreed && agreed <= max(log.last.index, commit), "raft: commit <= agreed <= last")
        precondition(log.last.term <= term, "raft: no entry is of a term to come")
        precondition(durableBallot.term <= ordered.term && ordered == ballot, "raft: every ballot is ordered to be written")
        precondition((role == .leader) == (leader == id), "raft: the leader knows itself")
        precondition(role == .leader || peers.isEmpty, "raft: only a leader has peers")
        precondition(installing == nil || role == .follower, "raft: a log that is about to be replaced does not lead")
        assert(linearChecks())
    }

    /// In debug builds alone.
    private func linearChecks() -> Bool {
        precondition(configurations[0].index <= commit, "raft: the first configuration is committed")
        var place = 1
        while place < configurations.count {
            precondition(configurations[place - 1].index < configurations[place].index, "raft: configurations are in order")
            place += 1
        }
        for order in outstanding { precondition(order.end <= log.last.index, "raft: an order promises what is not in the log") }
        for peer in peers {
            precondition(peer.match < peer.next && peer.next <= log.last.index.next, "raft: match < next <= last + 1")
        }
        return true
    }
}
