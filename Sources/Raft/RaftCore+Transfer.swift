/// A hand-over that is under way.
struct Transfer: Sendable {
    var target: MemberID
    var deadline: UInt64
    /// Because this leader's disk has no room; it goes on with the next target when this one does not take over.
    var isRetreat = false
    /// Whether beginning and failure are worth a notice: not with each of many tries.
    var isTold = true
}

/// Handing leadership over (thesis §3.10): the target is brought up to date, then told to stand for election at once.
extension RaftCore {
    mutating func startTransfer(to wanted: MemberID?, into output: inout CoreOutput) {
        guard role == .leader else { return }
        // Whom does not matter, and one is asked already.
        if wanted == nil, transfer != nil { return }
        let place = if let wanted { self.place(ofPeer: wanted) } else { drawMostAdvancedVoter() }
        guard let place, peers[place].isVoter else {
            if let wanted, wanted != id { output.notices.append(.transferFailed(to: wanted)) }
            return
        }
        if transfer?.target == peers[place].id { return }
        abortTransfer(into: &output)
        startTransfer(to: place, isRetreat: false, isTold: true, into: &output)
    }

    mutating func startTransfer(to place: Int, isRetreat: Bool, isTold: Bool, into output: inout CoreOutput) {
        let target = peers[place].id
        transfer = Transfer(target: target, deadline: now + settings.electionMilliseconds, isRetreat: isRetreat, isTold: isTold)
        if isTold { output.notices.append(.transferStarted(to: target)) }
        handOver(to: place, into: &output)
    }

    mutating func abortTransfer(into output: inout CoreOutput) {
        guard let current = transfer else { return }
        transfer = nil
        if current.isTold { output.notices.append(.transferFailed(to: current.target)) }
    }

    /// If the peer is the target and has everything.
    mutating func handOver(to place: Int, into output: inout CoreOutput) {
        guard let transfer, transfer.target == peers[place].id, peers[place].match == log.last.index else { return }
        send(.timeoutNow, to: transfer.target, into: &output)
    }

    mutating func hearTimeoutNow(_ member: MemberID, into output: inout CoreOutput) {
        guard role == .follower || role == .preCandidate, leader == .none || leader == member, isPromotable else { return }
        startElection(isTransfer: true, into: &output)
    }
}
