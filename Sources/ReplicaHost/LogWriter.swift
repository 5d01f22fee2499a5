import Raft
import Replica
import Storage
import Wire

/// The log thread: owns `log.db`. It takes all requests that wait, writes them in one transaction and one fsync, hands what is
/// committed on to the apply thread, and starts over. Nothing else is done here, but cuts and checkpoints when nobody waits.
///
/// `@unchecked Sendable`: confined to its thread, but for `inbox` and the closures, which are Sendable themselves.
final class LogWriter: @unchecked Sendable {
    enum Item: Sendable {
        case persist(PersistRequest)
        case cut(upTo: Index)
        case stop
    }

    private let inbox = Inbox<Item>()
    private let store: LogStore
    private let applier: Applier
    private let port: LoopPort
    private let fail: @Sendable (StorageError) -> Never
    /// The last entry that the apply thread was given.
    private var handedOver: Index
    private var cutTarget: Index?

    init(
        store: LogStore, handedOver: Index, applier: Applier, port: LoopPort,
        fail: @escaping @Sendable (StorageError) -> Never
    ) {
        self.store = store
        self.handedOver = handedOver
        self.applier = applier
        self.port = port
        self.fail = fail
    }

    func submit(_ item: Item) { inbox.submit(item) }

    /// The thread's body; returns after `stop`.
    func run() {
        do {
            var isStopping = false
            while !isStopping {
                // With a cut under way the thread does not sleep: a step between two commits keeps each of them short.
                let items = cutTarget == nil ? inbox.takeAll() : inbox.takeAll(timeoutMilliseconds: 1)
                var requests: [PersistRequest] = []
                for item in items {
                    switch item {
                    case .persist(let request): requests.append(request)
                    case .cut(let target): cutTarget = max(cutTarget ?? target, target)
                    case .stop: isStopping = true
                    }
                }
                if !requests.isEmpty { try write(requests) }
                if let target = cutTarget, try cutStep(target) {
                    cutTarget = nil
                    port.post([.logWasCut(store.cut.position)])
                }
                try checkpointIfDue()
            }
            // What is committed is known anyway at the next start; here it is for whoever looks into the file.
            try untilThereIsRoom { () throws(StorageError) in
                var state = store.hardState
                state.commit = max(state.commit, handedOver)
                try store.write(state, [])
            }
            try store.close()
        } catch {
            fail(error)
        }
    }

    private func write(_ requests: [PersistRequest]) throws(StorageError) {
        let entries = requests.count == 1 ? requests[0].entries : requests.flatMap(\.entries)
        let changes = requests.map { LogChange(hardState: $0.hardState, truncateFrom: $0.truncateFrom, entries: $0.entries) }
        let start = WallClock.steady
        try untilThereIsRoom { () throws(StorageError) in try store.write(changes) }
        let nanoseconds = UInt64(WallClock.steady - start)
        var messages: [LoopMessage] = [.commitTook(nanoseconds: nanoseconds, isLog: true)]
        if let ticket = requests.last?.ticket {
            messages.append(.persisted(ticket, requests: requests.count, bytes: entries.reduce(0) { $0 + $1.payload.size }))
        }
        if let last = requests.last(where: { $0.durableIsCommitted })?.entries.last {
            try handOver(entries, upTo: last.index, messages)
        } else {
            port.post(messages)
        }
    }

    /// Gives the apply thread what follows the entries it has, reading from the log what was never in memory here.
    /// The messages for the loop travel along: one wake-up instead of two.
    private func handOver(_ entries: [LogEntry], upTo: Index, _ messages: [LoopMessage]) throws(StorageError) {
        while let first = entries.first, handedOver.next < first.index {
            let missing = try store.entries(
                after: handedOver, limit: min(1000, Int(first.index.value - handedOver.value) - 1))
            guard let last = missing.last else {
                throw .damaged(file: "log.db", place: "table log, index \(handedOver.next)", reason: "the entry is missing")
            }
            applier.submit(.entries(missing, []))
            handedOver = last.index
        }
        handedOver = upTo
        try applier.applyHere(entries, messages)
    }

    /// Runs `body` again while the disk is full. What it wants to write was proposed already and must stay next in line;
    /// the loop refuses everything new meanwhile.
    private func untilThereIsRoom(_ body: () throws(StorageError) -> Void) throws(StorageError) {
        var isFull = false
        while true {
            do {
                try body()
                if isFull { port.post([.diskFull(.log, false)]) }
                return
            } catch .diskFull {
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
