/// A snapshot that has arrived, verified, and is not yet in place.
struct SnapshotOffer: Sendable {
    var from: MemberID
    var term: Term
    var position: LogPosition
    var configuration: Configuration
}

/// The state itself instead of entries that are no longer in the log (thesis §5.3). The caller carries it; the core says when.
extension RaftCore {
    // MARK: Sending

    mutating func askForSnapshot(_ place: Int, into output: inout CoreOutput) {
        peers[place].state = .snapshot
        peers[place].snapshotSent = nil
        let member = peers[place].id
        guard !snapshotsOnTheWay.contains(member) else { return }
        snapshotsOnTheWay.append(member)
        output.needSnapshot.append(member)
    }

    mutating func finishSnapshot(to member: MemberID, _ position: LogPosition, succeeded: Bool, into output: inout CoreOutput) {
        snapshotsOnTheWay.removeAll { $0 == member }
        guard role == .leader, let place = place(ofPeer: member), peers[place].state == .snapshot else { return }
        if succeeded {
            // It counts when the member says that it is installed. To search at once would find the old state and send another.
            peers[place].snapshotSent = (min(position.index, log.last.index), now + settings.electionMilliseconds)
        } else {
            // Not again before the member is heard, lest a dead one keeps the sender busy.
            peers[place].becomeProbe(next: peers[place].match.next)
            peers[place].isPaused = true
            peers[place].lastMoved = now
        }
    }

    /// The word that a snapshot is installed may have been lost: ask for what follows it.
    mutating func endWaitForInstallations(into output: inout CoreOutput) {
        for place in peers.indices {
            guard let sent = peers[place].snapshotSent, now >= sent.deadline else { continue }
            peers[place].becomeProbe(next: sent.index.next)
            peers[place].isRepeated = true
            replicate(to: place, into: &output)
        }
    }

    /// Up to where the logs of these members are known to agree with this one; of those that a leader sends to.
    package func matched(of members: [MemberID]) -> [MemberID: Index] {
        guard role == .leader else { return [:] }
        var matched: [MemberID: Index] = [:]
        for peer in peers where members.contains(peer.id) { matched[peer.id] = peer.match }
        return matched
    }

    // MARK: Receiving

    /// What a snapshot holds is committed, whoever sends it and in whichever term; only what is newer than the own log's committed
    /// part is of use.
    mutating func consider(_ offer: SnapshotOffer, into output: inout CoreOutput) {
        let position = offer.position
        guard offer.from != id, offer.term.value < Limits.numberMax, position.index.value < Limits.numberMax,
            position.term <= offer.term
        else { return output.dropSnapshot = position }
        if offer.term > term { becomeFollower(in: offer.term, of: offer.from, into: &output) }
        if offer.term == term, !follow(offer.from, into: &output) { return output.dropSnapshot = position }
        guard role == .follower, installing == nil else { return output.dropSnapshot = position }
        if position.index > commit, !log.holds(position) {
            installing = (position, offer.configuration)
            return output.installSnapshot = position
        }
        // The log has all that, and more behind it which must not be lost: it may have been acknowledged.
        output.dropSnapshot = position
        agreed = max(agreed, position.index)
        raiseCommit(to: position.index)
        guard leader != .none else { return }
        promise(.appendAccepted(matched: commit), to: leader, isDurable: commit <= durable, into: &output)
    }

    /// Only now is it promised to the leader: what is held in memory does not survive a crash.
    mutating func finishInstallation(_ position: LogPosition, into output: inout CoreOutput) {
        guard let offer = installing, offer.position == position else { return }
        installing = nil
        log = LogShape(cut: position)
        changes.removeAll()
        configurations = [(position.index, offer.configuration)]
        commit = position.index
        committed = position.index
        durable = position.index
        applied = max(applied, position.index)
        agreed = position.index
        for place in outstanding.indices { outstanding[place].end = position.index }
        output.notices.append(.configurationChanged(offer.configuration, at: position.index))
        if leader != .none { promise(.snapshotInstalled(position), to: leader, isDurable: true, into: &output) }
    }
}
