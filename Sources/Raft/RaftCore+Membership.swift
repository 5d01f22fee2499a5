/// Changes of the configuration, one member at a time (thesis §4.1, §4.2): each is in force as soon as it is in the log, and no
/// more when it is removed from it.
extension RaftCore {
    /// One at a time, so that the majorities of any two configurations in force overlap; and none before an entry of the own term
    /// is committed. Otherwise two leaders in turn could each begin a change from the same committed configuration, and the
    /// majorities of the two would not overlap (Ongaro, raft-dev, July 2015).
    func mayChange(by change: ConfigurationChange) -> Bool {
        commit >= firstOfTerm && configurations.count == 1 && !configuration.applying(change).voters.isEmpty
    }

    mutating func adopt(_ change: ConfigurationChange, at index: Index) {
        changes.append((index, change))
        configurations.append((index, configuration.applying(change)))
    }

    /// The log was truncated: back to the configuration of what is left.
    mutating func dropChanges(from index: Index, into output: inout CoreOutput) {
        while let change = changes.last, change.index >= index { changes.removeLast() }
        let count = configurations.count
        while configurations.count > 1, configurations[configurations.count - 1].index >= index { configurations.removeLast() }
        guard configurations.count < count else { return }
        output.notices.append(.configurationChanged(configuration, at: configurations[configurations.count - 1].index))
    }

    /// What is committed does not come back.
    mutating func forgetOldConfigurations() {
        var old = 0
        while old + 1 < configurations.count, configurations[old + 1].index <= commit { old += 1 }
        if old > 0 { configurations.removeFirst(old) }
    }

    /// The addition of a second voter is committed when the first has it on disk, whether that one still leads or not: nobody leads without
    /// its vote, and whoever gets that has the addition. Otherwise a crash, or a disk slower than the election timeout, would leave a cluster
    /// of one without a leader until the second member comes, which nobody starts who was not told that it was added.
    mutating func commitAddition() {
        guard configurations.count == 2, configurations[0].configuration.voters == [id], configurations[1].index <= durable else { return }
        raiseCommit(to: configurations[1].index)
    }

    /// - Precondition: everything up to `index` is applied.
    mutating func cutLog(to index: Index) {
        learnApplied(index)
        precondition(min(commit, durable) >= index, "raft: only what is applied is cut off the log")
        log.cut(to: index)
        var old = 0
        while old < changes.count, changes[old].index <= log.cut.index { old += 1 }
        if old > 0 { changes.removeFirst(old) }
    }

    /// The list of peers becomes that of the configuration. Who was removed stays until it has learnt so, or is given up: it can
    /// say why it stops, and asks nobody for votes.
    mutating func adjustPeers() {
        let configuration = configuration
        for place in peers.indices {
            let isMember = configuration.contains(peers[place].id)
            peers[place].isVoter = configuration.voters.contains(peers[place].id)
            if isMember {
                peers[place].leaving = nil
            } else if peers[place].leaving == nil {
                let deadline = now + 2 * settings.electionMilliseconds
                peers[place].leaving = (configurations[configurations.count - 1].index, deadline)
            }
        }
        add(configuration.voters, areVoters: true)
        add(configuration.learners, areVoters: false)
        peers.sort { $0.id < $1.id }
    }

    private mutating func add(_ members: [MemberID], areVoters: Bool) {
        for member in members where member != id && place(ofPeer: member) == nil {
            peers.append(
                PeerProgress(
                    id: member, isVoter: areVoters, next: log.last.index.next, window: settings.entriesInFlightMax, now: now))
        }
    }

    mutating func dropLeavingPeers() {
        peers.removeAll { peer in
            guard let leaving = peer.leaving, commit >= leaving.index else { return false }
            return peer.commitTold >= leaving.index || now >= leaving.deadline
        }
    }
}
