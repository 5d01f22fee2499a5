import Keyspace
import NIOCore
import ReplicaHost
import TestSupport
import Testing

/// Whoever is told something may call back at once, as a client's connection does that closes while it is written to.
@Suite("Calling back from within")
struct CallingBackTests {
    private let directory: TemporaryDirectory

    init() throws { directory = try TemporaryDirectory() }

    @Test("Sinks and answers that watch, cancel, propose, withdraw and read while they are told something", arguments: 1...4)
    func atRandom(seed: UInt64) async throws {
        let host = try await Host(directory.file("data"))
        let crowd = Crowd(host.service, seed: seed)
        try await host.onLoop { crowd.begin() }
        // Lone events and bursts.
        for round in 0..<40 {
            if round.isMultiple(of: 2) {
                try await host.make(.set, TreePath("/w/\(round % 5)"))
            } else {
                await withTaskGroup(of: Void.self) { group in
                    for number in 0..<20 { group.addTask { _ = await host.propose(Command(.set, TreePath("/w/\(number % 5)"))) } }
                }
            }
        }
        try await eventually("everything is answered") { try await host.onLoop { crowd.open == 0 } }
        let complaints = try await host.onLoop { crowd.complaints }
        #expect(complaints.isEmpty, "seed \(seed)")
        let (told, called) = try await host.onLoop { (crowd.told, crowd.called) }
        #expect(told > 500 && called.allSatisfy { $0 > 10 }, "seed \(seed): \(told) words, \(called) calls")
        let (heard, last) = try await host.onLoop { (crowd.faithful.map(\.indices), host.service.status.keysIndex) }
        #expect(heard.count == 5)
        for indices in heard {
            let first = try #require(indices.first)
            #expect(indices == Array(first...last), "in order, none twice, none missing; seed \(seed)")
        }
        try await host.stop()
    }

    @Test("A stop is told to watchers and to those who wait; they may call back, and hear no more")
    func atTheStop() async throws {
        let host = try await Host(directory.file("data"))
        let crowd = Crowd(host.service, seed: 7)
        try await host.onLoop {
            crowd.begin()
            for number in 0..<50 { crowd.propose(TreePath("/w/\(number)")) }
        }
        try await host.stop()
        #expect(crowd.complaints.isEmpty)
        #expect(crowd.open == 0)
    }

    @Test("What is withdrawn is not answered; what was not in the log by then does not happen")
    func withdrawal() async throws {
        let host = try await Host(directory.file("data"))
        let answered = Shared(0)
        let kept = try await host.onLoop { [host] in
            // In this turn of the loop all but the first wait for company.
            let tokens = (0..<8).map { number in
                host.service.propose(Command(.set, TreePath("/k\(number)")), client: []) { _ in answered.change { $0 += 1 } }
            }
            for token in tokens.dropFirst(4) { host.service.withdraw(token) }
            host.service.withdraw(tokens[7])
            host.service.withdraw(host.service.read("/k0", recursive: false, quorum: false) { _ in answered.change { $0 += 100 } })
            return Array(tokens.prefix(4))
        }
        try await host.make(.set, "/last")
        #expect(answered.value == 4)
        #expect(try await host.everything().nodes.map(\.path) == ["/k0", "/k1", "/k2", "/k3", "/last"])
        // Too late: nothing happens.
        try await host.onLoop { for token in kept { host.service.withdraw(token) } }
        #expect(try await host.onLoop { host.service.counters.proposalsPending } == 0)
        try await host.stop()
    }
}

/// Sinks and answers that call the replica in the middle of what it tells them, by a generator's choice.
///
/// `@unchecked Sendable`: everything is touched on the replica's loop, or when that has ended.
private final class Crowd: @unchecked Sendable {
    final class Member: WatchSink {
        unowned let crowd: Crowd
        let isFaithful: Bool
        let isStream: Bool
        var token = WatchToken(0)
        var isCancelled = false
        var isDone = false
        var indices: [UInt64] = []

        init(_ crowd: Crowd, isFaithful: Bool, isStream: Bool) {
            self.crowd = crowd
            self.isFaithful = isFaithful
            self.isStream = isStream
        }

        func started(index: UInt64) { hear("started") }
        func cleared(oldest: UInt64, index: UInt64) { hear("cleared") }

        func push(_ event: SharedEvent, twice: Bool) {
            if !isStream, !indices.isEmpty { crowd.complaints.append("a one-shot watch heard twice") }
            indices.append(event.event.index)
            hear("event")
        }

        func flushEvents() { hear("flush") }

        func ended() {
            hear("ended")
            isDone = true
        }

        func unavailable(_ reason: Unavailable) { hear("unavailable") }

        private func hear(_ what: String) {
            if isCancelled || isDone { crowd.complaints.append("\(what) after the end") }
            crowd.told += 1
            crowd.callBack()
        }
    }

    private let service: ReplicaService
    private var generator: SeededGenerator
    private var members: [Member] = []
    var complaints: [String] = []
    var told = 0
    var open = 0
    /// How often which call was made.
    var called = [0, 0, 0, 0]
    private let callsMax = 2000

    init(_ service: ReplicaService, seed: UInt64) {
        self.service = service
        generator = SeededGenerator(seed: seed)
    }

    var faithful: [Member] { members.filter(\.isFaithful) }

    func begin() {
        for _ in 0..<5 { watch(isFaithful: true, isStream: true) }
        for number in 0..<20 { watch(isFaithful: false, isStream: !number.isMultiple(of: 3)) }
    }

    private func watch(isFaithful: Bool, isStream: Bool) {
        let member = Member(self, isFaithful: isFaithful, isStream: isStream)
        members.append(member)
        member.token = service.watch("/w", recursive: true, isStream: isStream, since: 0, sink: member)
    }

    func propose(_ path: TreePath) {
        open += 1
        var isAnswered = false
        let token = service.propose(Command(.set, path), client: []) { [self] _ in
            if isAnswered { complaints.append("answered twice") }
            isAnswered = true
            open -= 1
            callBack()
        }
        // Now and then its client leaves at once.
        if !isAnswered, Int.random(in: 0..<8, using: &generator) == 0 {
            service.withdraw(token)
            open -= 1
            isAnswered = true
        }
    }

    private func read() {
        open += 1
        let isQuorum = Bool.random(using: &generator)
        service.read("/w/1", recursive: false, quorum: isQuorum) { [self] _ in
            open -= 1
            callBack()
        }
    }

    fileprivate func callBack() {
        guard called.reduce(0, +) < callsMax else { return }
        let call = Int.random(in: 0..<8, using: &generator)
        switch call {
        case 0:
            called[0] += 1
            watch(isFaithful: false, isStream: Bool.random(using: &generator))
        case 1, 2:
            // Itself or another, which may be about to hear the same.
            let others = members.filter { !$0.isFaithful && !$0.isCancelled }
            guard let member = others.randomElement(using: &generator) else { return }
            called[1] += 1
            member.isCancelled = true
            service.cancel(member.token)
        case 3:
            called[2] += 1
            propose(TreePath("/w/\(Int.random(in: 0..<5, using: &generator))"))
        case 4:
            called[3] += 1
            read()
        default: break
        }
    }
}
