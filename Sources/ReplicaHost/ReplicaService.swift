import Keyspace
import NIOCore
import Raft
import Replica
import Storage
import Wire

/// The replica of this member as the doors see it: confines the machine, the watch hub and the read cache to one event loop, and
/// keeps the log, apply and tree threads busy.
///
/// A write: `propose` → (end of the loop's turn) one batch to the machine → log thread: one commit → apply thread → back here,
/// where events go to watchers and the answer to its client. Nothing is answered before the log's fsync, because the
/// apply thread is given an entry only after it.
///
/// `@unchecked Sendable`: everything mutable is touched on `loop` only (checked in debug builds); threads reach it through `port`.
package final class ReplicaService: ReplicaDoor, @unchecked Sendable {
    package let loop: any EventLoop
    let configuration: ReplicaConfiguration
    let identity: Identity
    let clock: WallClock
    private let startTime: Int64
    private let directory: DataDirectory
    private let notice: @Sendable (ReplicaNotice) -> Void
    private let fail: @Sendable (StorageError) -> Never

    private var machine: ReplicaMachine
    private var threads: ReplicaThreads?

    // Proposals
    private var gathered: [EntryPayload] = []
    private var isDrainScheduled = false
    /// Requests that the log thread has been given and not yet reported.
    private var persistsOnTheirWay = 0
    private var book: ProposalBook<(ProposalResult) -> Void>
    private var nextRequest: UInt64
    private var fullDisks: Set<DiskFullSource> = []
    private var isStopping = false

    // What the loop has seen of the tree
    private var applied: Index
    private var keysIndex: UInt64
    private var currentMembers: [Member]
    private var clusterVersion: String
    private var leaderSince: Int64 = 0
    private var cache = ReadCache(bytesMax: 16 << 20)
    private var hub = WatchHub()

    // Reads, watches and flushes on their way to the apply thread and back
    private var nextNumber: UInt64 = 1
    private var waitingReads: [UInt64: (path: TreePath, answer: (ReadResult) -> Void)] = [:]
    private var waitingWatches: [UInt64: PendingWatch] = [:]
    /// Called with true when everything that was answered is in the tree file, with false when that will never be.
    private var waitingFlushes: [(Bool) -> Void] = []

    private var earliestExpiration: Int64?
    private var expirePending = false
    private var statistics = StoreStatistics()
    private var counts = ReplicaCounters()
    private var ticker: RepeatedTask?
    private var onPublished: (() -> Void)?
    /// The empty entry of this member's term as leader, until it is applied.
    private var openingEntry: Index?
    /// The opening entry is applied, and so is all that was committed before it: what the loop knows is no older than
    /// what an earlier life of this member has answered.
    private var hasCaughtUp = false
    private var backupNumber = 0

    init(
        loop: any EventLoop, configuration: ReplicaConfiguration, directory: DataDirectory, opened: OpenedStores,
        notice: @escaping @Sendable (ReplicaNotice) -> Void, fail: @escaping @Sendable (StorageError) -> Never
    ) {
        self.loop = loop
        self.configuration = configuration
        self.directory = directory
        self.notice = notice
        self.fail = fail
        identity = opened.log.identity
        clock = WallClock(notBefore: opened.newestTime)
        startTime = clock.now
        applied = opened.applier.applied.index
        keysIndex = opened.applier.tree.index
        currentMembers = opened.applier.members
        clusterVersion = opened.applier.clusterVersion
        earliestExpiration = opened.applier.earliestExpiration
        book = ProposalBook(pendingMax: configuration.pendingProposalsMax)
        let milliseconds = UInt64(bitPattern: startTime / 1_000_000)
        // Unlike any number of another member or of an earlier run of this one.
        nextRequest = (identity.member.value & 0xffff) << 48 | (milliseconds & 0xff_ffff_ffff) << 8
        machine = opened.machine(configuration, life: milliseconds, seed: nextRequest)
    }

    func start(_ opened: OpenedStores, published: @escaping () -> Void) {
        let port = LoopPort(loop: loop) { [weak self] messages in self?.receive(messages) }
        threads = ReplicaThreads(opened, port: port, fail: fail)
        onPublished = published
        let interval = TimeAmount.milliseconds(250)
        ticker = loop.scheduleRepeatedTask(initialDelay: interval, delay: interval) { [weak self] _ in self?.tick() }
        step(.started)
    }

    /// Answers everything that waits, then lets the threads write what they have and ends them. `done` comes on the loop.
    package func stop(_ done: @escaping @Sendable () -> Void) {
        loop.assertInEventLoop()
        guard !isStopping else { return done() }
        isStopping = true
        ticker?.cancel()
        for answer in book.takeAll() { answer(.unavailable(.stopped)) }
        hub.endAll()
        for watch in waitingWatches.sorted(by: { $0.key < $1.key }) { watch.value.sink.ended() }
        waitingWatches = [:]
        for read in waitingReads.sorted(by: { $0.key < $1.key }) { read.value.answer(ReadResult(.unavailable(.stopped), index: 0)) }
        waitingReads = [:]
        for flush in waitingFlushes { flush(false) }
        waitingFlushes = []
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

    // MARK: Doors: changes

    package func propose(_ command: Command, client: [UInt8], answer: @escaping (ProposalResult) -> Void) {
        loop.assertInEventLoop()
        guard !isStopping else { return answer(.unavailable(.stopped)) }
        guard fullDisks.isEmpty else {
            counts.proposalsFailed += 1
            return answer(.unavailable(.diskFull))
        }
        guard !book.isFull else {
            counts.proposalsFailed += 1
            return answer(.unavailable(.overloaded))
        }
        let request = newRequest()
        book.add(request, deadline: WallClock.steady + configuration.requestTimeoutNanoseconds, answer)
        gather(CommandCodec.encode(command, time: clock.now, client: client, request: request))
    }

    private func newRequest() -> UInt64 {
        nextRequest &+= 1
        return nextRequest
    }

    /// Payloads are proposed at once while the log thread is idle, else in small groups, and at the latest at the end of the
    /// loop's turn. What waits for the log shares its next commit either way; but if all requests of a turn travelled
    /// together, loop, log and apply thread would wait for each other instead of working side by side.
    private func gather(_ payload: EntryPayload) {
        gathered.append(payload)
        if persistsOnTheirWay == 0 || gathered.count >= ReplicaService.proposalGroup { return drain() }
        guard !isDrainScheduled else { return }
        isDrainScheduled = true
        loop.execute {
            self.isDrainScheduled = false
            self.drain()
        }
    }

    private static let proposalGroup = 16

    private func drain() {
        guard !gathered.isEmpty else { return }
        var payloads: [EntryPayload] = []
        swap(&payloads, &gathered)
        step(.proposed(payloads))
    }

    private func step(_ event: ReplicaEvent) {
        var effects = ReplicaEffects()
        machine.handle(event, at: WallClock.steadyMilliseconds, into: &effects)
        for request in effects.refused {
            counts.proposalsFailed += 1
            book.take(request)?(.unavailable(.noLeader))
        }
        for request in effects.persist {
            persistsOnTheirWay += 1
            threads?.log.submit(.persist(request))
        }
        if effects.makeTreeDurable { threads?.tree.submit(.makeDurable) }
        if let target = effects.cutLog {
            notice(.logCut(upTo: target))
            threads?.log.submit(.cut(upTo: target))
        }
        for case .becameLeader(let term) in effects.notices {
            leaderSince = clock.now
            counts.leaderChanges += 1
            notice(.electionStarted(identity.member, term: term))
            notice(.becameLeader(identity.member, term: term))
            openingEntry = machine.openingEntry
        }
    }

    /// A new cluster records itself; a member whose name or URLs have changed publishes them again.
    private func proposeMembership() {
        var changes: [MembershipChange] = []
        if !currentMembers.contains(where: { $0.id == identity.member }) {
            changes.append(.add(Member(id: identity.member, peerURLs: configuration.peerURLs)))
        }
        if !isPublished {
            changes.append(.publish(identity.member, name: configuration.name, clientURLs: configuration.clientURLs))
        }
        if clusterVersion.isEmpty { changes.append(.clusterVersion(configuration.clusterVersion)) }
        for change in changes { gather(MembershipCodec.encode(change, time: clock.now, request: newRequest())) }
    }

    private var isPublished: Bool {
        currentMembers.contains {
            $0.id == identity.member && $0.name == configuration.name && $0.clientURLs == configuration.clientURLs
        }
    }

    // MARK: Doors: reads

    package func cached(_ path: TreePath, recursive: Bool) -> CachedReading? {
        guard let reading = cache.reading(path, recursive: recursive) else { return nil }
        statistics.gets.success += 1
        return reading
    }

    package func read(_ path: TreePath, recursive: Bool, quorum: Bool, answer: @escaping (ReadResult) -> Void) {
        loop.assertInEventLoop()
        guard !isStopping else { return answer(ReadResult(.unavailable(.stopped), index: 0)) }
        if quorum {
            guard machine.core.role == .leader else { return answer(ReadResult(.unavailable(.noLeader), index: 0)) }
            // The only voter is its own majority. The read must see everything committed by now: when the loop has seen all of it
            // its cache is as good as the tree, and otherwise the apply thread's queue has it ahead of this read.
            if machine.core.committed == applied, machine.core.last.index == applied,
                let reading = cache.reading(path, recursive: recursive), case .file(let node) = reading
            {
                statistics.gets.success += 1
                return answer(ReadResult(.found(.file(node)), index: keysIndex))
            }
        }
        let number = newNumber()
        waitingReads[number] = (path, answer)
        threads?.applier.submit(.read(number: number, path, recursive: recursive))
    }

    package func keep(_ body: ByteBuffer, path: TreePath, recursive: Bool) {
        cache.keep(body, path: path, recursive: recursive)
    }

    private func newNumber() -> UInt64 {
        nextNumber += 1
        return nextNumber
    }

    // MARK: Doors: watches

    package func watch(
        _ path: TreePath, recursive: Bool, isStream: Bool, since: UInt64, sink: any WatchSink
    ) -> WatchToken {
        loop.assertInEventLoop()
        let token = WatchToken(newNumber())
        counts.watchRequests += 1
        guard !isStopping, let threads else {
            sink.ended()
            return token
        }
        waitingWatches[token.number] = PendingWatch(
            sink: sink, path: path, recursive: recursive, isStream: isStream, since: since)
        threads.applier.submit(.watch(token, path, recursive: recursive, since: since))
        return token
    }

    package func cancel(_ token: WatchToken) {
        // One that the apply thread has not answered yet is forgotten when the answer finds nobody.
        if waitingWatches.removeValue(forKey: token.number) != nil { return }
        if let path = hub.unregister(token) { threads?.applier.submit(.unwatch(path)) }
    }

    private func started(_ token: WatchToken, _ past: EntryApplier.Past, index: UInt64, path: TreePath) {
        guard let watch = waitingWatches.removeValue(forKey: token.number) else {
            threads?.applier.submit(.unwatch(path))
            return
        }
        switch past {
        case .nothing:
            hub.register(
                token, path: watch.path, recursive: watch.recursive, isStream: watch.isStream, since: watch.since,
                sink: watch.sink)
            watch.sink.started(index: index)
        case .event(let event):
            watch.sink.started(index: index)
            watch.sink.push(SharedEvent(event), twice: false)
            watch.sink.flushEvents()
            threads?.applier.submit(.unwatch(path))
        case .cleared(let oldest):
            watch.sink.cleared(oldest: oldest, index: index)
            threads?.applier.submit(.unwatch(path))
        }
    }

    // MARK: Doors: the rest

    package var status: ReplicaStatus {
        var status = ReplicaStatus()
        let isLeader = machine.core.role == .leader
        status.memberID = identity.member.value
        status.clusterID = identity.cluster.value
        status.name = configuration.name
        status.leader = isLeader ? identity.member.value : 0
        status.leaderSince = leaderSince
        status.startTime = startTime
        status.term = machine.core.term.value
        status.commitIndex = machine.core.committed.value
        status.appliedIndex = applied.value
        status.keysIndex = keysIndex
        status.isLeader = isLeader
        status.now = clock.now
        status.electionTimeoutMilliseconds = configuration.electionMilliseconds
        return status
    }

    package var members: [MemberRecord] {
        currentMembers.filter { !$0.isRemoved }.map {
            MemberRecord(
                id: $0.id.value, name: $0.name, peerURLs: $0.peerURLs, clientURLs: $0.clientURLs, isLearner: $0.isLearner)
        }
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
        backupNumber += 1
        let path = "\(directory.transfer)/backup-\(backupNumber)"
        let (tree, identity, loop, notice) = (directory.tree, identity, loop, notice)
        let box = NIOLoopBound(answer, eventLoop: loop)
        // First the tree file catches up with what was answered, then a thread of its own copies it.
        waitingFlushes.append { isFlushed in
            guard isFlushed else { return box.value(.failure(.stopped)) }
            WorkerThread(name: "backup") {
                let result = Result { () throws(StorageError) in
                    try BackupFile.make(tree: tree, identity: identity, to: path)
                }
                loop.execute {
                    switch result {
                    case .success(let manifest):
                        let size = UInt64(FileOperations.size(path) ?? 0)
                        box.value(
                            .success(
                                BackupCopy(path: path, size: size, stateHash: manifest.stateHash) {
                                    try? FileOperations.remove(path)
                                }))
                    case .failure(let error):
                        notice(.backupFailed(error.description))
                        if case .diskFull = error { box.value(.failure(.diskFull)) } else { box.value(.failure(.timedOut)) }
                    }
                }
            }.detach()
        }
        threads.applier.submit(.flush)
    }

    // MARK: From the threads

    private func receive(_ messages: [LoopMessage]) {
        loop.assertInEventLoop()
        for message in messages {
            switch message {
            case .persisted(let ticket, let requests, let bytes):
                persistsOnTheirWay -= requests
                step(.persisted(ticket))
                if bytes > 0 { step(.logGrew(bytes: bytes)) }
            case .applied(let batch): follow(batch)
            case .read(let number, let result): finish(number, result)
            case .watch(let token, let path, let past, let index): started(token, past, index: index, path: path)
            case .treeDurable(let index): step(.treeDurable(index))
            case .logWasCut(let position): step(.logWasCut(position))
            case .diskFull(let source, let isFull): disk(source, isFull: isFull)
            case .commitTook(let nanoseconds, let isLog):
                if isLog {
                    counts.logCommits.record(nanoseconds: nanoseconds)
                } else {
                    counts.treeCommits.record(nanoseconds: nanoseconds)
                }
            case .flushed: if !waitingFlushes.isEmpty { waitingFlushes.removeFirst()(true) }
            }
        }
        hub.flush()
    }

    private func follow(_ batch: AppliedBatch) {
        // The whole batch first, so that no answer leaves before the loop knows what it says.
        applied = batch.upTo
        keysIndex = batch.keysIndex
        earliestExpiration = batch.earliestExpiration
        if let members = batch.members { currentMembers = members }
        for result in batch.results {
            switch result.outcome {
            case .event(let event): see(event)
            case .expired(let events):
                expirePending = false
                statistics.expires += UInt64(events.count)
                for event in events { see(event) }
            case .membership(let change): see(change)
            case .nothing, .refused, .membershipRefused: break
            }
        }
        for result in batch.results {
            if let operation = result.operation { statistics.count(operation, result.outcome) }
            guard let answer = book.take(result.request) else { continue }
            switch result.outcome {
            case .event(let event): answer(.applied(event))
            case .refused(let refusal, let index): answer(.refused(refusal, index: index))
            case .nothing, .expired, .membership, .membershipRefused: answer(.unavailable(.stopped))
            }
        }
        let position = LogPosition(index: batch.upTo, term: machine.core.term(at: batch.upTo) ?? machine.core.term)
        let requests = machine.wantsAppliedRequests ? batch.results.map(\.request) : []
        step(.applied(position, requests: requests, members: batch.members))
        if let opening = openingEntry, applied >= opening {
            openingEntry = nil
            hasCaughtUp = true
            proposeMembership()
        }
        if hasCaughtUp, let onPublished, isPublished, !clusterVersion.isEmpty {
            self.onPublished = nil
            notice(.published(name: configuration.name, clientURLs: configuration.clientURLs, cluster: identity.cluster))
            onPublished()
        }
    }

    private func see(_ event: Event) {
        cache.follow(event)
        for path in hub.publish(event) { threads?.applier.submit(.unwatch(path)) }
    }

    private func see(_ change: MembershipChange) {
        switch change {
        case .add(let member): notice(.memberAdded(member.id, peerURLs: member.peerURLs, cluster: identity.cluster))
        case .clusterVersion(let version):
            clusterVersion = version
            notice(.clusterVersionSet(version))
        case .remove, .update, .publish: break
        }
    }

    private func finish(_ number: UInt64, _ result: ReadResult) {
        guard let (path, answer) = waitingReads.removeValue(forKey: number) else { return }
        switch result.outcome {
        case .found(let reading):
            statistics.gets.success += 1
            if case .file(let node) = reading { cache.keep(node, at: path) }
        case .refused: statistics.gets.fail += 1
        case .unavailable: break
        }
        answer(result)
    }

    private func disk(_ source: DiskFullSource, isFull: Bool) {
        if isFull {
            if fullDisks.isEmpty { notice(.diskFull) }
            fullDisks.insert(source)
            // Those on their way may still happen when there is room; their clients need not wait to be told.
            let failed = book.takeAll()
            counts.proposalsFailed += UInt64(failed.count)
            for answer in failed { answer(.unavailable(.diskFull)) }
        } else {
            fullDisks.remove(source)
            if fullDisks.isEmpty { notice(.diskHasRoom) }
        }
    }

    // MARK: Time

    private func tick() {
        if let due = machine.wakeUp, due <= WallClock.steadyMilliseconds { step(.time) }
        for answer in book.expired(at: WallClock.steady) {
            counts.proposalsFailed += 1
            answer(.unavailable(.timedOut))
        }
        guard machine.core.role == .leader, fullDisks.isEmpty, !expirePending, let earliest = earliestExpiration else { return }
        let now = clock.now
        guard earliest <= now else { return }
        expirePending = true
        gather(CommandCodec.encode(Command(.expire, .root), time: now, client: [], request: newRequest()))
    }
}
