import Foundation
import Synchronization
import TestSupport

/// One running cluster of three members on small disks with ordinary clients, on which faults are played one after another or
/// together.
///
/// `@unchecked Sendable`: faults of clients, which have threads of their own, use `ports` and the probe; only the thread that plays the
/// scenarios, and the one fault of members at a time that it runs itself, look at members.
final class FaultStage: @unchecked Sendable {
    /// How much is asked of it.
    struct Scale: Sendable {
        /// How long a fault lasts that has no end of its own.
        var seconds = 4.0
        /// Keys that are listed, and expire together.
        var keys = 6000
        /// How long clients of members that nothing was done to may wait for a write. An election with unlucky draws takes a few
        /// seconds on a busy machine.
        var gapSecondsMax = 10.0
    }

    let scale: Scale
    let ports: [UInt16]
    let cluster: LocalCluster
    let network: FaultNetwork
    let probe: ServiceProbe
    let place: Workplace
    private let registers: Registers
    private let disks: [String: SmallDisk]
    private let excused = Mutex<Set<String>>([])
    private var memoryPeaks: [String: Int] = [:]
    private(set) var highestTerm = 0
    private(set) var operations = 0
    private(set) var undecided = 0

    /// What a member may take of the machine's memory, whatever clients do: of that, what all connections may hold is 256 MB.
    static let memoryBytesMax = 400 << 20
    /// After the end of a fault, for the clients of all members.
    static let recoverySecondsMax = 25.0
    private static let diskMegabytes = 1024
    /// So few that clients can take them all.
    static let descriptorsMax = 1200

    init(scale: Scale = Scale(), seed: UInt64) throws {
        self.scale = scale
        place = try Workplace()
        var disks: [String: SmallDisk] = [:]
        let names = ["a", "b", "c"]
        for name in names { disks[name] = try SmallDisk(place("disk-\(name)"), megabytes: Self.diskMegabytes) }
        self.disks = disks
        let directories = disks.mapValues { $0.path + "/data" }
        cluster = try LocalCluster(
            names, in: place, flags: ["--snapshot-count", "5000"], isFaulty: true, directories: directories)
        if Program.isInstalled("prlimit") {
            let limit = Self.descriptorsMax
            for member in cluster.members { member.launcher = ["prlimit", "--nofile=\(limit):\(limit)"] }
        }
        guard let network = cluster.network else { throw Failure("there is no network") }
        self.network = network
        ports = cluster.ports
        try cluster.start()
        probe = ServiceProbe(ports)
        registers = Registers(ports, seed: seed)
    }

    // MARK: For scenarios

    /// Lets the fault last.
    func hold(_ seconds: Double? = nil) { usleep(UInt32((seconds ?? scale.seconds) * 1e6)) }

    /// The clients of this member need not be served while this goes on.
    func excuse(_ members: [LocalCluster.Member]) { excused.withLock { $0.formUnion(members.map(\.name)) } }

    /// Nil where nothing may be mounted.
    func disk(of member: LocalCluster.Member) -> SmallDisk? { disks[member.name] }

    func port(_ number: Int) -> UInt16 { ports[number % ports.count] }

    /// One thread for each member.
    func atEachMember(_ body: @escaping @Sendable (UInt16) throws -> Void) throws {
        try Self.inThreads(ports.count) { [ports] in try body(ports[$0]) }
    }

    /// That many threads that may all wait at the same time; the first failure is thrown when all are done.
    static func inThreads(_ count: Int, _ body: @escaping @Sendable (Int) throws -> Void) throws {
        let failures = Mutex<[any Error]>([])
        let group = DispatchGroup()
        for number in 0..<count {
            group.enter()
            Thread.detachNewThread {
                do { try body(number) } catch { failures.withLock { $0.append(error) } }
                group.leave()
            }
        }
        group.wait()
        if let first = failures.withLock({ $0.first }) { throw first }
    }

    /// `kill -9`; what it needed until then counts.
    func kill(_ member: LocalCluster.Member) {
        note(member)
        member.kill()
    }

    func restart(_ member: LocalCluster.Member) throws {
        try member.spawn()
        try awaitServed(member)
    }

    /// Waits until one of its clients has a write acknowledged.
    func awaitServed(_ member: LocalCluster.Member, within seconds: Double = Server.startSeconds) throws {
        let isServed = eventually(within: seconds) {
            (try? member.client(timeoutSeconds: 5).put("/served/\(member.name)", "1").isSuccess) == true || !member.isRunning
        }
        guard isServed, member.isRunning else { throw Failure("\(member.name) does not serve: \(member.log.suffix(1500))") }
    }

    /// Clients of these members write values of that size for a while.
    /// - Throws: when one of them had no write acknowledged for `Scale.gapSecondsMax`.
    func expectServed(_ members: [LocalCluster.Member], seconds: Double? = nil, valueBytes: Int) throws {
        let value = String(repeating: "e", count: valueBytes)
        let (ports, end) = (members.map(\.port), steadySeconds + (seconds ?? scale.seconds))
        try Self.inThreads(ports.count) { [scale] number in
            let client = HTTPClient(port: ports[number])
            var last = steadySeconds
            while steadySeconds < end {
                // Why not is told by the gap; a failed exchange is one, too.
                let answer = try? client.put("/expected/\(ports[number])", value)
                if answer?.isSuccess == true { last = steadySeconds } else { usleep(100_000) }
                guard steadySeconds < last + scale.gapSecondsMax else {
                    throw Failure("a client of port \(ports[number]) is not served: \(answer?.text.prefix(300) ?? "no answer")")
                }
            }
        }
    }

    // MARK: Playing

    var allRun: Bool { cluster.running.count == ports.count }

    /// Plays these together: at most one of members. What was not as it must be, with the names of the scenarios.
    func play(_ scenarios: [FaultScenario], seed: UInt64) -> [String] {
        let name = scenarios.map(\.name).joined(separator: " + ")
        excused.withLock { $0 = [] }
        for member in cluster.running { member.resetMemoryPeak() }
        _ = registers.turn()
        probe.reset()
        let failures = Mutex<[String]>([])
        @Sendable func play(_ scenario: FaultScenario, _ number: Int) {
            var generator = SeededGenerator(seed: seed &+ UInt64(number))
            do { try scenario.run(self, &generator) } catch { failures.withLock { $0.append("\(scenario.name): \(error)") } }
        }
        let others = DispatchGroup()
        for (number, scenario) in scenarios.enumerated() where scenario.kind == .clients {
            others.enter()
            Thread.detachNewThread {
                play(scenario, number)
                others.leave()
            }
        }
        for (number, scenario) in scenarios.enumerated() where scenario.kind == .members { play(scenario, number) }
        others.wait()
        // A client may miss what another fault takes away, a connection to a member that is killed; alone it must have what it expects.
        return (scenarios.count == 1 ? failures.withLock { $0 } : []) + judge().map { "\(name): \($0)" }
    }

    private func judge() -> [String] {
        var complaints: [String] = []
        let over = steadySeconds
        let isWell = eventually(within: Self.recoverySecondsMax) { probe.wereAllServed(since: over) || !allRun } && allRun
        for (number, member) in cluster.members.enumerated() {
            guard member.isRunning else {
                complaints.append(
                    "\(member.name) ended (\(member.child?.ended.map { "\($0)" } ?? "?")): \(member.log.suffix(3000))")
                continue
            }
            note(member)
            let gap = probe.longestGap(of: number)
            if gap > scale.gapSecondsMax, !excused.withLock({ $0.contains(member.name) }) {
                complaints.append("clients of \(member.name) had no write acknowledged for \(gap) s")
            }
        }
        if !isWell, allRun {
            let served = cluster.members.enumerated().map { "\($1.name) \(probe.longestGap(of: $0)) s" }
            complaints.append("not all are served \(Self.recoverySecondsMax) s after the end: \(served)")
        }
        for (name, bytes) in memoryPeaks.sorted(by: { $0.key < $1.key }) where bytes > Self.memoryBytesMax {
            complaints.append("\(name) took \(bytes >> 20) MB of memory")
        }
        memoryPeaks = [:]
        let (wrong, operations, undecided) = registers.turn()
        self.operations += operations
        self.undecided += undecided
        return complaints + wrong
    }

    private func note(_ member: LocalCluster.Member) {
        memoryPeaks[member.name] = max(memoryPeaks[member.name] ?? 0, member.memoryPeak)
        let terms = member.log.matches(of: /at term (\d+)/).compactMap { Int($0.output.1) }
        highestTerm = max(highestTerm, terms.max() ?? 0)
    }

    /// Stops all; what is wrong with what is left.
    func end() throws -> [String] {
        try probe.stop()
        try registers.stop()
        var complaints = registers.turn().complaints
        if !allRun { complaints.append("not all members run") }
        return complaints + (try cluster.complaints(probe.ledger))
    }
}

extension LocalCluster.Member {
    /// Bytes, the most since `resetMemoryPeak`; 0 when it does not run.
    var memoryPeak: Int { memory("VmHWM") }
    var memoryNow: Int { memory("VmRSS") }

    private func memory(_ name: String) -> Int {
        guard let pid = child?.pid, isRunning, let text = try? String(contentsOfFile: "/proc/\(pid)/status", encoding: .utf8),
            let line = text.split(separator: "\n").first(where: { $0.hasPrefix(name + ":") }),
            let kilobytes = line.split(separator: " ").dropLast().last.flatMap({ Int($0.split(separator: "\t").last ?? "") })
        else { return 0 }
        return kilobytes << 10
    }

    func resetMemoryPeak() {
        guard let pid = child?.pid, isRunning else { return }
        // Where it is not allowed, the peak is that of its whole life: a stricter bound.
        try? "5".write(toFile: "/proc/\(pid)/clear_refs", atomically: false, encoding: .utf8)
    }

    /// Bytes of all files in the data directory.
    var dataBytes: Int { Files.names(directory + "/member").reduce(0) { $0 + Files.size(directory + "/member/" + $1) } }
}
