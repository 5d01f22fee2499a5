import Raft
import Testing

@Suite("Raft thesis §5.3: snapshots, as the receiver sees them")
struct SnapshotReceiverTests {
    private let five = Configuration(voters: [1, 2, 3, 4, 5])

    private func offer(_ position: LogPosition, term: UInt64 = 3, from: MemberID = 2) -> CoreInput {
        .snapshotReceived(from: from, term: Term(term), position, five)
    }

    @Test("Named bug: acknowledging a snapshot that is held only in memory. The leader hears of it when it is installed")
    func onlyWhenInstalled() {
        var bench = Bench(term: 3, commit: 1, log: log([1, 1]))
        let received = bench.step(offer(at(50, in: 3)))
        #expect(received.installSnapshot == at(50, in: 3))
        #expect(received.send.isEmpty && received.persist == nil)
        #expect(bench.core.last == at(2, in: 1), "the old log is in force until then")
        let installed = bench.step(.snapshotInstalled(at(50, in: 3)))
        #expect(installed.send.map(\.body) == [.snapshotInstalled(at(50, in: 3))])
        #expect(bench.core.last == at(50, in: 3) && bench.core.committed == 50 && bench.core.durable == 50)
        #expect(bench.core.configuration == five)
    }

    @Test("Named bug: a snapshot older than the log is not wanted; the leader hears how far this member is")
    func older() {
        var bench = Bench(term: 3, commit: 60, log: log(Array(repeating: 3, count: 20), cut: at(50, in: 2)), applied: 55)
        let output = bench.step(offer(at(55, in: 3)))
        #expect(output.dropSnapshot == at(55, in: 3) && output.installSnapshot == nil)
        #expect(output.send.map(\.body) == [.appendAccepted(matched: 60)])
        #expect(bench.core.last == at(70, in: 3))
    }

    @Test("A snapshot whose end is in the log takes nothing from the log, whose tail may be acknowledged")
    func inTheLog() {
        var bench = Bench(term: 3, commit: 1, log: log([1, 1, 3, 3]))
        let output = bench.step(offer(at(3, in: 3)))
        #expect(output.dropSnapshot == at(3, in: 3) && output.committed == 3)
        #expect(bench.core.last == at(4, in: 3))
    }

    @Test("A log that conflicts with the snapshot, or ends before it, goes")
    func conflict() {
        var bench = Bench(term: 3, commit: 1, log: log([1, 1, 2, 2]))
        #expect(bench.step(offer(at(3, in: 3))).installSnapshot == at(3, in: 3))
        bench.step(.snapshotInstalled(at(3, in: 3)))
        #expect(bench.core.last == at(3, in: 3))
    }

    @Test("Named bug: two snapshots shortly after each other. The second waits its turn, and an old one changes nothing")
    func twoSnapshots() {
        var bench = Bench(term: 3)
        bench.step(offer(at(50, in: 3)))
        #expect(bench.step(offer(at(80, in: 3))).dropSnapshot == at(80, in: 3))
        bench.step(.snapshotInstalled(at(50, in: 3)))
        #expect(bench.step(.snapshotInstalled(at(80, in: 3))).send.isEmpty)
        #expect(bench.core.last.index == 50)
        #expect(bench.step(offer(at(80, in: 3))).installSnapshot == at(80, in: 3))
        bench.step(.snapshotInstalled(at(80, in: 3)))
        #expect(bench.step(offer(at(50, in: 3))).dropSnapshot == at(50, in: 3))
        #expect(bench.core.last.index == 80)
    }

    @Test("While it is being installed nothing goes to the log, and this member stands for no election")
    func whileInstalling() {
        var bench = Bench(term: 3, commit: 1, log: log([1, 1]))
        bench.step(offer(at(50, in: 3)))
        let append = Message.Body.append(previous: at(2, in: 1), entries: entries(from: 3, [3]), commit: 9)
        #expect(bench.receive(2, 3, append).persist == nil)
        #expect(bench.receive(2, 3, .heartbeat(round: 4, commit: 9)).send.map(\.body) == [.heartbeatReply(round: 4)])
        bench.step(.tick, after: 5000)
        bench.step(.campaign)
        bench.receive(2, 3, .timeoutNow)
        #expect(bench.core.role == .follower && bench.core.committed == 1)
    }

    @Test("Orders of before the installation, done after it, make nothing else durable")
    func lateOrders() {
        var bench = Bench(term: 3, commit: 1, log: log([1, 1]))
        let tail = entries(from: 3, Array(repeating: 3, count: 90))
        bench.receive(2, 3, .append(previous: at(2, in: 1), entries: tail, commit: 1))
        bench.step(offer(at(50, in: 2), term: 3))
        bench.step(.snapshotInstalled(at(50, in: 2)))
        bench.persistAll()
        #expect(bench.core.durable == 50 && bench.core.last.index == 50)
    }

    @Test("A vote goes to the disk also then, and the answer about the snapshot waits for it")
    func voteMeanwhile() {
        var bench = Bench(term: 3)
        bench.step(offer(at(50, in: 3)))
        bench.receive(3, 4, .heartbeat(round: 1, commit: 0))
        #expect(bench.orders.count == 1)
        let installed = bench.step(.snapshotInstalled(at(50, in: 3)))
        #expect(installed.send.isEmpty)
        #expect(bench.persistAll().map(\.body) == [.snapshotInstalled(at(50, in: 3))])
    }

    @Test("A leader needs no snapshot; nonsense is dropped")
    func notWanted() {
        var bench = Bench()
        bench.lead()
        #expect(bench.step(offer(at(50, in: 1), term: 1)).dropSnapshot != nil)
        #expect(bench.step(offer(at(.max, in: 3))).dropSnapshot != nil)
        #expect(bench.step(offer(at(50, in: .max), term: .max)).dropSnapshot != nil)
        #expect(bench.core.role == .leader)
    }
}

@Suite("Raft thesis §5.3: snapshots, as the leader sees them")
struct SnapshotSenderTests {
    /// Leads with a log that begins behind 10, and member 3 has only half of that.
    private func leader() -> Bench {
        var bench = Bench(term: 2, commit: 12, log: log([2, 2], cut: at(10, in: 2)), applied: 12)
        bench.lead(with: [])
        bench.receive(2, 2, .preVoteReply(granted: true))
        bench.persistAll()
        bench.receive(2, 3, .voteReply(granted: true))
        bench.persistAll()
        bench.acknowledge(by: [2])
        return bench
    }

    private func asked() -> (Bench, CoreOutput) {
        var bench = leader()
        let output = bench.receive(3, 3, .appendRefused(previous: 12, hint: at(5, in: 1)))
        return (bench, output)
    }

    @Test("A peer whose next entry is cut needs the state; asked for once, until it is reported sent")
    func needed() {
        var (bench, output) = asked()
        #expect(output.needSnapshot == [3] && output.sent(to: 3).isEmpty)
        #expect(bench.step(.proposed([nil])).sent(to: 3).isEmpty)
        bench.sleep()
        #expect(bench.receive(3, 3, .heartbeatReply(round: 1)).needSnapshot.isEmpty)
    }

    @Test("Also when it conflicts just at the cut")
    func conflictAtTheCut() {
        var bench = leader()
        let first = bench.receive(3, 3, .appendRefused(previous: 12, hint: at(12, in: 1)))
        #expect(first.sent(to: 3).first == .append(previous: at(10, in: 2), entries: entries(from: 11, [2, 2, 3]), commit: 13))
        #expect(bench.receive(3, 3, .appendRefused(previous: 10, hint: at(10, in: 1))).needSnapshot == [3])
    }

    @Test("Installed counts as matched, and the entries behind it follow")
    func installed() {
        var (bench, _) = asked()
        bench.step(.snapshotSent(3, at(12, in: 2), succeeded: true))
        let output = bench.receive(3, 3, .snapshotInstalled(at(12, in: 2)))
        #expect(output.sent(to: 3).contains(.append(previous: at(12, in: 2), entries: entries(from: 13, [3]), commit: 13)))
    }

    @Test("Sent is not installed: nothing is counted, and no second one is sent meanwhile")
    func sentIsNotInstalled() {
        var (bench, _) = asked()
        let output = bench.step(.snapshotSent(3, at(12, in: 2), succeeded: true))
        #expect(output.send.isEmpty && output.needSnapshot.isEmpty)
        #expect(bench.receive(3, 3, .appendRefused(previous: 12, hint: at(5, in: 1))).needSnapshot.isEmpty)
    }

    @Test("If nothing is heard of it for an election timeout, what follows it is tried")
    func answerLost() {
        var (bench, _) = asked()
        bench.step(.snapshotSent(3, at(12, in: 2), succeeded: true))
        var sent: [Message.Body] = []
        for round in 1...12 as ClosedRange<UInt64> {
            sent += bench.sleep().sent(to: 3)
            bench.receive(2, 3, .heartbeatReply(round: round))
        }
        #expect(sent.contains(.append(previous: at(12, in: 2), entries: [], commit: 13)))
    }

    @Test("After a failure it is asked for again, but not before the peer is heard")
    func failed() {
        var (bench, _) = asked()
        #expect(bench.step(.snapshotSent(3, .origin, succeeded: false)).needSnapshot.isEmpty)
        #expect(bench.step(.proposed([nil])).needSnapshot.isEmpty)
        bench.sleep()
        #expect(bench.receive(3, 3, .heartbeatReply(round: 1)).needSnapshot == [3])
    }

    @Test("Two snapshots shortly after each other: the log was cut again meanwhile, so another one is needed")
    func cutAgain() {
        var (bench, _) = asked()
        bench.propose(10)
        bench.persistAll()
        bench.acknowledge(by: [2])
        bench.step(.snapshotSent(3, at(12, in: 2), succeeded: true))
        bench.step(.logCut(at(20, in: 3)))
        #expect(bench.receive(3, 3, .snapshotInstalled(at(12, in: 2))).needSnapshot.isEmpty)
        var needed: [MemberID] = []
        for round in 1...12 as ClosedRange<UInt64> {
            needed += bench.sleep().needSnapshot
            needed += bench.receive(3, 3, .heartbeatReply(round: round)).needSnapshot
            bench.receive(2, 3, .heartbeatReply(round: round))
        }
        #expect(needed == [3])
    }
}
