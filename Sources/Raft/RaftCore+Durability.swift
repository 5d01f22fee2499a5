/// Term and vote, which must be durable before anything is promised in the term.
struct Ballot: Equatable, Sendable {
    var term: Term
    var vote: MemberID
}

/// A persist order that is not known to be done.
struct OutstandingOrder: Sendable {
    var number: UInt64
    var ballot: Ballot
    /// Once it is done, the log is durable up to here. A later truncation lowers it: what lies behind is then another entry
    /// than the one that this order has written.
    var end: Index
}

/// What goes to the disk, and what may leave only afterwards (thesis figure 3.1, "updated on stable storage before responding";
/// §10.2.1, writing in parallel with sending).
extension RaftCore {
    var ballot: Ballot { Ballot(term: term, vote: vote) }

    /// The order of this step; begins one if there is none yet.
    func order(_ output: inout CoreOutput) {
        if output.persist == nil { output.persist = PersistOrder(ticket: PersistTicket(number: lastTicket + 1)) }
    }

    /// A message that holds only when something is on disk: at once if `isDurable` says that it is, otherwise with the order of
    /// this step, which is done after all that were given out before.
    mutating func promise(_ body: Message.Body, to member: MemberID, isDurable: Bool, into output: inout CoreOutput) {
        if isDurable, durableBallot == ballot {
            send(body, to: member, into: &output)
        } else {
            order(&output)
            output.persist?.sendAfter.append(Message(from: id, to: member, term: term, body: body))
        }
    }

    /// Everything from `index` on is removed from the log, and the disk follows.
    mutating func truncate(from index: Index, into output: inout CoreOutput) {
        precondition(index > commit && index > handedOn, "raft: a committed entry is not removed")
        log.truncate(from: index)
        order(&output)
        output.persist?.truncateFrom = index
        durable = min(durable, index.previous)
        agreed = min(agreed, index.previous)
        for place in outstanding.indices { outstanding[place].end = min(outstanding[place].end, index.previous) }
        dropChanges(from: index, into: &output)
    }

    /// What was handed on may be applied, and even cut away, before the report that it is durable comes back here.
    mutating func learnApplied(_ index: Index) {
        applied = max(applied, min(index, log.last.index))
        guard index > committed, index <= handedOn else { return }
        durable = max(durable, index)
        raiseCommit(to: index)
    }

    mutating func acknowledge(_ ticket: PersistTicket, into output: inout CoreOutput) {
        let ballotBefore = durableBallot
        var done = 0
        while done < outstanding.count, outstanding[done].number <= ticket.number {
            durable = max(durable, outstanding[done].end)
            durableBallot = outstanding[done].ballot
            done += 1
        }
        guard done > 0 else { return }
        outstanding.removeFirst(done)
        commitAddition()
        switch role {
        case .candidate:
            // Its requests leave only now, however long the disk took.
            if durableBallot != ballotBefore { electionDeadline = now + drawElectionTimeout() }
            countOwnVote(into: &output)
        case .leader: countDurable(into: &output)
        case .follower, .preCandidate: break
        }
    }

    /// Completes the order of the step and tells how far entries may be applied.
    mutating func finishStep(into output: inout CoreOutput) {
        if role == .leader { finishLeading(into: &output) }
        if ballot != ordered {
            order(&output)
            ordered = ballot
            output.persist?.hardState = HardState(term: term, vote: vote, commit: committed)
        }
        if let entries = output.persist?.entries.count {
            lastTicket += 1
            outstanding.append(OutstandingOrder(number: lastTicket, ballot: ballot, end: log.last.index))
            if entries > 0, isLoneVoter, role == .leader {
                output.persist?.durableIsCommitted = true
                handedOn = log.last.index
            }
        }
        let ready = min(commit, durable)
        if ready > committed {
            committed = ready
            output.committed = ready
        }
    }
}
