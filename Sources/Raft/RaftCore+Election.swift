/// Elections (thesis §3.4, §3.6.1), the question before one (§9.6), and who gives a vote when.
extension RaftCore {
    /// May this member stand for election? Not one that does not (or no longer, or not yet) vote, nor one whose log is about
    /// to be replaced. One whose removal is not known to be committed must: of two members the leader removes itself, and crashes
    /// before the other has the entry; the other cannot win against its longer log, so it has to win itself (thesis §4.2.2). It
    /// does not count its own vote then.
    ///
    /// Nor one whose disk has no room, or has not taken its last term and vote yet: it would stand in one term after the other, each time
    /// without a vote of its own, and the others would follow it through all of them.
    var isPromotable: Bool {
        installing == nil && space == .free && durableBallot == ballot && configurations.contains { $0.configuration.voters.contains(id) }
    }

    var isLoneVoter: Bool { configuration.voters.count == 1 && configuration.voters[0] == id }

    /// Drawn again for each wait, from the election timeout to twice that, so that split votes are rare and short (thesis §3.4).
    /// Shorter while the leader is suspected or its process known to be dead, and after a start: then nobody waits for more silence to prove it.
    mutating func drawElectionTimeout() -> UInt64 {
        let base = now < hurryUntil && role != .candidate ? settings.heartbeatMilliseconds : settings.electionMilliseconds
        return base + numbers.below(base)
    }

    mutating func campaign(into output: inout CoreOutput) {
        guard role != .leader, isPromotable else { return }
        loseLeader(into: &output)
        startPreVote(into: &output)
    }

    /// Thesis §9.6: the term grows only when a majority would vote.
    mutating func startPreVote(into output: inout CoreOutput) {
        guard isPromotable else {
            electionDeadline = now + drawElectionTimeout()
            return
        }
        guard settings.preVote, !isLoneVoter else { return startElection(isTransfer: false, into: &output) }
        role = .preCandidate
        electionDeadline = now + drawElectionTimeout()
        granted.removeAll(keepingCapacity: true)
        refused.removeAll(keepingCapacity: true)
        if configuration.voters.contains(id) { granted.append(id) }
        output.notices.append(.preVoteStarted(term.next))
        for voter in configuration.voters where voter != id {
            output.send.append(Message(from: id, to: voter, term: term.next, body: .preVote(last: log.last)))
        }
    }

    /// Requests leave, and the own vote counts, only when term and vote are on disk. A candidate that asked earlier, forgot it in
    /// a crash together with entries it had named, and stood in the same term again, could win with votes given to the longer log.
    mutating func startElection(isTransfer: Bool, into output: inout CoreOutput) {
        loseLeader(into: &output)
        role = .candidate
        term = term.next
        vote = id
        electionDeadline = now + drawElectionTimeout()
        granted.removeAll(keepingCapacity: true)
        refused.removeAll(keepingCapacity: true)
        output.notices.append(.electionStarted(term))
        order(&output)
        for voter in configuration.voters where voter != id {
            promise(.vote(last: log.last, isTransfer: isTransfer), to: voter, isDurable: false, into: &output)
        }
    }

    mutating func countOwnVote(into output: inout CoreOutput) {
        guard durableBallot == ballot, vote == id, !granted.contains(id) else { return }
        if now < hurryUntil {
            let wait = min(Limits.votingHeartbeats * settings.heartbeatMilliseconds, settings.electionMilliseconds)
            electionDeadline = now + wait + numbers.below(wait)
        }
        count(granted: true, from: id, into: &output)
    }

    /// Thesis §3.4: each member's word once; those who are no voters (any more) have none.
    mutating func count(granted isGranted: Bool, from member: MemberID, into output: inout CoreOutput) {
        guard configuration.voters.contains(member), !granted.contains(member), !refused.contains(member) else { return }
        if isGranted { granted.append(member) } else { refused.append(member) }
        if granted.count >= configuration.quorum {
            if role == .preCandidate { startElection(isTransfer: false, into: &output) } else { becomeLeader(into: &output) }
        } else if refused.count > configuration.voters.count - configuration.quorum {
            // It cannot be won any more; the next attempt comes with the deadline that is set.
            becomeFollower(in: term, of: .none, into: &output)
        }
    }

    /// Thesis §3.6.1: whose last term is higher, or whose log is longer in the same one, has at least as much.
    func isUpToDate(_ candidate: LogPosition) -> Bool {
        candidate.term > log.last.term || (candidate.term == log.last.term && candidate.index >= log.last.index)
    }

    /// Answers whoever asks, whether it is known as a member or not: it may have been added by entries that are not here yet.
    mutating func answerPreVote(_ message: Message, last: LogPosition, into output: inout CoreOutput) {
        let isUpToDate = isUpToDate(last)
        let isGranted = message.term > term && isUpToDate && !hearsFromLeader && canVote
        send(.preVoteReply(granted: isGranted), to: message.from, into: &output)
        guard role != .leader, leader == .none || isGranted, message.term > term else { return }
        if isGranted {
            // Two that miss the leader in the same moment ask each other. If both stood, each would have one vote: one lets the other try.
            if role == .preCandidate, message.from > id || last != log.last { becomeFollower(in: term, of: .none, into: &output) }
            electionDeadline = max(electionDeadline, now + settings.heartbeatMilliseconds)
        } else if role != .candidate, !isUpToDate {
            // It has lost the leader too, and cannot win against this log: do not let the cluster wait for a timeout.
            electionDeadline = min(electionDeadline, now + numbers.below(Limits.hurryMillisecondsMax))
        }
    }

    /// - Precondition: the message is of this term.
    mutating func answerVote(_ message: Message, last: LogPosition, into output: inout CoreOutput) {
        let isFree = vote == message.from || (vote == .none && leader == .none)
        guard isFree, isUpToDate(last), space != .full else { return send(.voteReply(granted: false), to: message.from, into: &output) }
        vote = message.from
        electionDeadline = now + drawElectionTimeout()
        promise(.voteReply(granted: true), to: message.from, isDurable: true, into: &output)
    }

    /// A process that died will not come back within its lease: stand for election at once instead of waiting for silence to
    /// prove it. Members that have not noticed yet refuse, so attempts are repeated quickly for a while.
    mutating func noticeDown(_ member: MemberID, into output: inout CoreOutput) {
        loseLink(to: member, into: &output)
        if transfer?.target == member { abortTransfer(into: &output) }
        guard role == .follower, member == leader else { return }
        loseLeader(into: &output)
        hurryUntil = now + settings.electionMilliseconds
        electionDeadline = now + numbers.below(Limits.hurryMillisecondsMax + 1)
    }
}
