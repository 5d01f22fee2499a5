import Glibc
import Keyspace
import Raft
import Storage
import Synchronization

/// The tree thread: owns the writing side of `tree.db`; commits one layer after the other, and checkpoints.
///
/// `@unchecked Sendable`: `store`, `readers`, `wanted`, `triesAgain`, `isUntidy` and `isTidying` are confined to its thread; the rest is
/// Sendable itself.
final class TreeWriter: @unchecked Sendable {
    enum Item: Sendable {
        case write(TreeLayer)
        /// Nothing to do but to let go of it: freeing thousands of nodes is this thread's business, as nobody waits for it.
        case free(any Sendable)
        /// Checkpoint, whatever the size of the WAL: now, and again until the tree holds everything up to there durably.
        case makeDurable(upTo: Index)
        /// The staged snapshot takes the place of the file; `swapped` is called on this thread with what reads it.
        case swap(@Sendable () -> Void)
        /// The same with the copy that `ReaderWatch` asked for.
        case replace(@Sendable () -> Void)
        /// That copy cannot be had, or is not needed any more.
        case notReplaced(StorageError?)
        case stop
    }

    private let inbox = Inbox<Item>()
    private var store: TreeStore
    private let directory: String
    private let historyEvents: Int
    private var readers: ReaderWatch
    /// Up to where the stored tree is.
    private let stored: Atomic<UInt64>
    /// Gets the copy to put in place; any thread.
    private let copied = Mutex<(@Sendable (LogPosition) -> Void)?>(nil)
    private let fileLock: TreeFileLock
    private let port: LoopPort
    private let fail: @Sendable (StorageError) -> Never
    /// Of layers committed and not yet taken note of by the apply thread, what was taken out of their hashes.
    private let committed = Mutex<[StateHash]>([])
    private let full = Mutex<Bool>(false)
    private let noticed = Mutex<(@Sendable () -> Void)?>(nil)
    /// The process is about to end, or another tree takes the place of this one: nobody waits for room on a full disk any more.
    private let mustEnd = Atomic<Bool>(false)
    private let mustYield = Atomic<Bool>(false)
    /// Somebody waits for the tree to be durable up to here. Without new changes nobody would ask again.
    private var wanted: Index?
    /// The last try was in vain: a reader was in the way, or the disk is full.
    private var triesAgain = false

    /// Something was written since the file was last brought to the size that it needs.
    private var isUntidy = true
    /// A step of that was made, and there is more.
    private var isTidying = false

    private static let retryMilliseconds = 250
    /// So long nobody has asked for anything: then the file is tidied.
    private static let restMilliseconds = 5000
    /// Between two steps of it.
    private static let tidyingMilliseconds = 20

    /// - Parameter directory: the data directory's path.
    init(
        store: TreeStore, directory: String, historyEvents: Int, fileLock: TreeFileLock, port: LoopPort,
        notice: @escaping @Sendable (ReplicaNotice) -> Void, fail: @escaping @Sendable (StorageError) -> Never
    ) {
        self.store = store
        self.directory = directory
        self.historyEvents = historyEvents
        readers = ReaderWatch(file: DataDirectory(path: directory).tree, notice: notice)
        stored = Atomic(store.state.applied.index.value)
        self.fileLock = fileLock
        self.port = port
        self.fail = fail
    }

    func submit(_ item: Item) { inbox.submit(item) }

    /// Lets go of it here if this thread has time; a thread that waits for room on the disk would gather what it was given.
    func free(_ value: any Sendable) { if inbox.count < Self.freesMax { inbox.submit(.free(value)) } }

    private static let freesMax = 8

    /// `wake` is called after each commit.
    func onCommit(_ wake: @escaping @Sendable () -> Void) { noticed.withLock { $0 = wake } }

    /// Once for each committed layer: what `TreeStore.write` has returned for it.
    func takeCommit() -> StateHash? { committed.withLock { $0.isEmpty ? nil : $0.removeFirst() } }

    /// `take` is given the place of a copy of the tree that waits to be put in place.
    func onCopy(_ take: @escaping @Sendable (LogPosition) -> Void) { copied.withLock { $0 = take } }

    func endSoon() { mustEnd.store(true, ordering: .relaxed) }

    /// Asks for the swap, and waits until the new file is open. The caller has closed its readers.
    func swapAndWait() { submitAndWait { .swap($0) } }

    /// The same, with the copy in the place of the file.
    func replaceAndWait() { submitAndWait { .replace($0) } }

    private func submitAndWait(_ item: (@escaping @Sendable () -> Void) -> Item) {
        let answers = Inbox<Void>()
        mustYield.store(true, ordering: .relaxed)
        inbox.submit(item { answers.wake() })
        _ = answers.takeAll()
    }

    /// The disk is full: nobody should wait for the layer that is being written.
    var isDiskFull: Bool { full.withLock { $0 } }

    func run() {
        // The view may lag; the loop and the log, which clients wait for, go first. (On Linux this is the thread's own.) Not by much: on a machine
        // that is busy with other things too it would hardly have a turn, and in the end all wait for it.
        _ = setpriority(__priority_which_t(PRIO_PROCESS.rawValue), 0, 4)
        do {
            var isStopping = false
            while !isStopping {
                let items = inbox.takeAll(timeoutMilliseconds: waitMilliseconds)
                if items.isEmpty { try tidy() } else { (isUntidy, isTidying) = (true, false) }
                for item in items {
                    switch item {
                    case .write(let layer):
                        try write(layer)
                        try giveBack(isAtRest: false)
                        try checkpoint(force: wanted != nil)
                    case .free: break
                    case .makeDurable(let index):
                        wanted = max(wanted ?? index, index)
                        try checkpoint(force: true)
                    case .swap(let swapped):
                        try swap()
                        swapped()
                    case .replace(let replaced):
                        try replace()
                        replaced()
                    case .notReplaced(let error):
                        readers.failed(error)
                        try FileReplacement.clear(DataDirectory(path: directory).tree)
                    case .stop: isStopping = true
                    }
                }
                if triesAgain, !isStopping { try checkpoint(force: true) }
                if !isStopping { try lookAfterReaders() }
            }
            try store.close()
        } catch {
            fail(error)
        }
    }

    private var waitMilliseconds: Int? {
        if triesAgain { return TreeWriter.retryMilliseconds }
        if isTidying { return TreeWriter.tidyingMilliseconds }
        return isUntidy ? TreeWriter.restMilliseconds : nil
    }

    /// What was of use only while changes came goes back to the file system, a step at a time.
    private func tidy() throws(StorageError) {
        guard isUntidy, !triesAgain else { return }
        isTidying = try giveBack(isAtRest: true)
        if isTidying { return try checkpoint(force: false) }
        do {
            // With a reader in the way, again after a while.
            guard try store.cutWAL() else { return }
            port.post([.treeDurable(store.durable.index, isAtRest: true)])
        } catch .diskFull {
            // The WAL still has everything; the next layer brings the next try.
        } catch { throw error }
        isUntidy = false
    }

    @discardableResult
    private func giveBack(isAtRest: Bool) throws(StorageError) -> Bool {
        // Where there is no room to move pages there is none to be had by it.
        do { return try store.giveBackStep(isAtRest: isAtRest) } catch .diskFull { return false } catch { throw error }
    }

    private func swap() throws(StorageError) {
        let directory = DataDirectory(path: directory)
        try store.close()
        try open(directory.tree) { () throws(StorageError) in try SnapshotInstall.swap(in: directory) }
    }

    private func replace() throws(StorageError) {
        let path = DataDirectory(path: directory).tree
        try FileReplacement.commit(path)
        store.leave()
        try open(path) { () throws(StorageError) in try FileReplacement.finish(path) }
        readers.copied()
        port.post([.treeDurable(store.durable.index)])
    }

    private func lookAfterReaders() throws(StorageError) {
        let directory = DataDirectory(path: directory)
        guard readers.mustCopy(bytesHeldUp: store.bytesHeldUp) else { return }
        let (tree, log) = (directory.tree, directory.log)
        WorkerThread(name: "copy tree") { [self] in
            do throws(StorageError) {
                let position = try TreeReplacement.prepare(
                    tree: tree, log: log, historyEvents: historyEvents, applied: { Index(stored.load(ordering: .acquiring)) },
                    copying: { (body: () throws(StorageError) -> Void) throws(StorageError) in try fileLock.hold(body) })
                copied.withLock { $0 }?(position)
            } catch {
                inbox.submit(.notReplaced(error))
            }
        }.detach()
    }

    private func open(_ path: String, _ swap: () throws(StorageError) -> Void) throws(StorageError) {
        while true {
            do {
                try fileLock.hold(swap)
                store = try TreeStore(path, historyEvents: historyEvents)
                break
            } catch {
                // Both may be done again, and until then there is no tree to read from. The next start would do it, too.
                guard case .diskFull = error, !mustEnd.load(ordering: .relaxed) else { throw error }
                sleepBriefly()
            }
        }
        stored.store(store.state.applied.index.value, ordering: .releasing)
        committed.withLock { $0.removeAll() }
        mustYield.store(false, ordering: .relaxed)
        if full.withLock({ isFull in
            defer { isFull = false }
            return isFull
        }) {
            port.post([.diskFull(.tree, false)])
        }
    }

    private func write(_ layer: TreeLayer) throws(StorageError) {
        var isFull = false
        while true {
            do {
                let start = WallClock.steady
                let counted = try store.write(layer)
                stored.store(store.state.applied.index.value, ordering: .releasing)
                var messages = [LoopMessage.commitTook(nanoseconds: UInt64(WallClock.steady - start), isLog: false)]
                if isFull {
                    full.withLock { $0 = false }
                    messages.append(.diskFull(.tree, false))
                }
                port.post(messages)
                committed.withLock { $0.append(counted) }
                noticed.withLock { $0 }?()
                return
            } catch .diskFull {
                if !isFull {
                    full.withLock { $0 = true }
                    port.post([.diskFull(.tree, true)])
                }
                isFull = true
                // The log has it all; the next start applies it again.
                if mustEnd.load(ordering: .relaxed) || mustYield.load(ordering: .relaxed) { return }
                sleepBriefly()
            } catch {
                throw error
            }
        }
    }

    private func checkpoint(force: Bool) throws(StorageError) {
        do {
            if try store.checkpointIfDue(force: force) {
                triesAgain = false
                if let index = wanted, store.durable.index >= index { wanted = nil }
                port.post([.treeDurable(store.durable.index)])
            } else if force {
                triesAgain = true
            }
        } catch .diskFull {
            // The WAL still has everything.
            if force { triesAgain = true }
        } catch {
            throw error
        }
    }
}

/// Between two tries on a full disk.
func sleepBriefly() { usleep(250_000) }

func sleepAMillisecond() { usleep(1000) }
