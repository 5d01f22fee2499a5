import Access
import Keyspace
import Raft
import Storage
import Synchronization
import Wire

/// The apply thread: owns the tree as it is applied. It runs committed entries, answers reads that the loop cannot answer
/// by itself, looks into the past for watches, and gives gathered changes to the tree thread.
///
/// All of it goes through one queue and back through another, so the loop sees results, events and readings in the order
/// in which they are true.
///
/// When little comes at a time, each hand-over between threads costs more than the work itself. So the log thread may apply a small
/// group on the spot, if nothing is waiting here: see `applyHere`.
///
/// `@unchecked Sendable`: everything mutable is touched only by whoever holds `lane`; `inbox` locks itself.
final class Applier: @unchecked Sendable {
    enum Item: Sendable {
        /// Entries that follow those before; the messages go on to the loop ahead of their results.
        case entries([LogEntry], [LoopMessage])
        case read(LongReader.Listing)
        case watch(LongReader.Past)
        /// What is left of a watch when the past in the file has been looked at.
        case watchOn(LongReader.Past)
        /// How far is one slice of what has expired by then?
        case expiry(Int64)
        case unwatch(TreePath)
        /// Write everything that is applied, and say so.
        case flush
        /// The staged snapshot takes the tree's place; the log is that of the snapshot already.
        case install(SnapshotManifest, done: @Sendable () -> Void)
        /// A copy of the tree, which is there, takes its place.
        case replace(LogPosition)
        case stop
    }

    private let inbox = Inbox<Item>()
    /// Bytes of payload that wait in `inbox` or are being applied.
    private let waiting = Atomic<Int>(0)
    /// Held while the tree is worked on.
    private let lane = Mutex<Void>(())
    private var applier: EntryApplier
    private var file: TreeReader
    private let treePath: String
    private let logPath: String
    private let historyEvents: Int
    private let tree: TreeWriter
    private let beside: LongReader
    private let port: LoopPort
    private let fail: @Sendable (StorageError) -> Never
    /// When the oldest change that is not yet on its way to the file was made; steady nanoseconds.
    private var gatheringSince: Int64?
    /// What waits for the file to have everything up to an entry; in order.
    private var waitingForFile: [(upTo: Index, what: WaitingForFile)] = []

    /// The loop wants to know how far a slice of what has expired by then goes.
    private var expiryAsked: Int64?

    private enum WaitingForFile {
        case flush
        case listing(LongReader.Listing)
    }

    private struct Place: Hashable {
        let path: TreePath
        let isRecursive: Bool
    }

    /// Listings that were too large, and until when it is no use to try again: even that takes as long as the budget allows.
    private var tooLarge: [Place: Int64] = [:]
    private static let tooLargeMax = 256
    private static let tooLargeNanoseconds: Int64 = 10_000_000_000

    /// Beyond this a listing is made beside this thread: a few milliseconds.
    private static let listingBudget = ListingBudget(nodes: 4096, bytes: 1 << 20)
    /// Events that are looked at for a watch; more are looked at beside.
    private static let pastEvents = 2048
    /// Nodes that expire with one entry, or a few more.
    private static let expirySlice = 500

    /// With so many changes behind a layer that is being written, what expires waits.
    private static let expiryBehind = layerChanges / 4

    /// A layer is written when it is so old, which bounds what a plain SQL shell lags behind. Under load it goes on gathering up to the
    /// larger bounds: neighbours share pages, so a large layer costs less a change, for the processor and for the disk.
    private static let layerAgeMilliseconds = 200
    private static let layerIsSmallBelow = 1024
    private static let layerAgeMillisecondsMax = 1000
    private static let layerChanges = 16384
    private static let layerBytes = 8 << 20
    /// With so many layers' worth waiting behind the one being written, applying waits for the disk.
    private static let layersBehind = 2

    init(
        applier: EntryApplier, file: TreeReader, treePath: String, logPath: String, historyEvents: Int, tree: TreeWriter,
        beside: LongReader, port: LoopPort, fail: @escaping @Sendable (StorageError) -> Never
    ) {
        self.applier = applier
        self.file = file
        self.treePath = treePath
        self.logPath = logPath
        self.historyEvents = historyEvents
        self.tree = tree
        self.beside = beside
        self.port = port
        self.fail = fail
        tree.onCommit { [inbox] in inbox.wake() }
        tree.onCopy { [inbox] position in inbox.submit(.replace(position)) }
    }

    func submit(_ item: Item) {
        if case .entries(let entries, _) = item { waiting.add(entries.reduce(0) { $0 + $1.payload.size }, ordering: .relaxed) }
        inbox.submit(item)
    }

    /// So much waits that more should not be given: entries that are in the log need not stand in memory too.
    var isBehind: Bool { waiting.load(ordering: .relaxed) > Applier.bytesWaitingMax }

    /// A larger subtree is not counted out of the state hash while clients wait.
    static let countedMax = 1000
    private static let bytesWaitingMax = 32 << 20

    func run() {
        do {
            var isStopping = false
            while !isStopping {
                let items = inbox.takeAll(timeoutMilliseconds: lane.withLock { _ in waitMilliseconds })
                try lane.withLock { _ throws(StorageError) in isStopping = try work(items) }
            }
            try writeEverything()
        } catch {
            fail(error)
        }
    }

    /// While changes gather, the thread must wake to give them out in time.
    private var waitMilliseconds: Int? { gatheringSince == nil ? nil : Applier.layerAgeMilliseconds }

    /// Called by the log thread: applies `entries` there and then when they are few and nothing else waits, else queues them.
    func applyHere(_ entries: [LogEntry], _ messages: [LoopMessage]) throws(StorageError) {
        guard entries.count <= Applier.entriesOnTheSpot, inbox.isIdle else { return submit(.entries(entries, messages)) }
        let isDone: Void? = try lane.withLockIfAvailable { _ throws(StorageError) in
            let wasGathering = gatheringSince != nil
            waiting.add(entries.reduce(0) { $0 + $1.payload.size }, ordering: .relaxed)
            _ = try work([.entries(entries, messages)])
            if !wasGathering { inbox.wake() }
        }
        if isDone == nil { submit(.entries(entries, messages)) }
    }

    private static let entriesOnTheSpot = 2

    /// Works off `items`. Returns true when one of them was the order to stop.
    private func work(_ items: [Item]) throws(StorageError) -> Bool {
        var isStopping = false
        if let counted = tree.takeCommit() { settle(counted) }
        var messages: [LoopMessage] = []
        for item in items {
            if case .stop = item { isStopping = true } else { try handle(item, &messages) }
        }
        // Let go of the file between bursts, so that its WAL can be reset.
        try file.release()
        giveOutLayer(isUrgent: waitingForFile.last.map { $0.upTo > applier.stored.index } ?? false)
        try tellExpirySlice(&messages)
        try goOnWithFile(&messages)
        port.post(messages)
        waitForTheDisk()
        return isStopping
    }

    private func handle(_ item: Item, _ messages: inout [LoopMessage]) throws(StorageError) {
        switch item {
        case .entries(let entries, let ahead):
            messages += ahead
            for piece in Applier.pieces(entries) {
                try apply(piece, &messages)
                waiting.subtract(piece.reduce(0) { $0 + $1.payload.size }, ordering: .relaxed)
                try makeRoom(&messages)
            }
        case .read(let listing): try read(listing, &messages)
        case .watch(let past):
            applier.watched.add(past.path)
            try look(past, &messages)
        case .watchOn(let past): try look(past, &messages)
        case .unwatch(let path): applier.watched.remove(path)
        case .expiry(let time): expiryAsked = time
        case .flush: waitingForFile.append((applier.applied.index, .flush))
        case .install(let manifest, let done): try install(manifest, &messages, done)
        case .replace(let position): try replaceFile(position)
        case .stop: break
        }
    }

    /// A large reading goes to the loop at once, and the next one is made when the loop has taken those before: clients may ask for large
    /// listings faster than they can be told them.
    private func postInTurn(_ messages: inout [LoopMessage], bytes: Int) {
        while port.bytesWaiting > Applier.bytesReadMax { sleepAMillisecond() }
        port.post(messages, bytes: bytes)
        messages = []
    }

    private static let bytesReadAlone = 1 << 16
    private static let bytesReadMax = 16 << 20

    private func read(_ listing: LongReader.Listing, _ messages: inout [LoopMessage]) throws(StorageError) {
        // Without room for files a listing is made here, however long it takes: reads go on when a disk is full.
        guard !listing.isWithoutFile, !tree.isDiskFull else { return try read(listing, within: .unlimited, &messages) }
        let place = Place(path: listing.path, isRecursive: listing.isRecursive)
        if let until = tooLarge[place] {
            if WallClock.steady < until { return readBeside(listing, &messages) }
            tooLarge[place] = nil
        }
        try read(listing, within: Applier.listingBudget, &messages)
    }

    private func read(
        _ listing: LongReader.Listing, within budget: ListingBudget, _ messages: inout [LoopMessage]
    ) throws(StorageError) {
        try file.hold()
        var budget = budget
        switch try applier.tree.get(listing.path, recursive: listing.isRecursive, within: &budget) {
        case .success(let reading):
            messages.append(.read(number: listing.number, ReadResult(.found(reading), index: applier.tree.index)))
            let bytes = reading.bytes
            if bytes > Applier.bytesReadAlone { postInTurn(&messages, bytes: bytes) }
        case .failure(let refusal):
            messages.append(.read(number: listing.number, ReadResult(.refused(refusal), index: applier.tree.index)))
        case nil:
            if tooLarge.count >= Applier.tooLargeMax { tooLarge = [:] }
            tooLarge[Place(path: listing.path, isRecursive: listing.isRecursive)] = WallClock.steady + Applier.tooLargeNanoseconds
            readBeside(listing, &messages)
        }
    }

    private func readBeside(_ listing: LongReader.Listing, _ messages: inout [LoopMessage]) {
        guard waitingForFile.count < LongReader.waitingMax else { return refuse(listing, .overloaded, &messages) }
        waitingForFile.append((applier.applied.index, .listing(listing)))
    }

    private func look(_ past: LongReader.Past, _ messages: inout [LoopMessage]) throws(StorageError) {
        try file.hold()
        let found =
            past.since == 0
            ? .nothing
            : try applier.past(of: past.path, recursive: past.isRecursive, since: past.since, eventsMax: Applier.pastEvents)
        if let found {
            messages.append(.watch(past.token, past.path, found, index: applier.tree.index))
        } else if !beside.submit(past) {
            messages.append(.watchRefused(past.token, past.path))
        }
    }

    /// What expires need not hurry: while the file takes its time, there must be room in memory for what clients want.
    private func tellExpirySlice(_ messages: inout [LoopMessage]) throws(StorageError) {
        guard let time = expiryAsked, !applier.isWriting || applier.gatheredChanges < Applier.expiryBehind else { return }
        expiryAsked = nil
        try file.hold()
        messages.append(.expirySlice(try applier.tree.table.endOfSlice(Applier.expirySlice, upTo: time)))
        try file.release()
    }

    /// The file has come so far that work can go on from it.
    private func goOnWithFile(_ messages: inout [LoopMessage]) throws(StorageError) {
        var rest: [(upTo: Index, what: WaitingForFile)] = []
        for (index, what) in waitingForFile {
            switch what {
            case .flush where index <= applier.stored.index: messages.append(.flushed)
            case .listing(let listing) where index <= applier.stored.index:
                if !beside.submit(listing) { refuse(listing, .overloaded, &messages) }
            case .listing(let listing) where tree.isDiskFull:
                try read(listing, within: .unlimited, &messages)
                try file.release()
            case .flush, .listing: rest.append((index, what))
            }
        }
        waitingForFile = rest
    }

    private func refuse(_ listing: LongReader.Listing, _ reason: Unavailable, _ messages: inout [LoopMessage]) {
        messages.append(.read(number: listing.number, ReadResult(.unavailable(reason), index: 0)))
    }

    /// What was gathered belongs to the old tree and goes with it: the snapshot holds it all.
    private func install(_ manifest: SnapshotManifest, _ messages: inout [LoopMessage], _ done: () -> Void) throws(StorageError) {
        try file.release()
        file.close()
        tree.swapAndWait()
        file = try TreeReader(path: treePath, as: .reader)
        let old = applier
        applier = try EntryApplier(file: file, historyEvents: historyEvents, countedMax: Applier.countedMax)
        applier.watched = old.watched
        gatheringSince = nil
        guard applier.applied == manifest.position else {
            throw .damaged(
                file: treePath, place: "table state",
                reason: "it is at entry \(applier.applied.index), not the snapshot of entry \(manifest.position.index) that was installed")
        }
        done()
        messages.append(
            .installed(
                InstalledTree(
                    position: applier.applied, newestTime: applier.state.time, keysIndex: applier.tree.index,
                    earliestExpiration: applier.earliestExpiration, members: applier.members,
                    clusterVersion: applier.clusterVersion, access: applier.access)))
    }

    /// What the copy lacks is applied once more, and nobody is told of it again.
    private func replaceFile(_ position: LogPosition) throws(StorageError) {
        // A snapshot has come between, or the reader has left, the log was cut, and the copy is too old.
        guard position.index <= applier.applied.index, let catchUp = try TreeCatchUp(log: logPath, from: position) else {
            return tree.submit(.notReplaced(nil))
        }
        try file.release()
        file.close()
        tree.replaceAndWait()
        file = try TreeReader(path: treePath, as: .reader)
        let old = applier
        applier = try EntryApplier(file: file, historyEvents: historyEvents, countedMax: Applier.countedMax)
        applier.watched = old.watched
        try catchUp.run(applier, upTo: old.state, isHashLate: old.isHashLate)
        gatheringSince = applier.hasChanges ? WallClock.steady : nil
    }

    /// Of large entries only a few at once: what they have changed stands in memory until it is written, and what they have replaced with it.
    private static func pieces(_ entries: [LogEntry]) -> [ArraySlice<LogEntry>] {
        var pieces: [ArraySlice<LogEntry>] = []
        var (start, bytes) = (0, 0)
        for (place, entry) in entries.enumerated() {
            if place > start, bytes + entry.payload.size > pieceBytes {
                pieces.append(entries[start..<place])
                (start, bytes) = (place, 0)
            }
            bytes += entry.payload.size
        }
        pieces.append(entries[start...])
        return pieces
    }

    private static let pieceBytes = 2 << 20

    /// Between two pieces: what is done leaves for the loop and for the file, and if that is slow, the rest waits.
    private func makeRoom(_ messages: inout [LoopMessage]) throws(StorageError) {
        guard applier.gatheredBytes >= Applier.layerBytes else { return }
        try file.release()
        if let counted = tree.takeCommit() { settle(counted) }
        giveOutLayer(isUrgent: false)
        port.post(messages)
        messages.removeAll()
        waitForTheDisk()
    }

    private func apply(_ entries: ArraySlice<LogEntry>, _ messages: inout [LoopMessage]) throws(StorageError) {
        guard !entries.isEmpty else { return }
        try file.hold()
        var results: [(request: UInt64, operation: Command.Operation?, outcome: AppliedOutcome)] = []
        results.reserveCapacity(min(entries.count, Applier.resultsInABatch))
        var members: [Member]?
        var access: AccessState?
        var newestTime: Int64 = 0
        var start = WallClock.steady
        func tell() {
            let now = WallClock.steady
            let nanoseconds = UInt64(max(0, now - start))
            start = now
            messages.append(
                .applied(
                    AppliedBatch(
                        upTo: applier.applied, newestTime: newestTime, keysIndex: applier.tree.index, nanoseconds: nanoseconds, results: results,
                        earliestExpiration: applier.earliestExpiration, members: members, access: access)))
            results.removeAll(keepingCapacity: true)
            (members, access) = (nil, nil)
        }
        for entry in entries where entry.index > applier.applied.index {
            if results.count == Applier.resultsInABatch { tell() }
            newestTime = max(newestTime, entry.payload.time)
            let outcome = try applier.apply(entry)
            if case .membership = outcome { members = applier.members }
            if case .access = outcome { access = applier.access }
            let isKeys = entry.payload.kind == EntryKind.keys.rawValue
            let operation = isKeys ? Command.Operation(rawValue: entry.payload.operation) : nil
            results.append((entry.payload.request, operation, outcome))
        }
        if gatheringSince == nil { gatheringSince = WallClock.steady }
        tell()
    }

    /// The loop takes each batch at one go.
    private static let resultsInABatch = 1000

    private func giveOutLayer(isUrgent: Bool) {
        guard let since = gatheringSince, !applier.isWriting else { return }
        let age = (WallClock.steady - since) / 1_000_000
        guard
            isUrgent || applier.gatheredChanges >= Applier.layerChanges || applier.gatheredBytes >= Applier.layerBytes
                || age >= Int64(Applier.layerAgeMillisecondsMax)
                || age >= Int64(Applier.layerAgeMilliseconds) && applier.gatheredChanges < Applier.layerIsSmallBelow
        else { return }
        guard let layer = applier.freeze() else { return }
        gatheringSince = nil
        tree.submit(.write(layer))
    }

    private func waitForTheDisk() {
        // On a full disk the loop refuses new changes, so little more can gather; reads must go on.
        while applier.isWriting, !tree.isDiskFull,
            applier.gatheredChanges >= Applier.layersBehind * Applier.layerChanges
                || applier.gatheredBytes >= Applier.layersBehind * Applier.layerBytes
        {
            if let counted = tree.takeCommit() { settle(counted) } else { sleepAMillisecond() }
        }
    }

    /// At the end: nothing that was applied should have to be applied again at the next start, if the disk has room.
    private func writeEverything() throws(StorageError) {
        while applier.isWriting || applier.hasChanges {
            if tree.isDiskFull { return }
            if let counted = tree.takeCommit() { settle(counted) }
            giveOutLayerAtOnce()
            if applier.isWriting { sleepAMillisecond() }
        }
    }

    private func settle(_ counted: StateHash) {
        if let unneeded = applier.written(counted: counted) { tree.submit(.free(unneeded)) }
    }

    private func giveOutLayerAtOnce() {
        guard !applier.isWriting, let layer = applier.freeze() else { return }
        tree.submit(.write(layer))
    }
}

extension Reading {
    /// Roughly what it takes in memory.
    fileprivate var bytes: Int {
        switch self {
        case .file(let node): node.value.count
        case .directory(_, let listed): listed.reduce(0) { $0 + $1.node.value.count + $1.path.bytes.count + 128 }
        }
    }
}
