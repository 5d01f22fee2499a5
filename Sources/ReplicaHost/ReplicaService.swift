import Keyspace
import NIOCore
import PeerTransport
import Raft
import Replica
import Storage
import Wire

/// The replica of this member as the doors see it: a corridor between the machine, the desks, the threads and the other members, all of
/// which but the threads are confined to one event loop. It routes; what there is to know and to decide is the machine's and the desks'.
///
/// A write: `propose` → (end of the loop's turn) one batch to the machine → log thread: one commit, while the others write it too →
/// back here, unless this member is alone → apply thread → here, where events go to watchers and the answer to its client. Nothing is
/// answered before the log's fsync, because the apply thread is given an entry only after it.
///
/// Files: `+Turn` how work is done so that nobody is called in the middle of it; `+Door` what doors ask; `+Changes` membership changes;
/// `+Effects` what the machine wants; `+Threads` what threads report; `+Time` what time brings; `+Peers`, `+Snapshots`, `+Copies` the others.
///
/// `@unchecked Sendable`: everything mutable is touched on `loop` only (checked in debug builds); threads reach it through `port`.
package final class ReplicaService: ReplicaDoor, @unchecked Sendable {
    package let loop: any EventLoop
    let configuration: ReplicaConfiguration
    let identity: Identity
    let startTime: Int64
    let directory: DataDirectory
    let notice: @Sendable (ReplicaNotice) -> Void
    let fail: @Sendable (StorageError) -> Never
    let onRemoved: @Sendable () -> Void

    // The brain, and the desks: a question each.
    var machine: ReplicaMachine
    var clock: WallClock
    var proposals: ProposalDesk
    var reads: ReadDesk
    var watches: WatchDesk
    var line: Line
    var tree: TreeDesk
    var membership: MemberDesk
    var rights: AccessDesk
    var outcomes = OutcomeDesk()
    var leader = LeaderDesk()
    var room = RoomDesk()
    var snapshots = SnapshotDesk()
    var copies = CopyDesk()
    var figures = FigureDesk()
    var turns = TurnDesk()

    // What lies outside: threads, other members, tasks of the loop.
    var threads: ReplicaThreads?
    package internal(set) var links: PeerLinks?
    var fetcher: LogFetcher?
    let fileLock = TreeFileLock()
    var ticker: RepeatedTask?
    var alarm: (at: UInt64, task: Scheduled<Void>)?
    /// Called once, when clients may be served.
    var onPublished: (() -> Void)?
    package var onAccessChange: (() -> Void)?

    init(
        loop: any EventLoop, configuration: ReplicaConfiguration, directory: DataDirectory, opened: OpenedStores,
        notice: @escaping @Sendable (ReplicaNotice) -> Void, fail: @escaping @Sendable (StorageError) -> Never,
        removed: @escaping @Sendable () -> Void
    ) {
        self.loop = loop
        self.configuration = configuration
        self.directory = directory
        self.notice = notice
        self.fail = fail
        onRemoved = removed
        identity = opened.log.identity
        clock = WallClock(notBefore: opened.newestTime)
        startTime = clock.now
        let milliseconds = UInt64(bitPattern: startTime / 1_000_000)
        // Unlike any number of another member or of an earlier run of this one.
        let lastRequest = (identity.member.value & 0xffff) << 48 | (milliseconds & 0xff_ffff_ffff) << 8
        machine = opened.machine(configuration, life: milliseconds, seed: lastRequest)
        proposals = ProposalDesk(
            pendingMax: configuration.pendingProposalsMax, bytesMax: configuration.pendingProposalBytesMax, lastRequest: lastRequest)
        reads = ReadDesk(waitingMax: configuration.waitingReadsMax, cacheBytesMax: Self.cacheBytesMax)
        watches = WatchDesk(askedMax: configuration.waitingReadsMax)
        line = Line(applied: opened.applier.applied.index)
        tree = TreeDesk(opened.applier)
        membership = MemberDesk(
            own: identity.member, configuration, opened.applier.members, clusterVersion: opened.applier.clusterVersion,
            inLog: opened.tail)
        rights = AccessDesk(opened.applier.access)
    }

    func start(_ opened: OpenedStores, published: @escaping () -> Void) {
        let port = LoopPort(loop: loop) { [weak self] messages in self?.receive(messages) }
        let threads = ReplicaThreads(
            opened, in: directory, historyEvents: configuration.historyEvents, fileLock: fileLock, port: port, notice: notice,
            fail: fail)
        self.threads = threads
        startPeers()
        onPublished = published
        let interval = TimeAmount.milliseconds(250)
        ticker = loop.scheduleRepeatedTask(initialDelay: interval, delay: interval) { [weak self] _ in self?.tick() }
        turn {
            step(.started)
            // This member knows what was committed when it asks, so clients see nothing older than what an earlier life has shown them.
            if !isLoneVoter { step(.readRequested(reads.askForBarrier())) }
        }
    }

    private static let cacheBytesMax = 8 << 20

    /// No other member has a say.
    package var isLoneVoter: Bool { machine.core.configuration.voters == [identity.member] }

    var isLeading: Bool { machine.core.role == .leader }

    /// The opening entry of its own term is applied, and so is all that was ever acknowledged before.
    var isLeadingInFull: Bool { isLeading && (machine.openingEntry.map { tree.applied.index >= $0 } ?? false) }

    // MARK: The end

    /// Hands leadership over if others can take it, answers everything that waits, then lets the threads write what they have and ends
    /// them. `done` comes on the loop.
    package func stop(_ done: @escaping @Sendable () -> Void) {
        loop.assertInEventLoop()
        guard room.stage == .running, isLeading, !isLoneVoter else { return end(done) }
        room.enter(.handingOver)
        turn { step(.transferLeadership(nil)) }
        awaitTransfer(until: WallClock.steadyMilliseconds + configuration.electionMilliseconds, done)
    }

    private func awaitTransfer(until deadline: UInt64, _ done: @escaping @Sendable () -> Void) {
        let isOver = !isLeading && machine.core.leader != .none
        if isOver || WallClock.steadyMilliseconds >= deadline { return end(done) }
        let service = NIOLoopBound(self, eventLoop: loop)
        loop.scheduleTask(in: .milliseconds(5)) { service.value.awaitTransfer(until: deadline, done) }
    }

    private func end(_ done: @escaping @Sendable () -> Void) {
        guard !room.isStopping else { return done() }
        turn { answerEverything() }
        guard let threads else { return done() }
        let loop = loop
        let directory = NIOLoopBound(directory, eventLoop: loop)
        WorkerThread(name: "stop") {
            threads.stop()
            loop.execute {
                directory.value.unlock(isClean: true)
                done()
            }
        }.detach()
    }

    private func answerEverything() {
        room.enter(.stopping)
        ticker?.cancel()
        alarm?.task.cancel()
        links?.close()
        fetcher?.stop()
        for waiting in proposals.takeAll() { deliver(ProposalDesk.failure(of: waiting, .stopped)) }
        deliver(reads.failAll(.stopped))
        watches.endAll(into: &turns.deliveries)
        deliver(copies.failBackups(.stopped))
        copies.abandonAll()
    }
}
