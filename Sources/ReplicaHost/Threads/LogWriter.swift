import Raft
import Replica
import Storage
import Synchronization
import Wire

/// The log thread: owns `log.db`. It takes all requests that wait, writes them in one transaction and one fsync, and starts over. For
/// a member alone it hands on to the apply thread what it has written, which is committed by that. Nothing else is done here, but
/// cuts and checkpoints when nobody waits.
///
/// `@unchecked Sendable`: confined to its thread, but for `inbox`, the atomics and the closures, which are Sendable themselves.
final class LogWriter: @unchecked Sendable {
    enum Item: Sendable {
        /// If it is committed when it is durable, everything behind `handedOn` goes to the apply thread with it.
        case persist(PersistRequest, handedOn: Index)
        /// These entries are committed, durable, and no longer in memory: the apply thread gets them from the file.
        case handOver(after: Index, upTo: Index)
        case cut(upTo: Index)
        /// In the place of log and tree, when everything before is written.
        case install(IncomingTree)
        /// The tree is swapped.
        case installed
        /// The copy that `ReaderWatch` asked for is made, or not.
        case copied(StorageError?)
        case stop
    }

    private let inbox = Inbox<Item>()
    private var store: LogStore
    private var readers: ReaderWatch
    /// False between two files.
    private var hasFile = true
    private let directory: String
    private let applier: Applier
    private let port: LoopPort
    private let fail: @Sendable (StorageError) -> Never
    private var cutTarget: Index?
    /// Something was written since the file was last found to have the size that it needs.
    private var isUntidy = true
    /// A copy is under way only for that.
    private var isTidying = false
    /// The index of the last entry that is known to be committed.
    private let committed = Atomic<UInt64>(0)
    /// Somebody waits for the thread's end.
    private let mustEnd = Atomic<Bool>(false)

    init(
        store: LogStore, directory: String, applier: Applier, port: LoopPort, notice: @escaping @Sendable (ReplicaNotice) -> Void,
        fail: @escaping @Sendable (StorageError) -> Never
    ) {
        self.store = store
        readers = ReaderWatch(file: DataDirectory(path: directory).log, notice: notice)
        self.directory = directory
        self.applier = applier
        self.port = port
        self.fail = fail
    }

    func submit(_ item: Item) { inbox.submit(item) }

    /// For the hard state, with what is written next: no reason to wake up.
    func note(committed index: Index) { committed.store(index.value, ordering: .relaxed) }

    /// Ends the thread when it has written what it was given; on a full disk, at once.
    func stop() {
        mustEnd.store(true, ordering: .relaxed)
        inbox.submit(.stop)
    }

    /// The thread's body; returns after `stop`.
    func run() {
        do {
            var goesOn = true
            while goesOn {
                // With a cut under way the thread does not sleep: a step between two commits keeps each of them short.
                let items = inbox.takeAll(timeoutMilliseconds: cutTarget != nil ? 1 : isUntidy ? LogWriter.restMilliseconds : nil)
                if items.isEmpty, cutTarget == nil { try tidy() }
                goesOn = try work(items)
            }
            try end()
        } catch {
            fail(error)
        }
    }

    /// So long nobody has asked for anything.
    private static let restMilliseconds = 5000

    /// A file that was much larger under load than what it holds now makes place for a copy, as for a reader that does not let go. While
    /// writes come its free pages are of use.
    private func tidy() throws(StorageError) {
        guard isUntidy, try store.bytesToSpare() > LogWriter.spareMax else { return isUntidy = false }
        // Soon after one that came to nothing, or beside another: again after a while.
        guard !isTidying, readers.mayCopy() else { return }
        (isUntidy, isTidying) = (false, true)
        copyFile()
    }

    private static let spareMax = 16 << 20
    /// A rest that has ended meanwhile was none; the next one will come.
    private static let lagMaxWhenTidying: UInt64 = 1000

    /// False when the thread must end.
    private func work(_ items: [Item]) throws(StorageError) -> Bool {
        var goesOn = true
        var requests: [(PersistRequest, handedOn: Index)] = []
        for item in items {
            switch item {
            case .persist(let request, let handedOn):
                requests.append((request, handedOn))
                isUntidy = true
            case .handOver(let index, let upTo): try handOver(after: index, upTo: upTo)
            case .cut(let target): cutTarget = max(cutTarget ?? target, target)
            case .install(let incoming):
                guard try write(requests), try install(incoming) else { return false }
                requests = []
            case .installed:
                guard try untilThereIsRoom({ () throws(StorageError) in try store.finishInstall() }) else { return false }
            case .copied(let error):
                guard try write(requests), try replaceFile(error) else { return false }
                requests = []
            case .stop: goesOn = false
            }
        }
        guard try write(requests) else { return false }
        if let target = cutTarget, try cutStep(target) {
            cutTarget = nil
            isUntidy = true
            port.post([.logWasCut(store.cut.position)])
        }
        try checkpointIfDue()
        if goesOn, readers.mustCopy(bytesHeldUp: store.bytesHeldUp) { copyFile() }
        return goesOn
    }

    /// Beside this thread, which writes on meanwhile.
    private func copyFile() {
        let (path, committed, inbox) = (DataDirectory(path: directory).log, store.committed, inbox)
        WorkerThread(name: "copy log") {
            do throws(StorageError) {
                try LogReplacement.prepare(path, upTo: committed)
                inbox.submit(.copied(nil))
            } catch {
                inbox.submit(.copied(error))
            }
        }.detach()
    }

    /// What the copy lacks is little, and then it is the file. Up to there a full disk changes nothing. False when there is no room behind that
    /// and the thread must end: it has no file any more then.
    private func replaceFile(_ error: StorageError?) throws(StorageError) -> Bool {
        let path = DataDirectory(path: directory).log
        do throws(StorageError) {
            if let error { throw error }
            guard try LogReplacement.bringUp(from: store, lagMax: isTidying ? LogWriter.lagMaxWhenTidying : .max) else {
                readers.failed(nil)
                isTidying = false
                try FileReplacement.clear(path)
                return true
            }
        } catch {
            readers.failed(error)
            isTidying = false
            try FileReplacement.clear(path)
            return true
        }
        let committed = store.committed
        try LogReplacement.takePlace(of: store)
        hasFile = false
        guard try untilThereIsRoom({ () throws(StorageError) in store = try LogReplacement.open(path, committed: committed) }) else {
            return false
        }
        hasFile = true
        readers.copied(isOfNote: !isTidying)
        isTidying = false
        return true
    }

    private func end() throws(StorageError) {
        guard hasFile else { return }
        // What is committed is known anyway at the next start; here it is for whoever looks into the file.
        try writeCommit()
        try store.close()
    }

    /// False when there is no room and the thread must end.
    private func install(_ incoming: IncomingTree) throws(StorageError) -> Bool {
        let directory = DataDirectory(path: directory)
        guard
            try untilThereIsRoom({ () throws(StorageError) in
                // A try before this one may have got that far.
                if FileOperations.exists(incoming.path) { try SnapshotInstall.stage(incoming.path, in: directory) }
                try store.beginInstall(incoming.manifest)
            })
        else { return false }
        cutTarget = nil
        applier.submit(.install(incoming.manifest) { [inbox] in inbox.submit(.installed) })
        return true
    }

    private func writeCommit() throws(StorageError) {
        noteCommitted()
        var state = store.hardState
        state.commit = max(state.commit, store.committed)
        do { try store.write(state, []) } catch .diskFull {} catch { throw error }
    }

    private func noteCommitted() { store.noteCommitted(Index(committed.load(ordering: .relaxed))) }

    /// False when there is no room and nobody will wait for it: the thread must end.
    private func write(_ orders: [(PersistRequest, handedOn: Index)]) throws(StorageError) -> Bool {
        // Of large entries fewer in one transaction: the WAL keeps the size of the largest, and all their answers come at once.
        var group: [(PersistRequest, handedOn: Index)] = []
        var bytes = 0
        for order in orders {
            let size = order.0.entries.reduce(0) { $0 + $1.payload.size }
            if !group.isEmpty, bytes + size > LogWriter.transactionBytes {
                guard try writeGroup(group) else { return false }
                (group, bytes) = ([], 0)
            }
            group.append(order)
            bytes += size
        }
        return try writeGroup(group)
    }

    private static let transactionBytes = 8 << 20

    private func writeGroup(_ orders: [(PersistRequest, handedOn: Index)]) throws(StorageError) -> Bool {
        guard let ticket = orders.last?.0.ticket else { return true }
        noteCommitted()
        let requests = orders.map(\.0)
        let entries = LogWriter.entries(of: requests)
        let changes = requests.map { LogChange(hardState: $0.hardState, truncateFrom: $0.truncateFrom, entries: $0.entries) }
        var messages: [LoopMessage] = []
        // An order without contents only waits for those before it.
        if changes.contains(where: { $0.hardState != nil || $0.truncateFrom != nil || !$0.entries.isEmpty }) {
            let start = WallClock.steady
            guard try untilThereIsRoom({ () throws(StorageError) in try store.write(changes) }) else { return false }
            messages.append(.commitTook(nanoseconds: UInt64(WallClock.steady - start), isLog: true))
        }
        messages.append(.persisted(ticket, requests: requests.count, bytes: entries.reduce(0) { $0 + $1.payload.size }))
        guard let first = orders.first(where: { $0.0.durableIsCommitted }),
            let last = requests.last(where: { $0.durableIsCommitted })?.entries.last?.index
        else {
            port.post(messages)
            return true
        }
        store.noteCommitted(last)
        // With another member, which may have come meanwhile, what is behind waits for its word.
        let isAll = entries.first?.index == first.handedOn.next && entries.last?.index == last
        let committed = isAll ? entries : entries.filter { $0.index > first.handedOn && $0.index <= last }
        if let start = committed.first?.index { try handOver(after: first.handedOn, upTo: start.previous) }
        waitForApplier()
        // The messages for the loop travel along: one wake-up instead of two.
        try applier.applyHere(committed, messages)
        return true
    }

    /// What the requests come to, when a later one has taken back a part of an earlier one.
    private static func entries(of requests: [PersistRequest]) -> [LogEntry] {
        if requests.count == 1 { return requests[0].entries }
        guard requests.contains(where: { $0.truncateFrom != nil }) else { return requests.flatMap(\.entries) }
        var entries: [LogEntry] = []
        for request in requests {
            if let first = request.truncateFrom { entries.removeAll { $0.index >= first } }
            entries += request.entries
        }
        return entries
    }

    private func handOver(after index: Index, upTo: Index) throws(StorageError) {
        var index = index
        while index < upTo {
            let missing = try store.entries(
                after: index, limit: Int(min(1000, upTo.value - index.value)), bytes: LogWriter.bytesHandedOver)
            guard let last = missing.last else {
                throw .damaged(file: "log.db", place: "table log, index \(index.next)", reason: "the entry is missing")
            }
            // It stands in the file; there is no hurry to have it in memory.
            waitForApplier()
            applier.submit(.entries(missing, []))
            index = last.index
        }
    }

    private static let bytesHandedOver = 8 << 20

    /// The apply thread waits for nothing that this one does.
    private func waitForApplier() { while applier.isBehind, !mustEnd.load(ordering: .relaxed) { sleepAMillisecond() } }

    /// Runs `body` again while the disk is full. What it wants to write was proposed already and must stay next in line;
    /// the loop refuses everything new meanwhile. Returns false when the thread must end instead: no client was answered, so
    /// nothing is lost with it.
    private func untilThereIsRoom(_ body: () throws(StorageError) -> Void) throws(StorageError) -> Bool {
        var isFull = false
        while true {
            do {
                try body()
                if isFull { port.post([.diskFull(.log, false)]) }
                return true
            } catch .diskFull {
                if mustEnd.load(ordering: .relaxed) { return false }
                if !isFull { port.post([.diskFull(.log, true)]) }
                isFull = true
                sleepBriefly()
            } catch {
                throw error
            }
        }
    }

    private func checkpointIfDue() throws(StorageError) {
        // The WAL has everything and goes on; the next commit brings the next try.
        do { try store.checkpointIfDue() } catch .diskFull {} catch { throw error }
    }

    private func cutStep(_ target: Index) throws(StorageError) -> Bool {
        do { return try store.cutStep(upTo: target) } catch .diskFull { return true } catch { throw error }
    }
}
