/// What comes in from others, and following (thesis §3.3, §3.5).
extension RaftCore {
    mutating func receive(_ message: Message, into output: inout CoreOutput) {
        guard message.to == id, message.from != id, message.from != .none, message.term.value < Limits.numberMax else { return }
        // The term of a pre-vote is one that nobody has yet.
        if case .preVote(let last) = message.body { return answerPreVote(message, last: last, into: &output) }
        if message.term < term, !isPreVoteGrant(message.body) { return answerOlder(message, into: &output) }
        if message.term > term {
            // Not even the term is taken from who disturbs a working leader (thesis §4.2.3).
            if case .vote(_, let isTransfer) = message.body, settings.checkQuorum, hearsFromLeader, !isTransfer { return }
            becomeFollower(in: message.term, of: isFromLeader(message.body) ? message.from : .none, into: &output)
        }
        dispatch(message, into: &output)
    }

    /// Whoever would vote is often a term behind.
    private func isPreVoteGrant(_ body: Message.Body) -> Bool { body == .preVoteReply(granted: true) }

    private func isFromLeader(_ body: Message.Body) -> Bool {
        switch body {
        case .append, .heartbeat, .timeoutNow: true
        default: false
        }
    }

    private mutating func dispatch(_ message: Message, into output: inout CoreOutput) {
        let from = message.from
        switch message.body {
        case .preVote: break
        case .preVoteReply(let granted): if role == .preCandidate { count(granted: granted, from: from, into: &output) }
        case .vote(let last, _): answerVote(message, last: last, into: &output)
        case .voteReply(let granted): if role == .candidate { count(granted: granted, from: from, into: &output) }
        case .append(let previous, let entries, let commit):
            guard follow(from, into: &output) else { return }
            take(entries, behind: previous, commit: commit, into: &output)
        case .heartbeat(let round, let commit):
            guard follow(from, into: &output) else { return }
            hearHeartbeat(round: round, commit: commit, into: &output)
        case .appendAccepted(let matched): hearAccepted(from, matched: matched, into: &output)
        case .snapshotInstalled(let position): hearAccepted(from, matched: position.index, into: &output)
        case .appendRefused(let previous, let hint): hearRefused(from, previous: previous, hint: hint, into: &output)
        case .heartbeatReply(let round): hearHeartbeatReply(from, round: round, into: &output)
        case .readIndex(let number): requestRead(number, of: from, into: &output)
        case .readIndexReply(let number, let index): hearReadIndex(from, number: number, index: index, into: &output)
        case .timeoutNow: hearTimeoutNow(from, into: &output)
        }
    }

    /// Tells who is behind that it is. A leader that a member has left behind (its term grew in an election that it lost) learns
    /// it so and steps down; else the member would refuse it for ever, and nobody would vote for the member.
    private mutating func answerOlder(_ message: Message, into output: inout CoreOutput) {
        switch message.body {
        case .append, .heartbeat: send(.heartbeatReply(round: 0), to: message.from, into: &output)
        case .vote: send(.voteReply(granted: false), to: message.from, into: &output)
        case .readIndex(let number): send(.readIndexReply(context: number, index: nil), to: message.from, into: &output)
        case .preVote, .preVoteReply, .voteReply, .appendAccepted, .appendRefused, .heartbeatReply, .readIndexReply, .timeoutNow,
            .snapshotInstalled:
            break
        }
    }

    mutating func becomeFollower(in newTerm: Term, of newLeader: MemberID, into output: inout CoreOutput) {
        if newTerm > term {
            // The election of the one that leadership was handed to, in all likelihood: no failure to speak of.
            transfer = nil
            loseLeader(into: &output)
            term = newTerm
            vote = .none
        }
        if role == .leader { stopLeading(into: &output) }
        if role != .follower {
            role = .follower
            output.notices.append(.becameFollower(term, leader: newLeader))
        }
        guard newLeader != leader else { return }
        loseLeader(into: &output)
        leader = newLeader
        agreed = commit
        forwardReads(into: &output)
    }

    /// Nobody leads, as far as this member knows: what was asked of the leader will not be answered.
    mutating func loseLeader(into output: inout CoreOutput) {
        failForwardedReads(into: &output)
        if role != .leader {
            leader = .none
            agreed = commit
        }
    }

    /// The leader of the term has spoken. False if that cannot be the leader: a term has one (thesis §3.6.3).
    mutating func follow(_ member: MemberID, into output: inout CoreOutput) -> Bool {
        guard role != .leader, leader == .none || leader == member else { return false }
        becomeFollower(in: term, of: member, into: &output)
        noteContact()
        return true
    }

    /// The AppendEntries of thesis figure 3.1, for a member whose disk answers later.
    private mutating func take(
        _ entries: [EntryHeader], behind previous: LogPosition, commit leaderCommit: Index, into output: inout CoreOutput
    ) {
        // Without room it could keep nothing of what is sent, and each word about what it has would only bring more. When there is room
        // the leader finds out where to go on.
        guard installing == nil, space != .full, isOrderly(entries, behind: previous) else { return }
        let end = Index(previous.index.value + UInt64(entries.count))
        // Up to the commit index all logs are equal, and so nothing needs to be compared there; part of it may even be cut away.
        guard end > commit else { return accept(upTo: commit, leaderCommit: leaderCommit, into: &output) }
        var place = 0
        if previous.index < commit {
            place = Int(commit.value - previous.index.value)
        } else if !log.holds(previous) {
            let hint = log.lastPosition(upTo: previous.index, termAtMost: previous.term)
            return send(.appendRefused(previous: previous.index, hint: hint), to: leader, into: &output)
        }
        while place < entries.count, log.holds(entries[place].position) { place += 1 }
        if place < entries.count {
            let first = entries[place].position.index
            // What a correct leader never asks for is not done.
            guard first > max(commit, handedOn), entries[place].position.term >= (log.term(at: first.previous) ?? term) else {
                return
            }
            if first <= log.last.index { truncate(from: first, into: &output) }
            append(entries[place...], into: &output)
        }
        accept(upTo: end, leaderCommit: leaderCommit, into: &output)
    }

    private mutating func accept(upTo end: Index, leaderCommit: Index, into output: inout CoreOutput) {
        agreed = max(agreed, end)
        raiseCommit(to: min(leaderCommit, agreed))
        promise(.appendAccepted(matched: end), to: leader, isDurable: end <= durable, into: &output)
    }

    private mutating func append(_ entries: ArraySlice<EntryHeader>, into output: inout CoreOutput) {
        order(&output)
        output.persist?.entries.append(contentsOf: entries)
        for entry in entries {
            log.append(count: 1, term: entry.position.term)
            guard let change = entry.change else { continue }
            adopt(change, at: entry.position.index)
            output.notices.append(.configurationChanged(configuration, at: entry.position.index))
        }
    }

    private func isOrderly(_ entries: [EntryHeader], behind previous: LogPosition) -> Bool {
        guard previous.index.value < Limits.numberMax, previous.term <= term else { return false }
        var before = previous
        for entry in entries {
            let position = entry.position
            guard position.index == before.index.next, position.term >= before.term, position.term <= term else { return false }
            before = position
        }
        return true
    }

    private mutating func hearHeartbeat(round: UInt64, commit leaderCommit: Index, into output: inout CoreOutput) {
        raiseCommit(to: min(leaderCommit, agreed))
        guard round != 0 else { return }
        send(.heartbeatReply(round: round), to: leader, into: &output)
        // The leader believes that this log agrees with its own further than was seen in this life: let it look again. Without
        // that a member that restarted would not learn of commits before the next entry, and one that lost entries never.
        if leaderCommit > agreed, installing == nil, leaderCommit.value < Limits.numberMax {
            let hint = log.lastPosition(upTo: leaderCommit, termAtMost: term)
            send(.appendRefused(previous: leaderCommit, hint: hint), to: leader, into: &output)
        }
        repeatForwardedReads(into: &output)
    }

    mutating func raiseCommit(to index: Index) {
        guard index > commit else { return }
        commit = index
        agreed = max(agreed, commit)
        forgetOldConfigurations()
    }
}
