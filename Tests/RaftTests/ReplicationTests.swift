import Raft
import TestSupport
import Testing

@Suite("Raft thesis §3.5, §10.2.1: the leader's side of replication")
struct LeaderTests {
    @Test("Named bug: figure 8. An entry of an older term on a majority is not committed by that")
    func figure8() {
        // Term 2's entry is on this member alone, as after figure 3.7 (c); then it leads in term 4.
        var bench = Bench(term: 3, commit: 1, log: log([1, 2]))
        bench.lead(with: [])
        bench.receive(2, 3, .preVoteReply(granted: true))
        bench.persistAll()
        bench.receive(2, 4, .voteReply(granted: true))
        #expect(bench.core.role == .leader && bench.core.last == at(3, in: 4))
        bench.persistAll()
        bench.receive(2, 4, .appendAccepted(matched: 2))
        #expect(bench.core.committed == 1, "two of three have 2, but it is of term 2")
        #expect(bench.receive(2, 4, .appendAccepted(matched: 3)).committed == 3)
    }

    @Test("What is proposed in one step goes out as one message per peer, in the same moment as to the disk")
    func oneMessage() {
        var bench = Bench()
        bench.lead(with: [2, 3])
        let output = bench.step(.proposed([nil, nil, nil]))
        let expected = Message.Body.append(previous: at(1, in: 1), entries: entries(from: 2, [1, 1, 1]), commit: 1)
        #expect(output.sent(to: 2) == [expected] && output.sent(to: 3) == [expected])
        #expect(output.persist?.entries == entries(from: 2, [1, 1, 1]))
        #expect(output.persist?.durableIsCommitted == false)
    }

    @Test("A leader counts itself only when its own disk has the entry, and applies nothing before")
    func ownDisk() {
        var bench = Bench()
        bench.lead()
        bench.propose()
        #expect(bench.receive(2, 1, .appendAccepted(matched: 2)).committed == nil)
        #expect(bench.persist().committed == 2)
    }

    @Test("Others may be faster: committed without the leader's disk, applied only with it (thesis §10.2.1)")
    func othersAreFaster() {
        var bench = Bench()
        bench.lead(with: [2, 3])
        bench.propose()
        bench.receive(2, 1, .appendAccepted(matched: 2))
        #expect(bench.receive(3, 1, .appendAccepted(matched: 2)).committed == nil)
        #expect(bench.core.committed == 1)
        #expect(bench.persist().committed == 2)
    }

    @Test("Within the window a peer is not waited for, beyond it it is")
    func window() {
        var bench = Bench(settings: CoreSettings(entriesPerMessageMax: 2, entriesInFlightMax: 4))
        bench.lead(with: [2, 3])
        let sizes = bench.step(.proposed(Array(repeating: nil, count: 7))).sent(to: 2).map { body in
            if case .append(_, let entries, _) = body { entries.count } else { 0 }
        }
        #expect(sizes == [2, 2])
        let more = bench.receive(2, 1, .appendAccepted(matched: 3)).sent(to: 2)
        #expect(more == [.append(previous: at(5, in: 1), entries: entries(from: 6, [1, 1]), commit: 1)])
    }

    @Test("A peer whose log is unknown gets one message at a time, also if more is proposed")
    func probe() {
        var bench = Bench()
        bench.lead()
        #expect(bench.step(.proposed([nil])).sent(to: 3).isEmpty)
        let output = bench.receive(3, 1, .appendAccepted(matched: 1))
        #expect(output.sent(to: 3).first == .append(previous: at(1, in: 1), entries: entries(from: 2, [1]), commit: 1))
    }

    @Test("Conflicts are left behind by whole terms")
    func backOff() {
        var bench = Bench(term: 7, commit: 1, log: log([1, 4, 4, 4, 5, 5, 6]))
        bench.lead(with: [])
        bench.receive(2, 7, .preVoteReply(granted: true))
        bench.persistAll()
        bench.receive(2, 8, .voteReply(granted: true))
        // The peer has 1 1 1 1 1 1 1 …; nothing of terms 4 to 6.
        let output = bench.receive(2, 8, .appendRefused(previous: 7, hint: at(7, in: 1)))
        #expect(
            output.sent(to: 2)
                == [.append(previous: at(1, in: 1), entries: entries(from: 2, [4, 4, 4, 5, 5, 6, 8]), commit: 1)])
    }

    @Test("A lost append is found by the next heartbeat that is answered")
    func lostAppend() {
        var bench = Bench()
        bench.lead(with: [2, 3])
        bench.propose()
        bench.sleep()
        let output = bench.receive(2, 1, .heartbeatReply(round: 1))
        #expect(output.sent(to: 2) == [.append(previous: at(2, in: 1), entries: [], commit: 1)])
        let again = bench.receive(2, 1, .appendRefused(previous: 2, hint: at(1, in: 1)))
        #expect(again.sent(to: 2) == [.append(previous: at(1, in: 1), entries: entries(from: 2, [1]), commit: 1)])
    }

    @Test("A busy peer is not asked again and again by the heartbeats of reads")
    func noRepetition() {
        var bench = Bench()
        bench.lead(with: [2, 3])
        bench.propose()
        bench.step(.readRequested(context: 1))
        #expect(bench.receive(2, 1, .heartbeatReply(round: 1)).sent(to: 2).isEmpty)
    }

    @Test("After a lost connection the search begins again; once it is answered everything goes out")
    func linkLost() {
        var bench = Bench()
        bench.lead(with: [2, 3])
        bench.propose(2)
        bench.step(.linkLost(2))
        #expect(bench.step(.proposed([nil])).sent(to: 2).count == 1)
        #expect(bench.step(.proposed([nil])).sent(to: 2).isEmpty, "one probe at a time")
    }

    @Test("A question that is not answered is repeated without entries, until somebody is there to take them")
    func repeatedProbe() {
        var bench = Bench()
        bench.lead(with: [2])
        bench.sleep()
        let repeated = bench.receive(3, 1, .heartbeatReply(round: 1))
        #expect(repeated.sent(to: 3) == [.append(previous: .origin, entries: [], commit: 1)])
        let answered = bench.receive(3, 1, .appendAccepted(matched: 0))
        #expect(answered.sent(to: 3).contains(.append(previous: .origin, entries: entries(from: 1, [1]), commit: 1)))
    }

    @Test("Commits are told at once to who has the entries, and never beyond what a peer is known to have")
    func commitIsTold() {
        var bench = Bench()
        bench.lead(with: [2, 3])
        bench.propose(3)
        bench.persist()
        let output = bench.receive(2, 1, .appendAccepted(matched: 3))
        #expect(output.sent(to: 2) == [.heartbeat(round: 0, commit: 3)])
        #expect(output.sent(to: 3).isEmpty)
        let heartbeats = bench.sleep()
        #expect(heartbeats.sent(to: 2) == [.heartbeat(round: 1, commit: 3)])
        #expect(heartbeats.sent(to: 3) == [.heartbeat(round: 1, commit: 1)])
    }

    @Test("A refusal of what was sent ahead narrows the window to a message; words that it arrived widen it again")
    func windowAfterRefusal() {
        var bench = Bench(settings: CoreSettings(entriesPerMessageMax: 1, entriesInFlightMax: 64))
        bench.lead(with: [2])
        bench.acknowledge(by: [3])
        bench.propose(100)
        bench.persistAll()
        bench.receive(3, 1, .appendAccepted(matched: 3))
        // Messages overtook each other: 40 comes before 4. It is asked anew where the logs agree.
        let question = bench.receive(3, 1, .appendRefused(previous: 40, hint: at(3, in: 1))).sent(to: 3)
        #expect(question.count == 1)
        // The other messages that were on their way are refused too, and provoke nothing.
        for stale in 20...60 as ClosedRange<UInt64> {
            #expect(bench.receive(3, 1, .appendRefused(previous: Index(stale), hint: at(3, in: 1))).sent(to: 3).isEmpty)
        }
        var matched: UInt64 = 4
        var sent: [Int] = []
        for _ in 0..<5 {
            let appends = bench.receive(3, 1, .appendAccepted(matched: Index(matched))).sent(to: 3).filter {
                if case .append = $0 { true } else { false }
            }
            sent.append(appends.count)
            matched += UInt64(appends.count)
        }
        #expect(sent == [2, 4, 8, 16, 32])
    }

    @Test("Named bug: an amnesiac voter. A follower that refuses what it had acknowledged is searched anew and not counted")
    func amnesiac() {
        var bench = Bench(voters: [1, 2, 3, 4, 5])
        bench.lead(with: [2, 3])
        bench.propose(4)
        bench.persistAll()
        bench.receive(2, 1, .appendAccepted(matched: 5))
        let output = bench.receive(2, 1, .appendRefused(previous: 5, hint: .origin))
        #expect(output.sent(to: 2) == [.append(previous: .origin, entries: entries(from: 1, [1, 1, 1, 1, 1]), commit: 1)])
        bench.receive(3, 1, .appendAccepted(matched: 5))
        #expect(bench.core.committed == 1, "2 has nothing, so only two of five have it")
        bench.receive(4, 1, .appendAccepted(matched: 5))
        #expect(bench.core.committed == 5)
    }

    @Test("An acknowledgement beyond the end proves nothing")
    func beyondTheEnd() {
        var bench = Bench()
        bench.lead(with: [2])
        for matched in [7, UInt64.max] { bench.receive(3, 1, .appendAccepted(matched: Index(matched))) }
        bench.propose()
        bench.persist()
        #expect(bench.core.committed == 1)
    }

    @Test("A leader sleeps until its next heartbeat")
    func heartbeats() {
        var bench = Bench()
        bench.lead(with: [2, 3])
        let first = bench.core.wakeUp
        #expect(first == bench.now + 100)
        bench.sleep()
        #expect(bench.core.wakeUp == bench.now + 100)
    }
}

@Suite("Raft thesis figure 3.1: the follower's side of replication")
struct FollowerTests {
    @Test("An acknowledgement leaves only when the entries are on disk, also that of a repetition")
    func acknowledgement() {
        var bench = Bench(term: 1)
        let append = Message.Body.append(previous: .origin, entries: entries(from: 1, [1, 1]), commit: 0)
        let output = bench.receive(2, 1, append)
        #expect(output.send.isEmpty && output.persist?.entries == entries(from: 1, [1, 1]))
        let repeated = bench.receive(2, 1, append)
        #expect(repeated.send.isEmpty && repeated.persist?.entries.isEmpty == true)
        #expect(bench.persist().send.map(\.body) == [.appendAccepted(matched: 2)])
        #expect(bench.persist().send.map(\.body) == [.appendAccepted(matched: 2)])
        #expect(bench.receive(2, 1, append).send.map(\.body) == [.appendAccepted(matched: 2)])
    }

    @Test("The new term of a message goes to the disk with its entries")
    func termAndEntries() {
        var bench = Bench(term: 1)
        let output = bench.receive(2, 3, .append(previous: .origin, entries: entries(from: 1, [3]), commit: 0))
        #expect(output.persist?.hardState?.term == 3 && output.persist?.entries.count == 1)
        #expect(bench.core.leader == 2)
    }

    @Test("Committed is only what is durable here; the rest follows with the disk")
    func committedIsDurable() {
        var bench = Bench(term: 1)
        #expect(bench.receive(2, 1, .append(previous: .origin, entries: entries(from: 1, [1, 1]), commit: 2)).committed == nil)
        #expect(bench.persist().committed == 2)
    }

    @Test("A ticket of entries that a later order removes does not make their successors durable")
    func truncationAfterTheTicket() {
        var bench = Bench(term: 1)
        bench.receive(2, 1, .append(previous: .origin, entries: entries(from: 1, [1, 1, 1]), commit: 0))
        let output = bench.receive(3, 2, .append(previous: at(1, in: 1), entries: entries(from: 2, [2, 2, 2]), commit: 4))
        #expect(output.persist?.truncateFrom == 2)
        #expect(bench.persist().committed == 1)
        #expect(bench.core.durable == 1, "2 and 3 of term 1 are on disk, and these are others")
        #expect(bench.persist().committed == 4)
    }

    @Test("Refusals say where the logs may agree")
    func hints() {
        var bench = Bench(term: 5, commit: 0, log: log([1, 1, 2, 2, 5]))
        let gap = bench.receive(2, 5, .append(previous: at(9, in: 5), entries: [], commit: 0)).send
        #expect(gap.map(\.body) == [.appendRefused(previous: 9, hint: at(5, in: 5))])
        let conflict = bench.receive(2, 5, .append(previous: at(4, in: 4), entries: entries(from: 5, [5]), commit: 0)).send
        #expect(conflict.map(\.body) == [.appendRefused(previous: 4, hint: at(4, in: 2))])
        let older = bench.receive(2, 5, .append(previous: at(4, in: 1), entries: [], commit: 0)).send
        #expect(older.map(\.body) == [.appendRefused(previous: 4, hint: at(2, in: 1))])
    }

    @Test("Asked below the commit index, or before the cut, it accepts up to where it knows")
    func belowCommit() {
        var bench = Bench(term: 2, commit: 4, log: log([2, 2], cut: at(3, in: 1)), applied: 3)
        let known = bench.receive(2, 2, .append(previous: at(1, in: 1), entries: entries(from: 2, [1, 1]), commit: 4))
        #expect(known.send.map(\.body) == [.appendAccepted(matched: 4)])
        let overlapping = bench.receive(
            2, 2, .append(previous: at(1, in: 1), entries: entries(from: 2, [1, 1, 2, 2, 2]), commit: 6))
        #expect(overlapping.persist?.entries == entries(from: 6, [2]))
        #expect(bench.persist().committed == 6)
        #expect(bench.core.last == at(6, in: 2))
    }

    @Test("Named bug: commit beyond the last log after a cut. A commit index counts as far as the logs were seen to agree")
    func commitBeyond() {
        var bench = Bench(term: 2, commit: 3, log: LogShape(cut: at(3, in: 1)), applied: 3)
        let output = bench.receive(2, 2, .heartbeat(round: 1, commit: 9))
        #expect(output.committed == nil && bench.core.committed == 3)
        #expect(output.send.map(\.body) == [.heartbeatReply(round: 1), .appendRefused(previous: 9, hint: at(3, in: 1))])
        bench.receive(2, 2, .append(previous: at(3, in: 1), entries: entries(from: 4, [2]), commit: 9))
        #expect(bench.persist().committed == 4)
        // What lies behind the cut is of a leader whom nobody followed: there another entry was committed.
        var stale = Bench(term: 2, commit: 3, log: log([1, 1], cut: at(3, in: 1)), applied: 3)
        stale.receive(2, 2, .heartbeat(round: 1, commit: 9))
        #expect(stale.core.committed == 3)
        stale.receive(2, 2, .append(previous: at(3, in: 1), entries: [], commit: 9))
        #expect(stale.core.committed == 3)
        // A disk that speaks of commits behind its end.
        let short = Bench(term: 2, commit: 9, log: LogShape(cut: at(3, in: 1)), applied: 3)
        #expect(short.core.committed == 3)
    }

    @Test("Entries of a tail that no leader of this term has confirmed are not committed by a heartbeat")
    func unconfirmedTail() {
        var bench = Bench(term: 2, commit: 1, log: log([1, 1, 1]))
        bench.receive(2, 3, .heartbeat(round: 1, commit: 3))
        #expect(bench.core.committed == 1)
    }

    @Test("Nonsense is not answered with a trap", arguments: 1...50 as ClosedRange<UInt64>)
    func nonsense(seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        var bench = Bench(voters: [1, 2, 3], term: 2, commit: 2, log: log([1, 1, 2, 2], cut: at(1, in: 1)), applied: 1, seed: seed)
        if seed % 2 == 0 { bench.lead() }
        for _ in 0..<300 {
            bench.step(.received(Nonsense.message(&generator)), after: generator.next() % 40)
            if generator.once(in: 4) { bench.persist() }
            if generator.once(in: 9) { bench.step(.tick) }
            if generator.once(in: 20) { bench.lead() }
        }
    }
}

/// Messages with every field near some border.
enum Nonsense {
    static func number(_ generator: inout SeededGenerator) -> UInt64 {
        let few = UInt64.random(in: 0...8, using: &generator)
        switch Int.random(in: 0..<12, using: &generator) {
        case 0: return .max - few
        case 1: return (1 << 62) - few
        case 2: return 1 << 63
        default: return few
        }
    }

    static func position(_ generator: inout SeededGenerator) -> LogPosition { at(number(&generator), in: number(&generator)) }

    static func message(_ generator: inout SeededGenerator) -> Message {
        let term = generator.once(in: 3) ? number(&generator) : UInt64.random(in: 2...6, using: &generator)
        let from = generator.once(in: 10) ? number(&generator) : UInt64.random(in: 1...4, using: &generator)
        return Message(from: MemberID(from), to: generator.once(in: 30) ? 2 : 1, term: Term(term), body: body(&generator))
    }

    private static func body(_ generator: inout SeededGenerator) -> Message.Body {
        switch Int.random(in: 0..<15, using: &generator) {
        case 0: .preVote(last: position(&generator))
        case 1: .preVoteReply(granted: generator.once(in: 2))
        case 2: .vote(last: position(&generator), isTransfer: generator.once(in: 2))
        case 3: .voteReply(granted: generator.once(in: 2))
        case 4, 5, 6, 7: append(&generator)
        case 8: .appendAccepted(matched: Index(number(&generator)))
        case 9: .appendRefused(previous: Index(number(&generator)), hint: position(&generator))
        case 10: .heartbeat(round: number(&generator), commit: Index(number(&generator)))
        case 11: .heartbeatReply(round: number(&generator))
        case 12: .readIndexReply(context: number(&generator), index: Index(number(&generator)))
        case 13: .timeoutNow
        default: generator.once(in: 2) ? .snapshotInstalled(position(&generator)) : .readIndex(context: number(&generator))
        }
    }

    private static func append(_ generator: inout SeededGenerator) -> Message.Body {
        let previous = position(&generator)
        var entries: [EntryHeader] = []
        var index = previous.index.value
        for _ in 0..<Int.random(in: 0...4, using: &generator) {
            index &+= generator.once(in: 12) ? number(&generator) : 1
            let term = generator.once(in: 4) ? number(&generator) : UInt64.random(in: 1...4, using: &generator)
            let change: ConfigurationChange? = generator.once(in: 6) ? .remove(MemberID(number(&generator) % 4)) : nil
            entries.append(EntryHeader(position: at(index, in: term), change: change))
        }
        return .append(previous: previous, entries: entries, commit: Index(number(&generator)))
    }
}

@Suite("Raft: what the caller holds back")
struct HeldEntriesTests {
    private func leader() -> Bench {
        var bench = Bench()
        bench.lead(with: [2, 3])
        return bench
    }

    private func appends(_ output: CoreOutput) -> [ClosedRange<UInt64>] {
        output.sent(to: 2).compactMap {
            guard case .append(let previous, let entries, _) = $0, !entries.isEmpty else { return nil }
            return previous.index.value + 1...previous.index.value + UInt64(entries.count)
        }
    }

    @Test("Entries that were not sent wait for an acknowledgement, and go then; nobody is woken for them")
    func held() throws {
        var bench = leader()
        #expect(appends(bench.step(.proposed([nil, nil, nil, nil]))) == [2...5])
        bench.step(.held(2, from: 4))
        bench.persistAll()
        #expect(appends(bench.step(.proposed([nil]), after: 50)).isEmpty)
        #expect(try #require(bench.core.wakeUp) > bench.now)
        #expect(appends(bench.receive(2, 1, .heartbeatReply(round: 0))).isEmpty)
        #expect(appends(bench.receive(2, 1, .appendAccepted(matched: 3))) == [4...6])
    }

    @Test("With nothing on its way the rest is not held for ever: a word on other entries lets it go, and so does time")
    func notForEver() {
        for isByTime in [true, false] {
            var bench = leader()
            bench.step(.proposed([nil, nil, nil]))
            bench.step(.held(2, from: 3))
            bench.receive(2, 1, .appendAccepted(matched: 2))
            bench.step(.held(2, from: 3))
            #expect(appends(bench.step(.tick, after: 110)).isEmpty)
            let output = isByTime ? bench.receive(2, 1, .heartbeatReply(round: 1), after: 200) : bench.step(.sent(2, behind: 1, upTo: 2))
            #expect(appends(output) == [3...4])
        }
    }

    @Test("Those that are sent after all are followed by the rest; a late word of that changes nothing")
    func sent() {
        var bench = leader()
        bench.step(.proposed([nil, nil, nil, nil]))
        bench.step(.held(2, from: 2))
        #expect(appends(bench.step(.sent(2, behind: 1, upTo: 3), after: 5)) == [4...5])
        #expect(appends(bench.step(.sent(2, behind: 1, upTo: 3), after: 5)).isEmpty)
        bench.step(.linkLost(2))
        bench.step(.held(2, from: 2))
        #expect(appends(bench.step(.sent(2, behind: 5, upTo: 5))).isEmpty)
    }
}
