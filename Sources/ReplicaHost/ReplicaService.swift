import Keyspace
import NIOCore
import PeerTransport
import Raft
import Replica
import Storage
import Wire

/// The replica of this member as the doors see it: confines the machine, the watch hub and the read cache to one event loop, and
/// keeps the log, apply and tree threads busy.
///
/// A write: `propose` → (end of the loop's turn) one batch to the machine → log thread: one commit, while the others write it too →
/// back here, unless this member is alone → apply thread → here, where events go to watchers and the answer to its client. Nothing is
/// answered before the log's fsync, because the apply thread is given an entry only after it.
///
/// `@unchecked Sendable`: everything mutable is touched on `loop` only (checked in debug builds); threads reach it through `port`.
package final class ReplicaService: ReplicaDoor, @unchecked Sendable {
    package let loop: any EventLoop
    let configuration: ReplicaConfiguration
    let identity: Identity
    var clock: WallClock
    let startTime: Int64
    let directory: DataDirectory
    let notice: @Sendable (ReplicaNotice) -> Void
    let fail: @Sendable (StorageError) -> Never

    let fileLock = TreeFileLock()

    var machine: ReplicaMachine
    var threads: ReplicaThreads?

    // Proposals
    var gathered: [EntryPayload] = []
    var isDrainScheduled = false
    /// Requests that the log thread has been given and not yet reported.
    var persistsOnTheirWay = 0
    /// Entries up to here are on their way to the apply thread, or go there as soon as they are durable.
    var handedOn: Index
    /// Entries up to here come to the apply thread by way of the log thread.
    var readFromLog: Index = 0
    var book: ProposalBook<PendingProposal>
    var memberBook: ProposalBook<PendingChange>
    /// What happens when the log thread has reported a request, in the order of the requests.
    var afterPersist: [AfterPersist] = []
    var nextRequest: UInt64
    var fullDisks: Set<DiskFullSource> = []
    /// Payloads that were handed on to be applied since the tree's disk is full.
    var bytesAppliedWithoutRoom = 0
    var isStopping = false

    // What the loop has seen of the tree
    var applied: LogPosition
    var keysIndex: UInt64
    var currentMembers: [Member]
    var clusterVersion: String
    /// What the others run, as they said when they were last connected.
    var peerVersions: [MemberID: String] = [:]
    /// On its way through the log, and since when on the steady clock.
    var versionProposed: (version: ClusterVersion, at: Int64)?
    var leaderSince: Int64 = 0
    var cache: ReadCache
    var hub = WatchHub()

    // Reads, watches and flushes on their way to the apply thread and back
    var nextNumber: UInt64 = 1
    /// Without an answer: withdrawn, the apply thread has it.
    var waitingReads: [UInt64: (path: TreePath, answer: ((ReadResult) -> Void)?)] = [:]
    var waitingWatches: [UInt64: Watcher] = [:]
    /// Called with true when everything that was answered is in the tree file, with false when that will never be.
    var waitingFlushes: [(Bool) -> Void] = []
    /// Reads that wait for the word of a majority.
    var quorumReads: ProposalBook<PendingRead>
    /// The read whose release says that this member has caught up.
    var barrier: UInt64?

    // The other members
    package internal(set) var links: PeerLinks?
    var fetcher: LogFetcher?
    /// Received, verified, and offered to the machine; in the order of arrival.
    var offers: [IncomingTree] = []
    var snapshotNumber = 0
    var snapshotPatience = SnapshotPatience()
    /// Members that refused one, until they are offered the next.
    var refusedSnapshots: [MemberID: Scheduled<Void>] = [:]
    /// URLs of members whose addition is in the log here and not applied yet, or that a member which joins was told.
    var announced: [MemberID: [String]]
    /// From the time before the start: peer URLs of updates that were not applied by then. They may be right, so both are tried.
    var movingInLog: [MemberID: [String]]
    /// From the time before the start: client URLs that were not applied by then.
    private let publishedInLog: [MemberID: [String]]
    var leaderKnown: MemberID = .none
    /// When `leaderKnown` became known, on the steady clock.
    var leaderSinceSteady: Int64 = 0
    var publishedAt: Int64?
    var wakeAt: UInt64?
    var wakeTask: Scheduled<Void>?
    let onRemoved: @Sendable () -> Void
    var isRemoved = false
    var isHandingOver = false

    var earliestExpiration: Int64?
    var expirePending = false
    var statistics = StoreStatistics()
    var counts = ReplicaCounters()
    var ticker: RepeatedTask?
    var onPublished: (() -> Void)?
    /// The empty entry of this member's term as leader, until it is applied.
    var openingEntry: Index?
    /// The opening entry is applied, and so is all that was committed before it: what the loop knows is no older than
    /// what an earlier life of this member has answered.
    var hasCaughtUp = false
    // The turn: see `turn`
    private var isInTurn = false
    private var isDelivering = false
    /// What is to be said when the work is done.
    var deliveries: [Delivery] = []
    /// What connections of peers have said because of what the service did to them.
    private var heardMeanwhile: [() -> Void] = []
    private var isStepping = false
    private var nextEvents: [ReplicaEvent] = []
    var backupNumber = 0
    var waitingBackups: [Int: (Result<BackupCopy, Unavailable>) -> Void] = [:]

    init(
        loop: any EventLoop, configuration: ReplicaConfiguration, directory: DataDirectory, opened: OpenedStores,
        notice: @escaping @Sendable (ReplicaNotice) -> Void, fail: @escaping @Sendable (StorageError) -> Never,
        removed: @escaping @Sendable () -> Void
    ) {
        self.loop = loop
        onRemoved = removed
        self.configuration = configuration
        self.directory = directory
        self.notice = notice
        self.fail = fail
        identity = opened.log.identity
        clock = WallClock(notBefore: opened.newestTime)
        startTime = clock.now
        applied = opened.applier.applied
        handedOn = applied.index
        keysIndex = opened.applier.tree.index
        currentMembers = opened.applier.members
        clusterVersion = opened.applier.clusterVersion
        earliestExpiration = opened.applier.earliestExpiration
        cache = ReadCache(bytesMax: 8 << 20) { _ in }
        book = ProposalBook(pendingMax: configuration.pendingProposalsMax)
        memberBook = ProposalBook(pendingMax: 64)
        quorumReads = ProposalBook(pendingMax: 65_536)
        announced = opened.tail.announced
        movingInLog = opened.tail.moving
        publishedInLog = opened.tail.published
        for member in configuration.joinPeers { announced[member.id] = member.peerURLs }
        let milliseconds = UInt64(bitPattern: startTime / 1_000_000)
        // Unlike any number of another member or of an earlier run of this one.
        nextRequest = (identity.member.value & 0xffff) << 48 | (milliseconds & 0xff_ffff_ffff) << 8
        machine = opened.machine(configuration, life: milliseconds, seed: nextRequest)
    }

    func start(_ opened: OpenedStores, published: @escaping () -> Void) {
        let port = LoopPort(loop: loop) { [weak self] messages in self?.receive(messages) }
        let threads = ReplicaThreads(
            opened, in: directory, historyEvents: configuration.historyEvents, fileLock: fileLock, port: port, notice: notice,
            fail: fail)
        self.threads = threads
        startPeers()
        cache = ReadCache(bytesMax: 8 << 20) { [tree = threads.tree] in tree.submit(.free($0)) }
        onPublished = published
        let interval = TimeAmount.milliseconds(250)
        ticker = loop.scheduleRepeatedTask(initialDelay: interval, delay: interval) { [weak self] _ in
            guard let self else { return }
            turn { self.tick() }
        }
        turn {
            step(.started)
            if !isLoneVoter { askForBarrier() }
        }
    }

    /// No other member has a say.
    package var isLoneVoter: Bool { machine.core.configuration.voters == [identity.member] }

    /// Hands leadership over if others can take it, answers everything that waits, then lets the threads write what they have and ends
    /// them. `done` comes on the loop.
    package func stop(_ done: @escaping @Sendable () -> Void) {
        loop.assertInEventLoop()
        guard !isStopping, !isHandingOver, machine.core.role == .leader, !isLoneVoter else { return end(done) }
        isHandingOver = true
        turn { step(.transferLeadership(nil)) }
        awaitTransfer(until: WallClock.steadyMilliseconds + configuration.electionMilliseconds, done)
    }

    private func awaitTransfer(until deadline: UInt64, _ done: @escaping @Sendable () -> Void) {
        let isOver = machine.core.role != .leader && machine.core.leader != .none
        if isOver || WallClock.steadyMilliseconds >= deadline { return end(done) }
        let service = NIOLoopBound(self, eventLoop: loop)
        loop.scheduleTask(in: .milliseconds(5)) { service.value.awaitTransfer(until: deadline, done) }
    }

    private func end(_ done: @escaping @Sendable () -> Void) {
        guard !isStopping else { return done() }
        turn { endEverything() }
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

    private func endEverything() {
        isStopping = true
        ticker?.cancel()
        wakeTask?.cancel()
        links?.close()
        fetcher?.stop()
        for waiting in book.takeAll() { deliveries.append(.proposal(waiting.answer, .unavailable(.stopped))) }
        for waiting in memberBook.takeAll() { deliveries.append(.other { waiting.answer(.unavailable(.stopped)) }) }
        let stopped = ReadResult(.unavailable(.stopped), index: 0)
        for read in quorumReads.takeAll() { deliveries.append(.read(read.answer, stopped)) }
        for watcher in hub.all { deliveries.append(.ended(watcher)) }
        for watch in waitingWatches.sorted(by: { $0.key < $1.key }) { deliveries.append(.ended(watch.value)) }
        for read in waitingReads.sorted(by: { $0.key < $1.key }) {
            if let answer = read.value.answer { deliveries.append(.read(answer, stopped)) }
        }
        waitingReads = [:]
        for flush in waitingFlushes { flush(false) }
        waitingFlushes = []
        for number in waitingBackups.keys.sorted() { finishBackup(number, .failure(.stopped)) }
    }

    // MARK: The turn

    /// Every way into the service leads through here: `body` does its work and says nothing to anybody, what it has collected is said
    /// behind it, and messages to peers leave.
    func turn(_ body: () -> Void) {
        work(body)
        if !isInTurn { links?.flush() }
    }

    func work(_ body: () -> Void) {
        guard !isInTurn else { return body() }
        isInTurn = true
        body()
        while !heardMeanwhile.isEmpty {
            var heard: [() -> Void] = []
            swap(&heard, &heardMeanwhile)
            for one in heard { one() }
        }
        isInTurn = false
        deliver()
    }

    /// For what a call of this service may lead to at once: it waits until the work that it would interrupt is done.
    func turnLater(_ body: @escaping () -> Void) { if isInTurn { heardMeanwhile.append(body) } else { turn(body) } }

    /// What is delivered may call back, and find everything at rest; what that leads to is delivered by the same loop.
    private func deliver() {
        guard !isDelivering, !deliveries.isEmpty else { return }
        isDelivering = true
        var place = 0
        while place < deliveries.count {
            let next = deliveries[place]
            place += 1
            make(next)
        }
        deliveries.removeAll(keepingCapacity: place < 4096)
        isDelivering = false
    }

    private func make(_ delivery: Delivery) {
        switch delivery {
        case .proposal(let answer, let result): answer(result)
        case .read(let answer, let result): answer(result)
        case .event(let watcher, let event, let isTwice):
            guard !watcher.isOver else { return }
            watcher.sink.push(event, twice: isTwice)
            if watcher.isStream { return }
            if !watcher.isOver { watcher.sink.flushEvents() }
            finish(watcher)
        case .flush(let watcher): if !watcher.isOver { watcher.sink.flushEvents() }
        case .started(let watcher, let index): if !watcher.isOver { watcher.sink.started(index: index) }
        case .cleared(let watcher, let oldest, let index): if !watcher.isOver { watcher.sink.cleared(oldest: oldest, index: index) }
        case .ended(let watcher):
            if !watcher.isOver { watcher.sink.ended() }
            finish(watcher)
        case .other(let body): body()
        }
    }

    /// It has heard all that it will. Until here it can be cancelled.
    private func finish(_ watcher: Watcher) {
        watcher.cancel()
        waitingWatches[watcher.token.number] = nil
        if hub.unregister(watcher.token) != nil { threads?.applier.submit(.unwatch(watcher.path)) }
    }

    /// One event to the machine, and what it wants done. What that leads to comes behind it: orders must go out in order.
    func step(_ event: ReplicaEvent) {
        guard !isStepping else { return nextEvents.append(event) }
        isStepping = true
        stepOnce(event)
        while !nextEvents.isEmpty {
            var events: [ReplicaEvent] = []
            swap(&events, &nextEvents)
            for event in events { stepOnce(event) }
        }
        isStepping = false
    }

    // MARK: Doors: changes

    @discardableResult
    package func propose(_ command: Command, client: [UInt8], answer: @escaping (ProposalResult) -> Void) -> RequestToken {
        loop.assertInEventLoop()
        if let reason = reasonToRefuse {
            if reason != .stopped { counts.proposalsFailed += 1 }
            answer(.unavailable(reason))
            return .answered
        }
        let request = newRequest()
        let now = WallClock.steady
        book.add(
            request, deadline: now + configuration.requestTimeoutNanoseconds,
            PendingProposal(request: request, start: now, answer: answer))
        turn { gather(CommandCodec.encode(command, time: clock.now, client: client, request: request)) }
        return .proposal(request)
    }

    private var reasonToRefuse: Unavailable? {
        if isStopping { return .stopped }
        if !fullDisks.isEmpty { return .diskFull }
        return book.isFull ? .overloaded : nil
    }

    package func withdraw(_ token: RequestToken) {
        loop.assertInEventLoop()
        switch token {
        case .answered: return
        case .proposal(let request):
            guard book.take(request) != nil else { return }
            if let place = gathered.lastIndex(where: { $0.request == request }) {
                gathered.remove(at: place)
            } else {
                turn { step(.abandoned([request])) }
            }
        case .read(let number):
            if quorumReads.take(number) != nil { turn { step(.readsAbandoned([number])) } }
            waitingReads[number]?.answer = nil
        }
    }

    func newRequest() -> UInt64 {
        nextRequest &+= 1
        return nextRequest
    }

    /// Alone, a member proposes at once while its log thread is idle, else in small groups, and at the latest at the end of the
    /// loop's turn. What waits for the log shares its next commit either way; but if all requests of a turn travelled
    /// together, loop, log and apply thread would wait for each other instead of working side by side.
    ///
    /// With others, each group costs every member a turn of all its threads: the requests of a turn travel together.
    func gather(_ payload: EntryPayload) {
        gathered.append(payload)
        let isDue = isLoneVoter ? persistsOnTheirWay == 0 || gathered.count >= Self.loneGroup : gathered.count >= Self.group
        if isDue { return drain() }
        guard !isDrainScheduled else { return }
        isDrainScheduled = true
        loop.execute {
            self.isDrainScheduled = false
            self.turn { self.drain() }
        }
    }

    private static let loneGroup = 16
    private static let group = 512

    func drain() {
        guard !gathered.isEmpty else { return }
        var payloads: [EntryPayload] = []
        swap(&payloads, &gathered)
        step(.proposed(payloads))
    }

    // MARK: Doors: the rest

    package var status: ReplicaStatus {
        var status = ReplicaStatus()
        let isLeader = machine.core.role == .leader
        status.memberID = identity.member.value
        status.clusterID = identity.cluster.value
        status.name = configuration.name
        status.leader = machine.core.leader.value
        status.leaderSince = leaderSince
        status.startTime = startTime
        status.term = machine.core.term.value
        status.commitIndex = machine.core.committed.value
        status.appliedIndex = applied.index.value
        status.clusterVersion = clusterVersion
        status.keysIndex = keysIndex
        status.isLeader = isLeader
        status.isDiskFull = !fullDisks.isEmpty
        status.now = clock.now
        status.electionTimeoutMilliseconds = configuration.electionMilliseconds
        return status
    }

    package var members: [MemberRecord] {
        var records = currentMembers.filter { !$0.isRemoved }.map {
            MemberRecord(
                id: $0.id.value, name: $0.name, peerURLs: $0.peerURLs,
                clientURLs: $0.clientURLs.isEmpty ? publishedInLog[$0.id] ?? [] : $0.clientURLs, isLearner: $0.isLearner)
        }
        // One that the cluster waits for must find itself here to come.
        for member in membersOnTheirWay {
            records.append(
                MemberRecord(id: member.id.value, name: "", peerURLs: member.peerURLs, clientURLs: publishedInLog[member.id] ?? []))
        }
        return records.count > 1 ? records.sorted { $0.id < $1.id } : records
    }

    package var storeStatistics: StoreStatistics {
        var shown = statistics
        shown.watchers = UInt64(hub.count)
        return shown
    }

    package var counters: ReplicaCounters {
        var shown = counts
        shown.proposalsPending = UInt64(book.count)
        return shown
    }

    package func backup(answer: @escaping (Result<BackupCopy, Unavailable>) -> Void) {
        guard !isStopping, let threads else { return answer(.failure(.stopped)) }
        // The tree file would never catch up.
        guard !fullDisks.contains(.tree) else { return answer(.failure(.diskFull)) }
        backupNumber += 1
        let path = "\(directory.transfer)/backup-\(backupNumber)"
        let (tree, identity, loop, notice, fileLock) = (directory.tree, identity, loop, notice, fileLock)
        let number = backupNumber
        waitingBackups[number] = answer
        let service = NIOLoopBound(self, eventLoop: loop)
        // First the tree file catches up with what was answered, then a thread of its own copies it.
        waitingFlushes.append { isFlushed in
            guard isFlushed else { return service.value.finishBackup(number, .failure(.stopped)) }
            guard service.value.waitingBackups[number] != nil else { return }
            WorkerThread(name: "backup") {
                let result = Result { () throws(StorageError) in
                    try fileLock.hold { () throws(StorageError) in try BackupFile.make(tree: tree, identity: identity, to: path) }
                }
                loop.execute {
                    switch result {
                    case .success(let manifest):
                        let size = UInt64(FileOperations.size(path) ?? 0)
                        let copy = BackupCopy(path: path, size: size, stateHash: manifest.stateHash) { try? FileOperations.remove(path) }
                        service.value.finishBackup(number, .success(copy))
                    case .failure(let error):
                        notice(.backupFailed(error.description))
                        if case .diskFull = error {
                            service.value.finishBackup(number, .failure(.diskFull))
                        } else {
                            service.value.finishBackup(number, .failure(.timedOut))
                        }
                    }
                }
            }.detach()
        }
        threads.applier.submit(.flush)
    }

    /// A copy that is finished after the stop finds nobody, and is removed at the next start.
    func finishBackup(_ number: Int, _ result: Result<BackupCopy, Unavailable>) {
        guard let answer = waitingBackups.removeValue(forKey: number) else { return }
        turn { deliveries.append(.other { answer(result) }) }
    }
}
