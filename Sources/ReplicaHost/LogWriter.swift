import Raft
import Replica
import Storage
import Synchronization
import Wire

/// The log thread: owns `log.db`. It takes all requests that wait, writes them in one transaction and one fsync, hands what is
/// committed on to the apply thread, and starts over. Nothing else is done here, but cuts and checkpoints when nobody waits.
///
/// `@unchecked Sendable`: confined to its thread, but for `inbox` and the closures, which are Sendable themselves.
final class LogWriter: @unchecked Sendable {
    enum Item: Sendable {
        case persist(PersistRequest)
        /// Everything up to here is committed, and written by earlier items: it may be applied.
        case commit(upTo: Index)
        case cut(upTo: Index)
        /// In the place of log and tree, when everything before is written.
        case install(IncomingTree)
        /// The tree is swapped.
        case installed
        case stop
    }

    private let inbox = Inbox<Item>()
    private let store: LogStore
    private let directory: String
    private let applier: Applier
    private let port: LoopPort
    private let fail: @Sendable (StorageError) -> Never
    /// The last entry that the apply thread was given.
    private var handedOver: Index
    private var written = WrittenEntries()
    private var cutTarget: Index?
    /// Somebody waits for the thread's end.
    private let mustEnd = Atomic<Bool>(false)

    init(
        store: LogStore, directory: String, handedOver: Index, applier: Applier, port: LoopPort,
        fail: @escaping @Sendable (StorageError) -> Never
    ) {
        self.store = store
        self.directory = directory
        self.handedOver = handedOver
        self.applier = applier
        self.port = port
        self.fail = fail
    }

    func submit(_ item: Item) { inbox.submit(item) }

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
                goesOn = try work(cutTarget == nil ? inbox.takeAll() : inbox.takeAll(timeoutMilliseconds: 1))
            }
            try end()
        } catch {
            fail(error)
        }
    }

    /// False when the thread must end.
    private func work(_ items: [Item]) throws(StorageError) -> Bool {
        var goesOn = true
        var requests: [PersistRequest] = []
        var committed: Index = 0
        for item in items {
            switch item {
            case .persist(let request): requests.append(request)
            case .commit(let index): committed = max(committed, index)
            case .cut(let target): cutTarget = max(cutTarget ?? target, target)
            case .install(let incoming):
                guard try carryOut(requests, committed: committed), try install(incoming) else { return false }
                (requests, committed) = ([], 0)
            case .installed:
                guard try untilThereIsRoom({ () throws(StorageError) in try store.finishInstall() }) else { return false }
            case .stop: goesOn = false
            }
        }
        guard try carryOut(requests, committed: committed) else { return false }
        if let target = cutTarget, try cutStep(target) {
            cutTarget = nil
            port.post([.logWasCut(store.cut.position)])
        }
        try checkpointIfDue()
        return goesOn
    }

    /// False when there is no room and the thread must end.
    private func carryOut(_ requests: [PersistRequest], committed: Index) throws(StorageError) -> Bool {
        // What it speaks of is written already, and clients wait for it.
        if committed > handedOver { try handOver(committed: committed, isAlone: requests.isEmpty) }
        return requests.isEmpty ? true : try write(requests)
    }

    private func end() throws(StorageError) {
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
        written = WrittenEntries()
        cutTarget = nil
        handedOver = incoming.manifest.position.index
        applier.submit(.install(incoming.manifest) { [inbox] in inbox.submit(.installed) })
        return true
    }

    private func writeCommit() throws(StorageError) {
        var state = store.hardState
        state.commit = max(state.commit, handedOver)
        do { try store.write(state, []) } catch .diskFull {} catch { throw error }
    }

    /// False when there is no room and nobody will wait for it: the thread must end.
    private func write(_ requests: [PersistRequest]) throws(StorageError) -> Bool {
        let entries = LogWriter.entries(of: requests)
        let changes = requests.map { LogChange(hardState: $0.hardState, truncateFrom: $0.truncateFrom, entries: $0.entries) }
        var messages: [LoopMessage] = []
        // An order without contents only waits for those before it.
        if changes.contains(where: { $0.hardState != nil || $0.truncateFrom != nil || !$0.entries.isEmpty }) {
            let start = WallClock.steady
            guard try untilThereIsRoom({ () throws(StorageError) in try store.write(changes) }) else { return false }
            messages.append(.commitTook(nanoseconds: UInt64(WallClock.steady - start), isLog: true))
        }
        if let ticket = requests.last?.ticket {
            messages.append(.persisted(ticket, requests: requests.count, bytes: entries.reduce(0) { $0 + $1.payload.size }))
        }
        if let last = requests.last(where: { $0.durableIsCommitted })?.entries.last {
            if last.index == entries.last?.index {
                try handOver(entries, upTo: last.index, messages)
            } else {
                // Another member has come: what is behind waits for its word.
                written.take(entries.filter { $0.index > last.index }, truncateFrom: nil)
                try handOver(entries.filter { $0.index <= last.index }, upTo: last.index, messages)
            }
        } else {
            for request in requests { written.take(request.entries, truncateFrom: request.truncateFrom) }
            port.post(messages)
        }
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

    private func handOver(committed: Index, isAlone: Bool) throws(StorageError) {
        store.noteCommitted(committed)
        let entries = written.give(upTo: committed)
        if let first = entries.first {
            try handOverMissing(before: first.index)
            handedOver = committed
            if isAlone { try applier.applyHere(entries, []) } else { applier.submit(.entries(entries, [])) }
        } else {
            try handOverMissing(before: committed.next)
        }
    }

    /// Gives the apply thread what follows the entries it has, reading from the log what was never in memory here.
    /// The messages for the loop travel along: one wake-up instead of two.
    private func handOver(_ entries: [LogEntry], upTo: Index, _ messages: [LoopMessage]) throws(StorageError) {
        if let first = entries.first { try handOverMissing(before: first.index) }
        store.noteCommitted(upTo)
        handedOver = upTo
        try applier.applyHere(entries, messages)
    }

    private func handOverMissing(before index: Index) throws(StorageError) {
        while handedOver.next < index {
            let missing = try store.entries(after: handedOver, limit: min(1000, Int(index.value - handedOver.value) - 1))
            guard let last = missing.last else {
                throw .damaged(file: "log.db", place: "table log, index \(handedOver.next)", reason: "the entry is missing")
            }
            applier.submit(.entries(missing, []))
            handedOver = last.index
        }
    }

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

/// Entries that are in the log and wait to be committed, so that they need not be read again. Bounded: what is not here is in the log.
private struct WrittenEntries {
    private var entries: [LogEntry] = []
    private var bytes = 0

    private static let bytesMax = 32 << 20

    mutating func take(_ more: [LogEntry], truncateFrom: Index?) {
        if let truncateFrom { entries.removeAll { $0.index >= truncateFrom } }
        if let last = entries.last, let first = more.first, last.index.next != first.index { entries.removeAll() }
        if entries.isEmpty { bytes = 0 }
        entries += more
        for entry in more { bytes += entry.payload.size }
        if bytes > Self.bytesMax {
            entries.removeAll()
            bytes = 0
        }
    }

    /// All up to `index` that are here: without a gap, up to `index` itself, or none.
    mutating func give(upTo index: Index) -> [LogEntry] {
        guard let first = entries.first?.index, let last = entries.last?.index, first <= index, index <= last else {
            if let last = entries.last?.index, last < index { entries.removeAll() }
            return []
        }
        let given = Array(entries.prefix(Int(index.value - first.value) + 1))
        entries.removeFirst(given.count)
        for entry in given { bytes -= entry.payload.size }
        return given
    }
}
