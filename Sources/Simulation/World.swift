import Keyspace
import Raft
import Replica
import Storage
import Wire

/// A cluster, its machines, its network, its clients and its bad luck, in one thread and from one seed.
package final class World {
    package let seed: UInt64
    package let settings: SimulationSettings
    package let checks = SafetyChecks()
    /// Whatever is worth counting in a report, by name.
    package private(set) var counts: [String: Int] = [:]
    /// Called with each event worth telling, when somebody looks at one seed.
    package var trace: ((String) -> Void)?
    /// Then also of each message that arrives.
    package var tellsMessages = false

    static let historyEvents = 100
    static let cluster = MemberID(0xC0FFEE)
    /// 2026-01-01 in nanoseconds; wall clocks begin near it.
    static let wallClockStart: Int64 = 1_767_225_600_000_000_000

    var time = SimulatedTime<SimulationEvent>()
    var chance: SimulatedChance
    var network: SimulatedNetwork
    let disk: SimulatedDisk
    private(set) var machines: [Machine] = []
    /// The same in the same order, to be searched quickly.
    private var ids: [MemberID] = []
    var workload: Workload
    var faults: Faults
    /// As of the newest change that was applied anywhere.
    var newestMembership: (index: Index, members: [Member]) = (0, [])
    var isCalm = false
    var messagesUnderWay = 0
    /// More than any sensible traffic among seven members needs, paused ones included.
    static let messagesUnderWayMax = 50_000
    var lastRequest: UInt64 = 0
    /// Operations that clients had an answer to since the calm began.
    var servedInCalm = 0
    /// While all disks are full: the highest term, the members and the starts at its beginning.
    /// Of processes that are gone.
    var highestTermOfEnded: UInt64 = 0
    var fullDisks: (term: UInt64, members: Int, starts: Int)?
    /// The end of the present or last quiet stretch.
    var quietUntil: UInt64 = 0
    var quietTime: UInt64 = 0
    var servedInQuiet = 0
    var progress = Progress()
    var outage: Outage?
    /// Microseconds from the silent death of a leader, all others being well, to the next change that is applied.
    var silentGaps: [UInt64] = []

    package init(seed: UInt64, settings given: SimulationSettings? = nil) {
        self.seed = seed
        var chance = SimulatedChance(seed: seed)
        var drawing = chance.branch()
        settings = given ?? SimulationSettings(drawnFrom: &drawing)
        network = SimulatedNetwork(settings, chance.branch())
        disk = SimulatedDisk(seed: chance.next())
        workload = Workload(settings, chance.branch())
        faults = Faults(settings, chance.branch())
        self.chance = chance
    }

    // MARK: Time

    package var now: UInt64 { time.now }

    func schedule(after microseconds: UInt64, _ event: SimulationEvent) { time.schedule(after: microseconds, event) }
    func schedule(at moment: UInt64, _ event: SimulationEvent) { time.schedule(at: moment, event) }

    /// A machine's clock began somewhere, never goes back, and runs at a speed of its own.
    func clock(of member: MemberID) -> UInt64 {
        machines[place(of: member)].milliseconds(at: now)
    }

    /// The earliest moment at which the member's clock shows so much.
    func time(of member: MemberID, atMilliseconds milliseconds: UInt64) -> UInt64 {
        let machine = machines[place(of: member)]
        guard milliseconds > machine.clockStart else { return now }
        let speed = machine.clockSpeed
        return ((milliseconds - machine.clockStart) * 1_000_000 + speed - 1) / speed
    }

    /// Nanoseconds since 1970 as this member believes; jumps now and then.
    func wallClock(of member: MemberID) -> Int64 {
        World.wallClockStart + Int64(now) * 1000 + machines[place(of: member)].wallClockOffset
    }

    func fsyncTime(of member: MemberID, _ chance: inout SimulatedChance) -> UInt64 {
        if isQuiet { return chance.skewed(100...2_000) }
        let time = chance.skewed(settings.fsync)
        return machines[place(of: member)].isSlow ? time * 20 + 100_000 : time
    }

    func applyTime(_ chance: inout SimulatedChance) -> UInt64 {
        isQuiet ? chance.skewed(10...500) : chance.skewed(settings.applyDelay)
    }

    // MARK: Telling

    func count(_ name: String) { counts[name, default: 0] += 1 }

    func tell(_ text: @autoclosure () -> String) {
        guard let trace else { return }
        let milliseconds = now / 1000
        trace("\(milliseconds / 1000).\(String(1000 + milliseconds % 1000).dropFirst()) \(text())")
    }

    // MARK: Members

    func add(_ machine: Machine) {
        machines.append(machine)
        ids.append(machine.id)
    }

    func isKnown(_ member: MemberID) -> Bool { ids.contains(member) }

    func place(of member: MemberID) -> Int {
        guard let place = ids.firstIndex(of: member) else {
            preconditionFailure("simulation: there is no machine \(member)")
        }
        return place
    }

    func running(_ process: Process) -> SimulatedMember? {
        guard let member = machines[place(of: process.member)].member, member.process.life == process.life else { return nil }
        return member
    }

    var runningMembers: [SimulatedMember] { machines.compactMap(\.member) }

    var leader: SimulatedMember? {
        var leader: SimulatedMember?
        for machine in machines {
            guard let member = machine.member, member.role == .leader else { continue }
            if leader.map({ $0.term < member.term }) ?? true { leader = member }
        }
        return leader
    }

    // MARK: Messages

    func send(_ message: PeerMessage, from member: SimulatedMember) {
        guard isKnown(message.to) else { return }
        for delay in network.delays(from: member.id, to: message.to, bytes: longBytes(message), at: now) {
            messagesUnderWay += 1
            schedule(after: delay, .deliver(message, from: member.id))
        }
        if messagesUnderWay > World.messagesUnderWayMax {
            checks.report("message storm", "\(messagesUnderWay) messages are under way at once")
        }
    }

    /// 0 of what is short.
    private func longBytes(_ message: PeerMessage) -> UInt64 {
        guard settings.bytesPerSecond != nil else { return 0 }
        switch message {
        case .raft(let raft, _):
            guard case .append = raft.body else { return 0 }
        case .forward: break
        case .forwarded, .tell, .outcome: return 0
        }
        return UInt64(PeerMessageCodec.sizeMax(of: message))
    }
}

/// A machine with its disk, its clock and, most of the time, a process on it.
final class Machine {
    let id: MemberID
    var life = 0
    var member: SimulatedMember?
    let clockStart: UInt64
    /// Milliseconds of its clock in a million microseconds, times a thousand.
    let clockSpeed: UInt64
    var wallClockOffset: Int64 = 0
    var isSlow = false
    var isFull = false
    /// Its process may not be started: its disk is lost, or it left the cluster.
    var isGone = false
    /// A start is under way.
    var isStarting = false
    /// Its disk may hold what nobody wrote; a start may fail because of it.
    var isSuspect = false

    let volume: String
    var directory: DataDirectory { DataDirectory(path: volume) }

    func milliseconds(at now: UInt64) -> UInt64 { clockStart + now * clockSpeed / 1_000_000 }

    init(id: MemberID, clockStart: UInt64, clockSpeed: UInt64) {
        self.id = id
        self.clockStart = clockStart
        self.clockSpeed = clockSpeed
        volume = "/sim/\(id)"
    }
}
