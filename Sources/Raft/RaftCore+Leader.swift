/// Leading: proposals, heartbeats, commitment (thesis §3.5, §3.6.2, §6.2).
extension RaftCore {
    mutating func becomeLeader(into output: inout CoreOutput) {
        role = .leader
        leader = id
        firstOfTerm = log.last.index.next
        heartbeatDeadline = now + settings.heartbeatMilliseconds
        adjustPeers()
        output.notices.append(.becameLeader(term))
        // Nothing of older terms is committed by counting, so each term opens with an entry that may be (thesis §3.6.2).
        appendOwn([nil], into: &output)
    }

    mutating func stopLeading(into output: inout CoreOutput) {
        abortTransfer(into: &output)
        retreatedTo = .none
        failReadsOfLeadership(into: &output)
        peers.removeAll()
        electionDeadline = now + drawElectionTimeout()
    }

    mutating func propose(_ proposals: [ConfigurationChange?], into output: inout CoreOutput) {
        guard !proposals.isEmpty else { return }
        guard role == .leader else { return output.refusal = .notLeader(leader) }
        guard space == .free else { return output.refusal = .noRoom }
        guard transfer == nil else { return output.refusal = .transferring }
        for case let change? in proposals where proposals.count > 1 || !mayChange(by: change) {
            return output.refusal = .changePending
        }
        let first = log.last.index.next
        appendOwn(proposals, into: &output)
        output.appended = first...log.last.index
    }

    /// Sends them in the same moment as they go to the disk; this member counts itself only when they are there (thesis §10.2.1).
    private mutating func appendOwn(_ proposals: [ConfigurationChange?], into output: inout CoreOutput) {
        order(&output)
        output.persist?.entries.reserveCapacity(proposals.count)
        var index = log.last.index.next
        log.append(count: UInt64(proposals.count), term: term)
        for change in proposals {
            output.persist?.entries.append(EntryHeader(position: LogPosition(index: index, term: term), change: change))
            if let change {
                adopt(change, at: index)
                adjustPeers()
                output.notices.append(.configurationChanged(configuration, at: index))
            }
            index = index.next
        }
        replicateToAll(into: &output)
    }

    mutating func tickAsLeader(into output: inout CoreOutput) {
        if let current = transfer, now >= current.deadline { abortTransfer(into: &output) }
        for place in peers.indices where gathersUntil(place).map({ $0 <= now }) ?? false { replicate(to: place, into: &output) }
        guard now >= heartbeatDeadline, !peers.isEmpty else { return }
        forgiveOwnPause()
        heartbeatDeadline = now + settings.heartbeatMilliseconds
        if settings.checkQuorum, !hasContactWithQuorum {
            output.notices.append(.lostQuorum(term))
            return becomeFollower(in: term, of: .none, into: &output)
        }
        dropLeavingPeers()
        endWaitForInstallations(into: &output)
        sendHeartbeats(into: &output)
        retreat(into: &output)
        if let transfer, let place = place(ofPeer: transfer.target) { handOver(to: place, into: &output) }
    }

    /// If this process was stopped, what others said meanwhile lies unread in front of it; their silence proves nothing.
    private mutating func forgiveOwnPause() {
        let late = now - heartbeatDeadline
        guard late > settings.heartbeatMilliseconds else { return }
        for place in peers.indices { peers[place].lastHeard = min(now, peers[place].lastHeard + late) }
    }

    /// Thesis §6.2: a leader that is cut off must not keep its clients waiting.
    private var hasContactWithQuorum: Bool {
        var heard = configuration.voters.contains(id) ? 1 : 0
        for peer in peers where peer.isVoter && now < peer.lastHeard + settings.electionMilliseconds { heard += 1 }
        return heard >= configuration.quorum
    }

    /// Each round has its number, and may serve as proof of leadership for the reads that wait for it.
    mutating func sendHeartbeats(into output: inout CoreOutput) {
        round += 1
        for place in peers.indices {
            let known = min(peers[place].match, commit)
            peers[place].commitTold = max(peers[place].commitTold, known)
            send(.heartbeat(round: round, commit: known), to: peers[place].id, into: &output)
        }
    }

    func place(ofPeer member: MemberID) -> Int? { peers.firstIndex { $0.id == member } }

    /// Where the peer stands in the list; it was heard in this term. Nil unless leading.
    mutating func hear(_ member: MemberID) -> Int? {
        guard role == .leader, let place = place(ofPeer: member) else { return nil }
        peers[place].lastHeard = now
        return place
    }

    /// The highest index that a majority of voters has on disk, if it is of this term (thesis §3.6.2): an entry of an older term
    /// on a majority may still be overwritten, as figure 3.7 shows, and is committed only together with one of this term.
    mutating func countDurable(into output: inout CoreOutput) {
        guard role == .leader else { return }
        var agreed = agreedByQuorum(of: configuration)
        // Any majority before a change overlaps with any after it, so either may commit the change itself, and what lies before it.
        // Who adds a member to a cluster of one, or to one of two with a member down, starts the new one when told that it was added,
        // so that must not wait for the new one.
        if configurations.count == 2, configurations[0].configuration.voters.count < configuration.voters.count {
            agreed = max(agreed, min(agreedByQuorum(of: configurations[0].configuration), configurations[1].index))
        }
        if agreed >= firstOfTerm { raiseCommit(to: agreed) }
    }

    /// The highest index that a majority of these voters has on disk.
    private mutating func agreedByQuorum(of configuration: Configuration) -> Index {
        matches.removeAll(keepingCapacity: true)
        if configuration.voters.contains(id) { matches.append(durable) }
        for peer in peers where configuration.voters.contains(peer.id) { matches.append(peer.match) }
        guard !configuration.voters.isEmpty, matches.count >= configuration.quorum else { return 0 }
        matches.sort()
        return matches[matches.count - configuration.quorum]
    }

    /// The end of each step of a leader: who can learn of commits does so at once (round 0 asks for no reply), reads go on.
    mutating func finishLeading(into output: inout CoreOutput) {
        for place in peers.indices {
            let known = min(peers[place].match, commit)
            guard known > peers[place].commitTold else { continue }
            peers[place].commitTold = known
            send(.heartbeat(round: 0, commit: known), to: peers[place].id, into: &output)
        }
        startReadRound(into: &output)
        // Thesis §4.2.2: a leader that is removed leads until its removal is committed. Who has most goes on at once.
        guard configurations.count == 1, !configuration.voters.contains(id) else { return }
        if let place = drawMostAdvancedVoter() { send(.timeoutNow, to: peers[place].id, into: &output) }
        becomeFollower(in: term, of: .none, into: &output)
    }
}
