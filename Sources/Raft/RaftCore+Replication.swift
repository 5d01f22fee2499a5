/// How a leader brings each peer's log to its own (thesis §3.5, §10.2.1): pipelined within a window, with a search for the place
/// where the logs agree, and with an eye on what got lost.
extension RaftCore {
    /// Entries that were made ready for one peer, and are often the same for the next.
    struct Batch {
        var first: Index = 0
        var entries: [EntryHeader] = []
    }

    mutating func replicateToAll(into output: inout CoreOutput) {
        var batch = Batch()
        for place in peers.indices { replicate(to: place, batch: &batch, into: &output) }
    }

    mutating func replicate(to place: Int, evenNothing: Bool = false, into output: inout CoreOutput) {
        var batch = Batch()
        replicate(to: place, evenNothing: evenNothing, batch: &batch, into: &output)
    }

    /// Sends what may be sent. `evenNothing`: an append without entries is worth its while, to find out what has arrived.
    private mutating func replicate(
        to place: Int, evenNothing: Bool = false, batch: inout Batch, into output: inout CoreOutput
    ) {
        var evenNothing = evenNothing
        while true {
            let peer = peers[place]
            var room = settings.entriesPerMessageMax
            switch peer.state {
            case .snapshot: return
            case .probe:
                if peer.isPaused { return }
                evenNothing = true
                if peer.isRepeated { room = 0 }
            case .replicate:
                let inFlight = peer.next.value - 1 - peer.match.value
                room = peer.isHeld ? 0 : min(room, peer.window - Int(min(inFlight, UInt64(peer.window))))
            }
            let count = min(room, Int(log.last.index.value + 1 - peer.next.value))
            guard count > 0 || evenNothing else { return }
            if !evenNothing, count < settings.entriesPerMessageMax, let until = gathersUntil(place), now < until { return }
            guard let previous = log.term(at: peer.next.previous) else { return askForSnapshot(place, into: &output) }
            fill(&batch, from: peer.next, count: count)
            let body = Message.Body.append(
                previous: LogPosition(index: peer.next.previous, term: previous), entries: batch.entries, commit: commit)
            send(body, to: peer.id, into: &output)
            let end = Index(peer.next.value - 1 + UInt64(count))
            peers[place].commitTold = max(peer.commitTold, min(commit, end))
            peers[place].lastMoved = now
            peers[place].lastSent = now
            if peer.state == .probe {
                peers[place].isPaused = true
                peers[place].isRepeated = true
                return
            }
            peers[place].next = end.next
            evenNothing = false
        }
    }

    /// When entries that wait for company leave; nil when none do, or there is no room for them.
    func gathersUntil(_ place: Int) -> UInt64? {
        let peer = peers[place]
        guard peer.state == .replicate, !peer.isHeld, peer.next <= log.last.index else { return nil }
        let inFlight = peer.next.value - 1 - peer.match.value
        return inFlight > 0 && inFlight < UInt64(peer.window) ? peer.lastSent + Limits.gatherMilliseconds : nil
    }

    private func fill(_ batch: inout Batch, from first: Index, count: Int) {
        guard batch.first != first || batch.entries.count != count else { return }
        var entries: [EntryHeader] = []
        entries.reserveCapacity(count)
        var place = changes.count
        while place > 0, changes[place - 1].index >= first { place -= 1 }
        log.forEach(from: first, count: count) { position in
            var header = EntryHeader(position: position)
            if place < changes.count, changes[place].index == position.index {
                header.change = changes[place].change
                place += 1
            }
            entries.append(header)
        }
        batch = Batch(first: first, entries: entries)
    }

    mutating func hearAccepted(_ member: MemberID, matched: Index, into output: inout CoreOutput) {
        // Beyond the end: one of the two has lost its disk. It proves nothing about this log.
        guard let place = hear(member), matched <= log.last.index else { return }
        let isNews = matched > peers[place].match
        if isNews {
            let arrived = matched.value - peers[place].match.value
            let room = settings.entriesInFlightMax - peers[place].window
            peers[place].window += Int(min(arrived, UInt64(room)))
            peers[place].match = matched
            peers[place].lastMoved = now
            peers[place].isHeld = false
        }
        switch peers[place].state {
        // What is acknowledged below the question does not answer it: a window sent again for each such word would be refused in
        // the same way, and grow to a storm where messages overtake each other.
        case .probe: if matched >= peers[place].next.previous { peers[place].becomeReplicate() }
        case .replicate: break
        case .snapshot: if isNews, matched >= log.cut.index { peers[place].becomeReplicate() }
        }
        peers[place].next = max(peers[place].next, matched.next)
        if isNews { countDurable(into: &output) }
        replicate(to: place, into: &output)
        handOver(to: place, into: &output)
    }

    /// Thesis §3.5: go back, by whole terms, to where the logs may agree.
    ///
    /// A peer that refuses what it had acknowledged has lost it (or a message was long under way): what it is known to have is
    /// lowered, so that it does not count for entries that it does not hold, and the search begins again.
    mutating func hearRefused(_ member: MemberID, previous: Index, hint: LogPosition, into output: inout CoreOutput) {
        guard let place = hear(member), previous.value < Limits.numberMax, previous > 0 else { return }
        switch peers[place].state {
        case .snapshot: return
        // An answer to an older question; or to one that was overtaken by what the peer has acknowledged since.
        case .probe: if previous != peers[place].next.previous { return }
        case .replicate:
            if previous >= peers[place].next || previous < peers[place].match { return }
            peers[place].window = settings.entriesPerMessageMax
        }
        var agreement = min(hint.index, previous.previous)
        // Before the cut nothing can be compared: the next step asks for a snapshot.
        if agreement >= log.cut.index { agreement = log.lastPosition(upTo: agreement, termAtMost: hint.term).index }
        let next = agreement.next
        peers[place].match = min(peers[place].match, next.previous)
        peers[place].becomeProbe(next: next)
        replicate(to: place, into: &output)
    }

    /// A reply shows that messages pass. If the peer is still behind, and nothing has moved for a while, something was lost on the
    /// way: an append that fits behind everything sent will be refused, and the search begins.
    mutating func hearHeartbeatReply(_ member: MemberID, round answered: UInt64, into output: inout CoreOutput) {
        guard let place = hear(member), answered != 0, answered <= round else { return }
        peers[place].round = max(peers[place].round, answered)
        if now >= peers[place].lastMoved + settings.heartbeatMilliseconds {
            if peers[place].state == .probe { peers[place].isPaused = false }
            // With nothing on its way no acknowledgement will come that lets the rest go: the caller may hold it once more.
            if peers[place].next == peers[place].match.next { peers[place].isHeld = false }
            if peers[place].state == .probe || peers[place].match < log.last.index {
                replicate(to: place, evenNothing: true, into: &output)
            }
        }
        confirmReads(into: &output)
    }

    mutating func hold(_ member: MemberID, from index: Index) {
        guard role == .leader, let place = place(ofPeer: member), peers[place].state == .replicate else { return }
        peers[place].next = max(peers[place].match.next, min(peers[place].next, index))
        peers[place].isHeld = true
    }

    mutating func noteSent(to member: MemberID, behind previous: Index, upTo end: Index, into output: inout CoreOutput) {
        guard role == .leader, let place = place(ofPeer: member), peers[place].state == .replicate else { return }
        // What was looked for may be of no use any more; what waited for it may go on all the same.
        if peers[place].next == previous.next, end <= log.last.index { peers[place].next = max(previous, end).next }
        peers[place].isHeld = false
        replicate(to: place, into: &output)
    }

    /// What was sent to the peer and not acknowledged may not have arrived; what was asked of it will not be answered.
    mutating func loseLink(to member: MemberID, into output: inout CoreOutput) {
        if role == .leader {
            guard let place = place(ofPeer: member), peers[place].state == .replicate else { return }
            peers[place].becomeProbe(next: peers[place].match.next)
        } else if member == leader {
            failForwardedReads(into: &output)
        }
    }

    /// The voter to which leadership would pass with the least delay. Among equals chance decides: if it were always the same one,
    /// two of three members would hand leadership to each other and back while the members are started again one after the other.
    ///
    /// - Parameter other: not this one, if there is another.
    mutating func drawMostAdvancedVoter(but other: MemberID = .none) -> Int? {
        var heard = peers.indices.filter { peers[$0].isVoter && now < peers[$0].lastHeard + settings.electionMilliseconds }
        if heard.count > 1 { heard.removeAll { peers[$0].id == other } }
        guard let most = heard.map({ peers[$0].match }).max() else { return nil }
        let best = heard.filter { peers[$0].match == most }
        return best.count == 1 ? best[0] : best[Int(numbers.below(UInt64(best.count)))]
    }
}
