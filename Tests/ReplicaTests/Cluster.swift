import Keyspace
import Raft
import Replica
import TestSupport
import Testing
import Wire

/// A member with a disk that writes when it is told to.
struct SimulatedMember {
    var machine: ReplicaMachine
    let id: MemberID
    var life: UInt64 = 1
    var isUp = true
    /// On the disk.
    var hardState = HardState()
    var cut = LogPosition.origin
    var log: [LogEntry] = []
    var applied = LogPosition.origin
    var members: [Member] = []
    /// Requests in the order in which they were applied.
    var history: [UInt64] = []
    var refusals: [UInt64: MembershipRefusal] = [:]
    /// Given out and not on the disk yet.
    var orders: [PersistRequest] = []
    var committed: Index = 0
    var installing: Snapshot?
    var released: [(number: UInt64, index: Index)] = []
    var refused: [UInt64] = []
    /// It has jumped over entries, or forgotten what was under way.
    var hasForgotten = false

    var last: LogPosition { log.last?.position ?? cut }
    var configuration: Configuration { MembershipRules.configuration(of: members) }

    func entry(at index: Index) -> LogEntry? {
        index > cut.index && index <= last.index ? log[Int(index.value - cut.index.value) - 1] : nil
    }
}

struct Snapshot {
    var position: LogPosition
    var members: [Member]
    var history: [UInt64]
}

/// Machines, disks and a network in one thread, from one seed. What every test wants to hold is checked on the way.
struct Cluster {
    enum Parcel {
        case message(PeerMessage)
        case snapshot(from: MemberID, to: MemberID, Term, Snapshot)
    }

    var generator: SeededGenerator
    var now: UInt64 = 1000
    var members: [SimulatedMember] = []
    var network: [Parcel] = []
    var isLossy = false
    /// Neither of these hears the others.
    var cutOff: Set<MemberID> = []
    var entriesKept: UInt64 = 5000
    /// Every entry that anybody has applied.
    var committed: [Index: LogEntry] = [:]
    private(set) var complaints: [String] = []
    /// Entries that were still in memory when they were committed.
    private(set) var handedOn = 0
    var settings = ReplicaSettings()

    static func member(_ number: UInt64) -> Member {
        Member(id: MemberID(number), name: "m\(number)", peerURLs: ["http://m\(number):2380"])
    }

    static func set(_ request: UInt64, value: [UInt8] = []) -> EntryPayload {
        var command = Command(.set, TreePath("/k"))
        command.value = value
        return CommandCodec.encode(command, time: 1, client: [], request: request)
    }

    /// `size` founders; `joiners` more processes with an empty log.
    init(_ size: UInt64, joiners: UInt64 = 0, seed: UInt64 = 1, settings: ReplicaSettings = ReplicaSettings(), entriesKept: UInt64 = 5000) {
        generator = SeededGenerator(seed: seed)
        self.settings = settings
        self.entriesKept = entriesKept
        let founding = (1...size).map { number in
            LogEntry(
                index: Index(number), term: 1,
                payload: MembershipCodec.encode(.add(Cluster.member(number)), time: 0, request: 0))
        }
        for number in 1...(size + joiners) {
            let isFounder = number <= size
            var new = SimulatedMember(machine: Cluster.placeholder, id: MemberID(number))
            if isFounder {
                new.log = founding
                new.hardState = HardState(term: 1, commit: Index(size))
            }
            members.append(new)
            boot(members.count - 1)
        }
    }

    private static let placeholder = ReplicaMachine(
        core: RaftCore(
            id: MemberID(99), hardState: HardState(), log: LogShape(), configuration: Configuration(voters: []), changes: [],
            applied: 0, now: 0, seed: 0),
        policy: LogPolicy(entriesBetweenCuts: 1, cutAt: 0, durable: 0), members: [], applied: .origin, life: 1)

    /// A start from what the disk holds.
    mutating func boot(_ place: Int) {
        var member = members[place]
        var shape = LogShape(cut: member.cut)
        for entry in member.log { shape.append(count: 1, term: entry.term) }
        let changes = member.log.compactMap { entry in entry.payload.configurationChange.map { (entry.index, $0) } }
        let core = RaftCore(
            id: member.id, hardState: member.hardState, log: shape, configuration: member.configuration, changes: changes,
            applied: member.applied.index, now: now, seed: member.life &* 1_000_003 &+ generator.next() % 1000)
        member.machine = ReplicaMachine(
            core: core,
            policy: LogPolicy(
                entriesBetweenCuts: max(entriesKept / 2, 1), entriesKept: entriesKept, cutAt: member.cut.index, durable: member.applied.index),
            members: member.members, applied: member.applied, life: member.life, settings: settings)
        member.orders = []
        member.installing = nil
        member.committed = max(core.committed, member.applied.index)
        member.isUp = true
        members[place] = member
        handle(place, .started)
        apply(place)
    }

    mutating func crash(_ place: Int) {
        members[place].isUp = false
        members[place].life += 1
        members[place].hasForgotten = true
        let dead = members[place].id
        for other in members.indices where members[other].isUp {
            handle(other, generator.next() % 2 == 0 ? .linkLost(dead) : .memberDown(dead))
        }
    }

    // MARK: Effects

    mutating func handle(_ place: Int, _ event: ReplicaEvent) {
        guard members[place].isUp else { return }
        var effects = ReplicaEffects()
        members[place].machine.handle(event, at: now, into: &effects)
        members[place].orders += effects.persist
        for message in effects.send { send(message) }
        for message in effects.fetch { fetch(place, message) }
        if let index = effects.committed {
            // Applied is what the disk has.
            let given = members[place].machine.entries(after: members[place].committed, upTo: index) ?? []
            for entry in given where entry != members[place].entry(at: entry.index) {
                complain("member \(members[place].id) hands on another entry \(entry.index) than its disk has")
            }
            handedOn += given.count
            members[place].committed = max(members[place].committed, index)
        }
        members[place].released += effects.readsReleased
        members[place].refused += effects.refused
        for target in effects.sendSnapshot {
            let member = members[place]
            let snapshot = Snapshot(position: member.applied, members: member.members, history: member.history)
            network.append(.snapshot(from: member.id, to: target, member.machine.core.term, snapshot))
        }
        if let position = effects.installSnapshot, members[place].installing?.position != position {
            complain("member \(members[place].id) is to install what it has not got")
        }
        if effects.dropSnapshot != nil { members[place].installing = nil }
        if effects.makeTreeDurable { handle(place, .treeDurable(members[place].applied.index)) }
        if let index = effects.cutLog, let entry = members[place].entry(at: index) {
            members[place].log.removeFirst(Int(index.value - members[place].cut.index.value))
            members[place].cut = entry.position
            handle(place, .logWasCut(entry.position))
        }
    }

    private mutating func send(_ message: PeerMessage) { network.append(.message(message)) }

    private mutating func fetch(_ place: Int, _ message: Message) {
        guard case .append(_, let entries, _) = message.body else { return }
        var payloads: [EntryPayload] = []
        for header in entries {
            guard let entry = members[place].entry(at: header.position.index), entry.position == header.position else {
                return handle(place, .fetched(message, nil))
            }
            payloads.append(entry.payload)
        }
        // A reader gives as many as it likes.
        handle(place, .fetched(message, Array(payloads.prefix(1 + payloads.count / 2))))
    }

    // MARK: What can happen

    /// The oldest order reaches the disk.
    mutating func persist(_ place: Int) {
        guard members[place].isUp, !members[place].orders.isEmpty else { return }
        let order = members[place].orders.removeFirst()
        if let state = order.hardState { members[place].hardState = state }
        if let first = order.truncateFrom {
            if first <= members[place].applied.index { complain("member \(members[place].id) removes what it has applied") }
            members[place].log.removeAll { $0.index >= first }
        }
        for entry in order.entries {
            if entry.index != members[place].last.index.next { complain("member \(members[place].id): a gap at \(entry.index)") }
            members[place].log.append(entry)
        }
        if order.durableIsCommitted, let last = order.entries.last { members[place].committed = max(members[place].committed, last.index) }
        for message in order.sendAfter { send(message) }
        handle(place, .persisted(order.ticket))
        if members[place].orders.isEmpty, let snapshot = members[place].installing { install(place, snapshot) }
    }

    private mutating func install(_ place: Int, _ snapshot: Snapshot) {
        members[place].log = []
        members[place].cut = snapshot.position
        members[place].applied = snapshot.position
        members[place].history = snapshot.history
        members[place].members = snapshot.members
        members[place].hardState.term = max(members[place].hardState.term, snapshot.position.term)
        members[place].hardState.commit = snapshot.position.index
        members[place].committed = max(members[place].committed, snapshot.position.index)
        members[place].installing = nil
        members[place].hasForgotten = true
        handle(place, .snapshotInstalled(snapshot.position, members: snapshot.members))
    }

    mutating func apply(_ place: Int) {
        guard members[place].isUp, members[place].installing == nil else { return }
        var requests: [UInt64] = []
        var changed = false
        let start = members[place].applied
        while members[place].applied.index < members[place].committed, let entry = members[place].entry(at: members[place].applied.index.next) {
            if let known = committed[entry.index], known != entry { complain("two entries are committed at \(entry.index)") }
            committed[entry.index] = entry
            members[place].applied = entry.position
            let request = entry.payload.request
            if request != 0 {
                if members[place].history.contains(request) { complain("request \(request) is applied twice") }
                members[place].history.append(request)
                requests.append(request)
            }
            guard let change = MembershipCodec.decode(entry.payload) else { continue }
            if let refusal = MembershipRules.refusal(of: change, in: members[place].members) {
                members[place].refusals[request] = refusal
                if entry.payload.configurationChange != nil { complain("Raft has counted a change that is refused: \(change)") }
            } else if !MembershipCodec.isVoid(entry.payload) {
                members[place].members = MembershipRules.applying(change, to: members[place].members)
                changed = true
            }
        }
        guard members[place].applied != start else { return }
        handle(place, .applied(members[place].applied, requests: requests, members: changed ? members[place].members : nil))
        handle(place, .treeDurable(members[place].applied.index))
    }

    mutating func deliver(_ number: Int) {
        let parcel = network.remove(at: number)
        switch parcel {
        case .message(let message):
            guard let place = place(of: message.to), !isCut(message.from, message.to) else { return }
            handle(place, .received(message))
        case .snapshot(let from, let to, let term, let snapshot):
            let isLost = isCut(from, to) || place(of: to) == nil || (isLossy && generator.next() % 3 == 0)
            if !isLost, let place = place(of: to), members[place].installing == nil {
                members[place].installing = snapshot
                handle(
                    place,
                    .snapshotReceived(
                        from: from, term: term, snapshot.position, MembershipRules.configuration(of: snapshot.members)))
                if members[place].orders.isEmpty, let snapshot = members[place].installing { install(place, snapshot) }
            }
            if let sender = place(of: from) { handle(sender, .snapshotSent(to, snapshot.position, succeeded: !isLost)) }
        }
    }

    /// Nil when its process is down.
    private func place(of id: MemberID) -> Int? { members.firstIndex { $0.id == id && $0.isUp } }

    private func isCut(_ from: MemberID, _ to: MemberID) -> Bool { cutOff.contains(from) != cutOff.contains(to) }

    mutating func complain(_ text: String) { if complaints.count < 10 { complaints.append(text) } }

    // MARK: Time

    /// One thing happens: a message arrives, a disk writes, a member applies, or, when nothing else can, time passes.
    mutating func step() {
        let busy = members.indices.filter { members[$0].isUp && !members[$0].orders.isEmpty }
        let behind = members.indices.filter { members[$0].isUp && members[$0].applied.index < min(members[$0].committed, members[$0].last.index) }
        let choices = network.count + busy.count + behind.count
        guard choices > 0 else { return passTime() }
        if generator.next() % 64 == 0 { return passTime() }
        let choice = Int(generator.next() % UInt64(choices))
        if choice < network.count {
            // Mostly in order.
            let number = isLossy ? min(choice, Int(generator.next() % 4)) : 0
            if isLossy, generator.next() % 12 == 0, case .message = network[number] {
                network.remove(at: number)
            } else {
                if isLossy, generator.next() % 12 == 0, case .message = network[number] { network.append(network[number]) }
                deliver(number)
            }
        } else if choice < network.count + busy.count {
            persist(busy[choice - network.count])
        } else {
            apply(behind[choice - network.count - busy.count])
        }
    }

    mutating func passTime() {
        now += 1 + generator.next() % 20
        for place in members.indices where members[place].isUp {
            if let due = members[place].machine.wakeUp, due <= now { handle(place, .time) }
        }
    }

    @discardableResult
    mutating func run(steps: Int = 50_000, until isDone: (Cluster) -> Bool) -> Bool {
        for number in 0..<steps {
            if number % 20 == 0, isDone(self) { return true }
            step()
        }
        return isDone(self)
    }

    var leader: Int? {
        members.indices.filter { members[$0].isUp && members[$0].machine.core.role == .leader }
            .max { members[$0].machine.core.term < members[$1].machine.core.term }
    }

    func isApplied(_ requests: some Sequence<UInt64>, on places: [Int]? = nil) -> Bool {
        let requests = Array(requests)
        return (places ?? members.indices.filter { members[$0].isUp }).allSatisfy { place in
            let history = Set(members[place].history)
            return requests.allSatisfy { history.contains($0) }
        }
    }

    /// A leader that has caught up and that all others know.
    mutating func elect() -> Int {
        let isElected = run { cluster in
            guard let leader = cluster.leader else { return false }
            let core = cluster.members[leader].machine.core
            guard let opening = cluster.members[leader].machine.openingEntry else { return false }
            return cluster.members.allSatisfy {
                !$0.isUp || !core.configuration.contains($0.id) || ($0.machine.core.leader == core.id && $0.applied.index >= opening)
            }
        }
        #expect(isElected, "nobody leads")
        return leader ?? 0
    }
}
