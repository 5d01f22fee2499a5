/// Handing leadership over (thesis §3.10): the target is brought up to date, then told to stand for election at once.
extension RaftCore {
    mutating func startTransfer(to wanted: MemberID?, into output: inout CoreOutput) {
        guard role == .leader else { return }
        let place = if let wanted { self.place(ofPeer: wanted) } else { drawMostAdvancedVoter() }
        guard let place, peers[place].isVoter else {
            if let wanted, wanted != id { output.notices.append(.transferFailed(to: wanted)) }
            return
        }
        let target = peers[place].id
        if transfer?.target == target { return }
        abortTransfer(into: &output)
        transfer = (target, now + settings.electionMilliseconds)
        output.notices.append(.transferStarted(to: target))
        handOver(to: place, into: &output)
    }

    mutating func abortTransfer(into output: inout CoreOutput) {
        guard let current = transfer else { return }
        transfer = nil
        output.notices.append(.transferFailed(to: current.target))
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
