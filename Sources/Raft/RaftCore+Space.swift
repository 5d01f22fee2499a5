/// What this member's disk still takes.
package enum DiskSpace: Hashable, Sendable {
    case free
    /// The log takes entries and votes, but what is applied cannot be stored for good: whoever has more room should lead.
    case logOnly
    /// Nothing new becomes durable here.
    case full
}

/// A disk without room. Such a member may hear, follow and hand on what it knows, but must promise nothing: it gives no votes and asks for
/// none, takes no entries, and as the leader takes no proposals and looks for another one.
///
/// Nothing of this is needed for safety: what is not durable is not promised anyway. It keeps the others from waiting for such a
/// member, and this one from gathering what it cannot write.
extension RaftCore {
    mutating func learnSpace(_ new: DiskSpace, into output: inout CoreOutput) {
        guard new != space else { return }
        space = new
        switch role {
        case .leader:
            if new == .free { endRetreat(into: &output) } else { retreat(into: &output) }
        case .preCandidate: if new != .free { becomeFollower(in: term, of: .none, into: &output) }
        // The vote that it waits for may be the very write that found no room: when that is done, it may win.
        case .candidate, .follower: break
        }
    }

    /// A vote that is asked for now could be given.
    var canVote: Bool { space != .full && durableBallot == ballot }

    /// Asks one voter after the other to take over, as long as it leads without room. Who has none either does not answer.
    mutating func retreat(into output: inout CoreOutput) {
        guard role == .leader, space != .free, transfer == nil, canBeReplaced, let place = drawMostAdvancedVoter(but: retreatedTo) else {
            return
        }
        let isFirst = retreatedTo == .none
        retreatedTo = peers[place].id
        startTransfer(to: place, isRetreat: true, isTold: isFirst, into: &output)
    }

    private mutating func endRetreat(into output: inout CoreOutput) {
        retreatedTo = .none
        if transfer?.isRetreat == true { abortTransfer(into: &output) }
    }

    /// Are there enough others that could elect one of them, without what this disk can no longer promise?
    private var canBeReplaced: Bool {
        var voters = space == .logOnly && configuration.voters.contains(id) ? 1 : 0
        for peer in peers where peer.isVoter && now < peer.lastHeard + settings.electionMilliseconds { voters += 1 }
        return voters >= configuration.quorum
    }
}
