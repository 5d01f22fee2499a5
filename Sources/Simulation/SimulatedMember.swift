import Keyspace
import Raft
import Replica
import Storage
import Wire

/// One process of a member as the product runs it: the machine on its loop, the log, apply and tree threads behind queues, each a step
/// at a time with a simulated duration. Everything below it (stores, applier, files) is the product's own, on a simulated disk.
final class SimulatedMember {
    let process: Process
    let directory: DataDirectory
    unowned let world: World
    private let host: Machine
    var chance: SimulatedChance
    private(set) var machine: ReplicaMachine
    /// Of the machine after its last step, because each look into it would copy all of it.
    private(set) var role = RaftCore.Role.follower
    private(set) var term: Term
    private var wakeUp: UInt64?

    // The stores.
    let log: LogStore
    var tree: TreeStore
    var file: TreeReader
    var applier: EntryApplier
    var logReader: LogReader

    // The log thread.
    var logQueue: [LogWork] = []
    /// Taken from the queue, their time running.
    var logBatch: [LogWork] = []
    var isLogBatchWritten = false
    var isLogBusy = false
    /// The term of each entry of the log as it is on disk, behind `terms.start`.
    var terms: (start: Index, list: [Term])

    /// What the threads have found, and the machine was told.
    var isLogFull = false
    var isTreeFull = false
    var space = DiskSpace.free

    // The apply thread.
    var applyTarget: Index
    var isApplying = false
    /// Entries that were written lately; the others are read from the log.
    var recent: [Index: LogEntry] = [:]

    // The tree thread.
    var layer: TreeLayer?
    var isTreeTurnDue = false
    var wantsCheckpoint = false

    // Snapshots.
    var snapshotNumber = 0
    /// Received, verified, and offered to the machine; in the order of arrival.
    var offers: [(path: String, manifest: SnapshotManifest)] = []

    var wakeScheduled: UInt64?
    private var vainWakes = 0
    var committedSeen: Index = 0
    private var handedOn: Index = 0
    var pausedUntil: UInt64 = 0

    enum LogWork {
        case persist(PersistRequest)
        case cut(Index)
        case install(LogPosition)
    }

    var id: MemberID { process.member }

    init(
        _ process: Process, _ stores: OpenedMember, machine: ReplicaMachine, world: World, chance: SimulatedChance
    ) throws(StorageError) {
        self.process = process
        self.world = world
        host = world.machines[world.place(of: process.member)]
        self.chance = chance
        self.machine = machine
        term = machine.core.term
        directory = stores.directory
        log = stores.log
        tree = stores.tree
        file = stores.file
        applier = stores.applier
        logReader = try LogReader(stores.directory.log)
        applyTarget = stores.applier.applied.index
        terms = (stores.log.cut.position.index, [])
        for index in stores.shape.cut.index.value..<stores.shape.last.index.value {
            terms.list.append(stores.shape.term(at: Index(index + 1)) ?? 0)
        }
    }

    /// This machine's clock, in milliseconds: it began somewhere and runs at a speed of its own.
    var milliseconds: UInt64 { host.milliseconds(at: world.now) }

    // MARK: The loop

    /// Gives the machine one event and carries out what it wants.
    func handle(_ event: ReplicaEvent) throws(StorageError) {
        var wanted = ReplicaEffects()
        turn(&machine, event, into: &wanted)
        for request in wanted.persist { logQueue.append(.persist(request)) }
        if let position = wanted.installSnapshot { logQueue.append(.install(position)) }
        if let target = wanted.cutLog { logQueue.append(.cut(target)) }
        try startLog()
        for message in wanted.send { world.send(message, from: self) }
        for message in wanted.fetch { try fetch(message) }
        if let index = wanted.committed {
            checkHandOver(upTo: index)
            apply(upTo: index)
        }
        for (number, index) in wanted.readsReleased { world.release(read: number, at: index, on: self) }
        for number in wanted.readsFailed { world.fail(read: number, on: self) }
        for request in wanted.refused { world.refuse(request, on: self) }
        for peer in wanted.sendSnapshot { world.schedule(after: chance.within(1_000...50_000), .makeSnapshot(process, to: peer)) }
        if let position = wanted.dropSnapshot { drop(offer: position) }
        if wanted.makeTreeDurable {
            wantsCheckpoint = true
            startTree(after: 1_000)
        }
        scheduleWake()
    }

    /// Here the machine is in hand, and can be looked at.
    private func turn(_ machine: inout ReplicaMachine, _ event: ReplicaEvent, into wanted: inout ReplicaEffects) {
        machine.handle(event, at: milliseconds, into: &wanted)
        (role, term, wakeUp) = (machine.core.role, machine.core.term, machine.wakeUp)
        observe(&machine, wanted.notices)
    }

    private func scheduleWake() {
        guard let due = wakeUp else { return }
        if let scheduled = wakeScheduled, scheduled <= due { return }
        wakeScheduled = due
        world.schedule(at: world.time(of: id, atMilliseconds: due), .wake(process, due: due))
    }

    func wake(due: UInt64) throws(StorageError) {
        guard wakeScheduled == due else { return }
        wakeScheduled = nil
        guard let next = wakeUp, next <= milliseconds else { return scheduleWake() }
        try handle(.time)
        // Told the time, it must not want to be told the same once more: the host would spin.
        vainWakes = (wakeUp ?? .max) <= milliseconds ? vainWakes + 1 : 0
        if vainWakes > 10 { world.checks.report("wake-ups", "\(id) wants to be woken at \(next), and it is \(milliseconds)") }
    }

    /// What the checkers want to know after each step.
    private func observe(_ machine: inout ReplicaMachine, _ notices: [CoreNotice]) {
        for notice in notices {
            if case .becameLeader(let term) = notice {
                let core = machine.core
                world.count("elections")
                world.checks.led(id, in: term, cut: core.log.cut.index) { core.term(at: $0) }
            }
        }
        let (applied, committed, durable) = (machine.core.applied, machine.core.committed, machine.core.durable)
        if committed > committedSeen {
            committedSeen = committed
            if let term = machine.core.term(at: committed) {
                world.checks.committed(LogPosition(index: committed, term: term), seenIn: self.term)
            }
        }
        if committed > durable || applied > committed {
            world.checks.report("applied <= committed <= durable", "\(id): \(applied), \(committed), \(durable)")
        }
    }

    // MARK: The log thread

    func startLog() throws(StorageError) {
        guard !isLogBusy, !logQueue.isEmpty else { return }
        isLogBusy = true
        isLogBatchWritten = false
        // Everything that waits, up to the first thing that is no write.
        let count = logQueue.firstIndex { if case .persist = $0 { false } else { true } } ?? logQueue.count
        logBatch = Array(logQueue.prefix(max(count, 1)))
        logQueue.removeFirst(logBatch.count)
        world.schedule(after: world.fsyncTime(of: id, &chance), .logTurn(process))
        // The transaction may be made at the beginning of its time: a crash meanwhile leaves it durable, and nobody was told.
        if chance.happens(30) { do { try writeBatch() } catch .diskFull {} catch { throw error } }
    }

    /// The writes of the batch, in one transaction.
    func writeBatch() throws(StorageError) {
        var changes: [LogChange] = []
        for case .persist(let request) in logBatch {
            changes.append(LogChange(hardState: request.hardState, truncateFrom: request.truncateFrom, entries: request.entries))
        }
        guard !changes.isEmpty, !isLogBatchWritten else { return }
        log.noteCommitted(machine.core.committed)
        try log.write(changes)
        isLogBatchWritten = true
        for change in changes { note(change) }
    }

    private func note(_ change: LogChange) {
        if let first = change.truncateFrom {
            while !terms.list.isEmpty, terms.start.value + UInt64(terms.list.count) >= first.value {
                recent[Index(terms.start.value + UInt64(terms.list.count))] = nil
                terms.list.removeLast()
            }
        }
        for entry in change.entries {
            world.checks.wrote(entry, behind: terms.list.last ?? log.cut.position.term, by: id)
            terms.list.append(entry.term)
            recent[entry.index] = entry
        }
    }

    func logTurn() throws(StorageError) {
        do { try writeBatch() } catch .diskFull {
            // The host waits for room.
            try noteDisk(isLogFull: true)
            return world.schedule(after: 250_000, .logTurn(process))
        } catch { throw error }
        try noteDisk(isLogFull: false)
        let batch = logBatch
        logBatch = []
        for work in batch {
            switch work {
            case .persist(let request): try persisted(request)
            case .cut(let target): try cut(target)
            case .install(let position): try install(position)
            }
        }
        do { try log.checkpointIfDue() } catch .diskFull {} catch { throw error }
        isLogBusy = false
        try startLog()
    }

    /// Is that entry on its disk, or behind it by now?
    func holds(_ position: LogPosition) -> Bool {
        guard position.index > terms.start else { return world.checks.term(at: position.index) ?? position.term == position.term }
        let place = position.index.value - terms.start.value
        return place <= terms.list.count && terms.list[Int(place) - 1] == position.term
    }

    private func persisted(_ request: PersistRequest) throws(StorageError) {
        for message in request.sendAfter {
            check(message)
            world.send(message, from: self)
        }
        if request.durableIsCommitted, let last = request.entries.last { apply(upTo: last.index) }
        if !request.entries.isEmpty { try handle(.logGrew(bytes: request.entries.reduce(0) { $0 + $1.payload.size })) }
        try handle(.persisted(request.ticket))
    }

    /// What leaves after a write must be true on the disk.
    private func check(_ message: PeerMessage) {
        guard case .raft(let message, _) = message else { return }
        switch message.body {
        case .voteReply(granted: true):
            let isKept = log.hardState.term > message.term || (log.hardState.term == message.term && log.hardState.vote == message.to)
            if !isKept { world.checks.report("durability", "\(id) grants a vote in term \(message.term) that is not on its disk") }
            world.checks.voted(id, for: message.to, in: message.term)
        case .vote:
            let isKept = log.hardState.term > message.term || (log.hardState.term == message.term && log.hardState.vote == id)
            if !isKept { world.checks.report("durability", "\(id) stands in term \(message.term) without its vote on its disk") }
            world.checks.voted(id, for: id, in: message.term)
        case .appendAccepted(let matched):
            if matched > log.tail.position.index, log.hardState.term == message.term {
                world.checks.report("durability", "\(id) acknowledges entry \(matched), its disk ends at \(log.tail.position.index)")
            }
        default: break
        }
    }

    private func cut(_ target: Index) throws(StorageError) {
        guard target <= tree.durable.index else {
            return world.checks.report("log cut", "\(id) is to cut at \(target), its tree is durable up to \(tree.durable.index)")
        }
        do { while try !log.cutStep(upTo: target) {} } catch .diskFull {} catch { throw error }
        let start = log.cut.position.index
        terms.list.removeFirst(Int(start.value - terms.start.value))
        terms.start = start
        world.count("log cuts")
        try handle(.logWasCut(log.cut.position))
    }

    // MARK: The apply thread

    func apply(upTo index: Index) {
        applyTarget = max(applyTarget, index)
        guard !isApplying, applier.applied.index < applyTarget else { return }
        isApplying = true
        world.schedule(after: world.applyTime(&chance), .applyTurn(process))
    }

    func applyTurn() throws(StorageError) {
        isApplying = false
        guard applier.applied.index < applyTarget else { return }
        if applyTarget > log.tail.position.index {
            world.checks.report(
                "applied <= durable", "\(id) is to apply \(applyTarget), its log is durable up to \(log.tail.position.index)")
            return
        }
        try file.hold()
        var requests: [UInt64] = []
        var members: [Member]?
        for entry in try entriesToApply() {
            let outcome = try applier.apply(entry)
            if entry.payload.request != 0 { requests.append(entry.payload.request) }
            if case .membership = outcome { members = applier.members }
            world.checks.applied(entry, hash: applier.state.hash, by: id)
            world.applied(entry, outcome, on: self)
        }
        try file.release()
        startTree(after: 200_000)
        try handle(.applied(applier.applied, requests: requests, members: members))
        world.finishReads(on: self)
        apply(upTo: applyTarget)
    }

    /// What the machine still holds in memory of the newly committed entries is what its disk holds: the host applies it from there.
    private func checkHandOver(upTo index: Index) {
        defer { handedOn = index }
        for entry in machine.entries(after: handedOn, upTo: index) ?? [] {
            guard let written = recent[entry.index], written != entry else { continue }
            world.checks.report("handed on", "\(id) has another entry \(entry.index) in memory than on its disk")
        }
    }

    private func entriesToApply() throws(StorageError) -> [LogEntry] {
        var entries: [LogEntry] = []
        var index = applier.applied.index.next
        while index <= applyTarget, entries.count < 200 {
            guard let entry = recent.removeValue(forKey: index) else { break }
            entries.append(entry)
            index = index.next
        }
        if !entries.isEmpty { return entries }
        let missing = min(200, Int(applyTarget.value - applier.applied.index.value))
        return try log.entries(after: applier.applied.index, limit: missing)
    }
}
