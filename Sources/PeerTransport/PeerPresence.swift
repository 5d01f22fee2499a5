/// Whether the process of a peer is gone, as far as its connections tell.
///
/// A process that dies closes its connections, and then its system refuses new ones. A connection that merely breaks is no proof, and neither
/// is a refusal alone: the peer may never have been there. So all of this, in this order:
///
/// ```
///   there:    a connection, theirs or ours
///   lost:     the last one has ended             -> every address is dialled once more, at once
///   down:     every address has refused in turn  -> said once, until it is there again
/// ```
struct PeerPresence {
    private enum State {
        case neverSeen
        case there
        case lost
        case down
    }

    private var state = State.neverSeen

    /// A connection, in either direction.
    mutating func connected() { state = .there }

    /// One has ended.
    mutating func disconnected(isAnotherOpen: Bool) {
        if case .there = state, !isAnotherOpen { state = .lost }
    }

    /// All addresses were dialled, one after the other. True when that says that the peer is down.
    mutating func dialledAll(allRefused: Bool) -> Bool {
        guard case .lost = state, allRefused else { return false }
        state = .down
        return true
    }
}
