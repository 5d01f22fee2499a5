import Raft
import TestSupport

/// What a member's disk holds: the log behind a cut, and how far the state machine is durable.
struct TestDisk {
    var hardState = HardState()
    var cut = LogPosition.origin
    var configurationAtCut = Configuration(voters: [])
    var entries: [EntryHeader] = []
    var applied: Index = 0

    var last: LogPosition { entries.last?.position ?? cut }

    func entry(_ index: Index) -> EntryHeader? {
        guard index > cut.index, index <= last.index else { return nil }
        return entries[Int(index.value - cut.index.value) - 1]
    }

    func configuration(at index: Index) -> Configuration {
        entries.prefix { $0.position.index <= index }.reduce(configurationAtCut) { $1.change.map($0.applying) ?? $0 }
    }

    var shape: LogShape {
        var shape = LogShape(cut: cut)
        for entry in entries { shape.append(count: 1, term: entry.position.term) }
        return shape
    }

    mutating func truncate(from index: Index) {
        while let entry = entries.last, entry.position.index >= index { entries.removeLast() }
    }

    mutating func cut(to index: Index) {
        guard let entry = entry(index) else { return }
        configurationAtCut = configuration(at: index)
        entries.removeFirst(Int(index.value - cut.index.value))
        cut = entry.position
    }
}

final class TestMember {
    let id: MemberID
    var core: RaftCore?
    var isUp = false
    /// The core's, as of its last step.
    var wakeUp: UInt64?
    var disk = TestDisk()
    /// Given out and not written, oldest first.
    var writes: [PersistOrder] = []
    /// Written, and not yet reported.
    var written: [PersistOrder] = []
    /// Grows with every start, so that events of an earlier life are recognised.
    var life = 0
    /// What the state machine has seen in this life.
    var applied: Index = 0
    var pausedUntil: UInt64 = 0
    var isStopped = false
    /// Nothing can be written.
    var isFull = false

    init(id: MemberID) { self.id = id }
}

/// Cores, disks and a network in one thread and virtual time; everything follows from the seed. What goes wrong is kept in
/// `violations`, with the time.
final class SmallCluster {
    enum Event {
        case message(Message)
        case write(MemberID, life: Int)
        case report(MemberID, life: Int)
        case snapshotOfferArrives(from: MemberID, life: Int, term: Term, to: MemberID)
        case install(MemberID, life: Int, LogPosition, Configuration)
        case tell(MemberID, life: Int, CoreInput)
    }

    struct Faults {
        var lossOneIn = 0
        var repetitionOneIn = 0
        var delayMax: UInt64 = 3
        var longDelayOneIn = 0
        var diskMax: UInt64 = 5
        var snapshotFailsOneIn = 0
    }

    var generator: SeededGenerator
    var settings: CoreSettings
    var faults = Faults()
    private(set) var now: UInt64 = 1000
    var members: [TestMember] = []
    var violations: [String] = []
    /// The committed log as the first to commit saw it; what is committed later must be the same.
    var history: [EntryHeader] = []
    /// The term of whoever committed it first.
    var committedIn: [Term] = []
    var leaders: [Term: MemberID] = [:]
    /// Whether messages from the first to the second are lost.
    var cutLinks: Set<[MemberID]> = []
    var checksSafety = true
    private(set) var steps = 0

    private var queue = EventQueue<Event>()
    private var nextContext: UInt64 = 0
    /// Reads without an answer, with what was committed when they were asked.
    var openReads: [UInt64: (member: MemberID, life: Int, floor: Int)] = [:]
    private(set) var readsReleased = 0
    private(set) var readsFailed = 0
    private(set) var snapshotsInstalled = 0
    var offered: [MemberID: Configuration] = [:]

    /// `voters` begin with the same log, as a new cluster does; `spares` are empty and wait to be added.
    init(seed: UInt64, voters: Int, spares: Int = 0, settings: CoreSettings = CoreSettings()) {
        generator = SeededGenerator(seed: seed)
        self.settings = settings
        let ids = (1...voters).map { MemberID(UInt64($0)) }
        for number in 1...(voters + spares) {
            let member = TestMember(id: MemberID(UInt64(number)))
            if number <= voters {
                for (place, id) in ids.enumerated() {
                    member.disk.entries.append(EntryHeader(position: at(UInt64(place + 1), in: 1), change: .addVoter(id)))
                }
                member.disk.hardState = HardState(term: 1, vote: .none, commit: Index(UInt64(voters)))
                history = member.disk.entries
                committedIn = history.map(\.position.term)
            }
            members.append(member)
        }
        for member in members { start(member.id) }
    }

    func place(_ id: MemberID) -> Int { Int(id.value) - 1 }
    subscript(id: MemberID) -> TestMember { members[place(id)] }

    func violate(_ what: String) { if violations.count < 5 { violations.append("\(now): \(what)") } }

    // MARK: Lives

    func start(_ id: MemberID) {
        let place = place(id)
        guard !members[place].isUp, !members[place].isStopped else { return }
        let disk = members[place].disk
        members[place].life += 1
        members[place].applied = disk.applied
        let isFromCut = generator.once(in: 2)
        members[place].core = RaftCore(
            id: id, settings: settings, hardState: disk.hardState, log: disk.shape,
            configuration: isFromCut ? disk.configurationAtCut : disk.configuration(at: disk.applied),
            changes: disk.entries.compactMap { entry in entry.change.map { (entry.position.index, $0) } }, applied: disk.applied,
            now: now, seed: generator.next())
        members[place].isUp = true
        members[place].wakeUp = members[place].core?.wakeUp
        let alone = disk.configuration(at: disk.last.index).voters == [id]
        if alone { give(.campaign, to: id) }
    }

    /// The process is gone; of what it had given out, the disk has some part.
    func crash(_ id: MemberID) {
        let place = place(id)
        guard members[place].isUp else { return }
        let kept = members[place].isFull ? 0 : Int.random(in: 0...members[place].writes.count, using: &generator)
        for _ in 0..<kept { writeOldest(place) }
        members[place].writes.removeAll()
        members[place].written.removeAll()
        members[place].core = nil
        members[place].isUp = false
        members[place].wakeUp = nil
        openReads = openReads.filter { $0.value.member != id }
    }

    // MARK: Inputs

    func give(_ input: CoreInput, to id: MemberID) {
        let place = place(id)
        guard members[place].isUp else { return }
        steps += 1
        var output = CoreOutput()
        members[place].core?.step(input, at: now, into: &output)
        members[place].wakeUp = members[place].core?.wakeUp
        carryOut(output, place)
    }

    func read(at id: MemberID) {
        guard self[id].isUp else { return }
        nextContext += 1
        openReads[nextContext] = (id, self[id].life, history.count)
        give(.readRequested(context: nextContext), to: id)
    }

    /// The member that leads in the highest term.
    var leader: MemberID? {
        var best: TestMember?
        for member in members where member.core?.role == .leader {
            if let term = best?.core?.term, term >= member.core?.term ?? 0 { continue }
            best = member
        }
        return best?.id
    }

    private func carryOut(_ output: CoreOutput, _ place: Int) {
        let id = members[place].id
        let life = members[place].life
        if let order = output.persist {
            members[place].writes.append(order)
            queue.add(.write(id, life: life), at: now + delay(faults.diskMax))
        }
        for message in output.send { post(message) }
        if let index = output.committed { commit(upTo: index, place) }
        for (context, index) in output.readsReleased { release(context, index, place) }
        for context in output.readsFailed {
            if openReads.removeValue(forKey: context) == nil { violate("\(id) failed the unknown read \(context)") }
            readsFailed += 1
        }
        for member in output.needSnapshot {
            let term = members[place].core?.term ?? 0
            queue.add(.snapshotOfferArrives(from: id, life: life, term: term, to: member), at: now + 20 + delay(200))
        }
        if let position = output.installSnapshot, let configuration = offered[id] {
            queue.add(.install(id, life: life, position, configuration), at: now + delay(300))
        }
        for case .becameLeader(let term) in output.notices { checkLeader(id, term) }
    }

    private func release(_ context: UInt64, _ index: Index, _ place: Int) {
        guard let read = openReads.removeValue(forKey: context) else { return violate("unknown read \(context) released") }
        readsReleased += 1
        // The caller waits until `index` is applied, and answers from what is applied then.
        if checksSafety, max(index, members[place].applied).value < UInt64(read.floor) {
            violate("\(read.member) reads \(index), but \(read.floor) was committed when it asked")
        }
    }

    // MARK: Disk

    private func writeOldest(_ place: Int) {
        let order = members[place].writes.removeFirst()
        let member = members[place]
        if let state = order.hardState {
            if state.term < member.disk.hardState.term { violate("\(member.id) goes back to term \(state.term)") }
            member.disk.hardState = state
        }
        if let index = order.truncateFrom { member.disk.truncate(from: index) }
        for entry in order.entries {
            if entry.position.index != member.disk.last.index.next { violate("\(member.id) leaves a gap at \(entry.position)") }
            member.disk.entries.append(entry)
        }
        member.written.append(order)
        if order.durableIsCommitted { commit(upTo: member.disk.last.index, place) }
    }

    private func commit(upTo index: Index, _ place: Int) {
        let last = members[place].disk.last.index
        checkCommitted(upTo: index, place)
        if last < index { violate("\(members[place].id) commits \(index), which its disk does not have") }
        members[place].applied = max(members[place].applied, min(index, last))
        if generator.once(in: 4) { members[place].disk.applied = max(members[place].disk.applied, members[place].applied) }
        if members[place].isUp { give(.applied(members[place].applied), to: members[place].id) }
    }

    /// The state is durable up to where it is applied, and the log is cut there, or a little before.
    func cutLog(of id: MemberID, leaving kept: UInt64) {
        let place = place(id)
        guard members[place].isUp, members[place].writes.isEmpty, members[place].applied.value > kept else { return }
        members[place].disk.applied = members[place].applied
        members[place].disk.cut(to: Index(members[place].applied.value - kept))
        give(.logCut(members[place].disk.cut), to: id)
    }

    // MARK: Network

    private func delay(_ most: UInt64) -> UInt64 { UInt64.random(in: 0...most, using: &generator) }

    func post(_ message: Message) {
        if faults.lossOneIn > 0, generator.once(in: faults.lossOneIn) { return }
        let isSlow = faults.longDelayOneIn > 0 && generator.once(in: faults.longDelayOneIn)
        queue.add(.message(message), at: now + 1 + delay(isSlow ? 1500 : faults.delayMax))
        if faults.repetitionOneIn > 0, generator.once(in: faults.repetitionOneIn) {
            queue.add(.message(message), at: now + 1 + delay(500))
        }
    }

    func later(_ input: CoreInput, to id: MemberID, within milliseconds: UInt64) {
        queue.add(.tell(id, life: self[id].life, input), at: now + 1 + delay(milliseconds))
    }

    private func isCut(_ from: MemberID, _ to: MemberID) -> Bool { cutLinks.contains([from, to]) }

    /// Everything that happens within the time.
    func run(milliseconds: UInt64) {
        let end = now + milliseconds
        while true {
            var time = queue.nextTime ?? .max
            var woken: MemberID?
            for member in members {
                guard let wakeUp = member.wakeUp else { continue }
                let due = max(wakeUp, member.pausedUntil, now)
                if due < time {
                    time = due
                    woken = member.id
                }
            }
            guard time <= end else { break }
            now = max(now, time)
            if let woken { give(.tick, to: woken) } else if let event = queue.removeFirst() { handle(event) }
        }
        now = end
    }

    private func isCurrent(_ id: MemberID, _ life: Int) -> Bool { self[id].isUp && self[id].life == life }

    private func handle(_ event: Event) {
        switch event {
        case .message(let message):
            let place = place(message.to)
            guard !isCut(message.from, message.to), members[place].isUp else { return }
            if members[place].pausedUntil > now { return queue.add(event, at: members[place].pausedUntil) }
            give(.received(message), to: message.to)
        case .write(let id, let life):
            guard isCurrent(id, life), !self[id].writes.isEmpty else { return }
            // As the host has it: what found no room is tried again, and what comes behind it waits.
            if self[id].isFull {
                give(.disk(.full), to: id)
                return queue.add(event, at: max(now + 250, self[id].pausedUntil))
            }
            give(.disk(.free), to: id)
            writeOldest(place(id))
            queue.add(.report(id, life: life), at: max(now + delay(1), self[id].pausedUntil))
        case .report(let id, let life):
            guard isCurrent(id, life), !self[id].written.isEmpty else { return }
            let order = members[place(id)].written.removeFirst()
            for message in order.sendAfter { post(message) }
            give(.persisted(order.ticket), to: id)
        case .snapshotOfferArrives(let from, let life, let term, let to): offerSnapshot(from, life, term, to)
        case .install(let id, let life, let position, let configuration): install(id, life, position, configuration)
        case .tell(let id, let life, let input): if isCurrent(id, life) { give(input, to: id) }
        }
    }

    // MARK: Snapshots

    private func offerSnapshot(_ from: MemberID, _ life: Int, _ term: Term, _ to: MemberID) {
        guard isCurrent(from, life) else { return }
        let sender = self[from]
        let isLost = faults.snapshotFailsOneIn > 0 && generator.once(in: faults.snapshotFailsOneIn)
        let index = sender.applied
        guard !isLost, self[to].isUp, !isCut(from, to), index >= sender.disk.cut.index else {
            return give(.snapshotSent(to, .origin, succeeded: false), to: from)
        }
        let position = sender.disk.entry(index)?.position ?? sender.disk.cut
        let configuration = sender.disk.configuration(at: index)
        offered[to] = configuration
        give(.snapshotReceived(from: from, term: term, position, configuration), to: to)
        later(.snapshotSent(to, position, succeeded: true), to: from, within: 10)
    }

    /// The log's writer does it in its turn: what was given out before is written before.
    private func install(_ id: MemberID, _ life: Int, _ position: LogPosition, _ configuration: Configuration) {
        guard isCurrent(id, life) else { return }
        let place = place(id)
        if members[place].isFull { return queue.add(.install(id, life: life, position, configuration), at: now + 250) }
        while !members[place].writes.isEmpty { writeOldest(place) }
        members[place].disk.cut = position
        members[place].disk.configurationAtCut = configuration
        members[place].disk.entries = []
        members[place].disk.applied = position.index
        members[place].applied = position.index
        snapshotsInstalled += 1
        give(.snapshotInstalled(position), to: id)
        for _ in members[place].written { queue.add(.report(id, life: life), at: now + delay(2)) }
    }
}

/// By time, and in the order of being added at the same time.
struct EventQueue<Event> {
    private var heap: [(time: UInt64, number: UInt64, event: Event)] = []
    private var count: UInt64 = 0

    var nextTime: UInt64? { heap.first?.time }

    mutating func add(_ event: Event, at time: UInt64) {
        count += 1
        heap.append((time, count, event))
        var place = heap.count - 1
        while place > 0, isBefore(place, (place - 1) / 2) {
            heap.swapAt(place, (place - 1) / 2)
            place = (place - 1) / 2
        }
    }

    mutating func removeFirst() -> Event? {
        guard let first = heap.first else { return nil }
        heap.swapAt(0, heap.count - 1)
        heap.removeLast()
        var place = 0
        while true {
            var least = place
            let child = 2 * place + 1
            if child < heap.count, isBefore(child, least) { least = child }
            if child + 1 < heap.count, isBefore(child + 1, least) { least = child + 1 }
            if least == place { return first.event }
            heap.swapAt(place, least)
            place = least
        }
    }

    private func isBefore(_ left: Int, _ right: Int) -> Bool {
        if heap[left].time != heap[right].time { return heap[left].time < heap[right].time }
        return heap[left].number < heap[right].number
    }
}
