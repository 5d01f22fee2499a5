/// A linearizable read that waits for its index.
struct PendingRead: Sendable {
    /// Who asked: this member's caller or another member. The same number of two askers means two reads.
    var asker: MemberID
    var number: UInt64
    var deadline: UInt64
}

/// Reads for which the leader was asked, in one message.
struct ForwardedReads: Sendable {
    var number: UInt64
    var contexts: [UInt64]
    var deadline: UInt64
    /// When the question may be repeated.
    var repeatAt: UInt64
}

/// Linearizable reads without a write (thesis §6.4): the commit index of a leader that proves, by a round of heartbeats that began
/// after the question, to be still one.
extension RaftCore {
    /// Of this member's caller.
    mutating func requestRead(_ context: UInt64, into output: inout CoreOutput) {
        waitingReads.append(PendingRead(asker: id, number: context, deadline: now + settings.electionMilliseconds))
        // A leader's reads go on at the end of the step.
        if role != .leader { forwardReads(into: &output) }
    }

    /// Of another member.
    mutating func requestRead(_ number: UInt64, of member: MemberID, into output: inout CoreOutput) {
        guard role == .leader else { return send(.readIndexReply(context: number, index: nil), to: member, into: &output) }
        waitingReads.append(PendingRead(asker: member, number: number, deadline: now + settings.electionMilliseconds))
    }

    // MARK: Leading

    /// All that wait share a round; those that come while one is on its way share the next. Only from the first committed entry
    /// of the term on does a leader know what is committed.
    mutating func startReadRound(into output: inout CoreOutput) {
        guard !waitingReads.isEmpty, readsInRound.isEmpty, commit >= firstOfTerm else { return }
        swap(&waitingReads, &readsInRound)
        readIndex = commit
        if isLoneVoter { return releaseReads(into: &output) }
        sendHeartbeats(into: &output)
        readRound = round
    }

    mutating func confirmReads(into output: inout CoreOutput) {
        guard !readsInRound.isEmpty else { return }
        var proofs = configuration.voters.contains(id) ? 1 : 0
        for peer in peers where peer.isVoter && peer.round >= readRound { proofs += 1 }
        if proofs >= configuration.quorum { releaseReads(into: &output) }
    }

    private mutating func releaseReads(into output: inout CoreOutput) {
        for read in readsInRound {
            if read.asker == id {
                output.readsReleased.append((read.number, readIndex))
            } else {
                // What was handed on may be applied and answered here already, though its commitment is not yet known here; for
                // this member's own reads that needs no care, as they see what is applied.
                let index = max(readIndex, handedOn)
                send(.readIndexReply(context: read.number, index: index), to: read.asker, into: &output)
            }
        }
        readsInRound.removeAll(keepingCapacity: true)
    }

    mutating func failReadsOfLeadership(into output: inout CoreOutput) {
        for read in readsInRound { fail(read, into: &output) }
        for read in waitingReads { fail(read, into: &output) }
        readsInRound.removeAll()
        waitingReads.removeAll()
    }

    private func fail(_ read: PendingRead, into output: inout CoreOutput) {
        if read.asker == id {
            output.readsFailed.append(read.number)
        } else {
            send(.readIndexReply(context: read.number, index: nil), to: read.asker, into: &output)
        }
    }

    // MARK: Following

    /// Asks the leader for all that wait, unless an answer is under way. The number is this member's own, of no use after a
    /// restart: an answer to a question of an earlier life would name too low an index.
    mutating func forwardReads(into output: inout CoreOutput) {
        guard role == .follower, leader != .none, forwardedReads == nil, let first = waitingReads.first else { return }
        nextReadNumber &+= 1
        forwardedReads = ForwardedReads(
            number: nextReadNumber, contexts: waitingReads.map(\.number), deadline: first.deadline,
            repeatAt: now + 2 * settings.heartbeatMilliseconds)
        waitingReads.removeAll(keepingCapacity: true)
        send(.readIndex(context: nextReadNumber), to: leader, into: &output)
    }

    mutating func hearReadIndex(_ member: MemberID, number: UInt64, index: Index?, into output: inout CoreOutput) {
        guard member == leader, let reads = forwardedReads, reads.number == number else { return }
        // It leads no more, and nobody is known who does.
        guard let index, index.value < Limits.numberMax else { return loseLeader(into: &output) }
        forwardedReads = nil
        for context in reads.contexts { output.readsReleased.append((context, index)) }
        forwardReads(into: &output)
    }

    /// The leader speaks, but its answer is long in coming: question or answer may be lost.
    mutating func repeatForwardedReads(into output: inout CoreOutput) {
        guard let reads = forwardedReads, now >= reads.repeatAt else { return }
        forwardedReads?.repeatAt = now + 2 * settings.heartbeatMilliseconds
        send(.readIndex(context: reads.number), to: leader, into: &output)
    }

    mutating func failForwardedReads(into output: inout CoreOutput) {
        guard let reads = forwardedReads else { return }
        forwardedReads = nil
        output.readsFailed += reads.contexts
    }

    // MARK: Time

    mutating func expireReads(into output: inout CoreOutput) {
        if let reads = forwardedReads, now >= reads.deadline {
            failForwardedReads(into: &output)
            forwardReads(into: &output)
        }
        RaftCore.expire(&readsInRound, of: id, now: now, into: &output)
        RaftCore.expire(&waitingReads, of: id, now: now, into: &output)
    }

    /// Another member keeps its own time, and may not take this for the end of the leadership.
    private static func expire(_ reads: inout [PendingRead], of id: MemberID, now: UInt64, into output: inout CoreOutput) {
        var count = 0
        while count < reads.count, now >= reads[count].deadline {
            if reads[count].asker == id { output.readsFailed.append(reads[count].number) }
            count += 1
        }
        if count > 0 { reads.removeFirst(count) }
    }
}
