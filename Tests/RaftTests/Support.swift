import Raft

extension MemberID: ExpressibleByIntegerLiteral {
    package init(integerLiteral value: UInt64) { self.init(value) }
}

/// `at(7, in: 3)`: index 7, term 3.
func at(_ index: UInt64, in term: UInt64) -> LogPosition { LogPosition(index: Index(index), term: Term(term)) }

/// A log behind its origin whose entries are of these terms.
func log(_ terms: [UInt64], cut: LogPosition = .origin) -> LogShape {
    var shape = LogShape(cut: cut)
    for term in terms { shape.append(count: 1, term: Term(term)) }
    return shape
}

/// Entries of these terms from `first` on.
func entries(from first: UInt64, _ terms: [UInt64], change: ConfigurationChange? = nil) -> [EntryHeader] {
    terms.enumerated().map { place, term in
        EntryHeader(position: at(first + UInt64(place), in: term), change: place == terms.count - 1 ? change : nil)
    }
}

/// One member, with a disk that writes when the test says so, and peers that are the test itself.
struct Bench {
    var core: RaftCore
    var now: UInt64 = 1000
    /// Given out to be written, oldest first.
    var orders: [PersistOrder] = []

    static let id: MemberID = 1

    init(
        voters: [MemberID] = [1, 2, 3], learners: [MemberID] = [], term: UInt64 = 0, vote: MemberID = .none, commit: UInt64 = 0,
        log: LogShape = LogShape(), changes: [(Index, ConfigurationChange)] = [], applied: Index = 0,
        settings: CoreSettings = CoreSettings(), seed: UInt64 = 7
    ) {
        core = RaftCore(
            id: Bench.id, settings: settings, hardState: HardState(term: Term(term), vote: vote, commit: Index(commit)), log: log,
            configuration: Configuration(voters: voters, learners: learners), changes: changes, applied: applied, now: 1000,
            seed: seed)
    }

    @discardableResult
    mutating func step(_ input: CoreInput, after milliseconds: UInt64 = 0) -> CoreOutput {
        now += milliseconds
        var output = CoreOutput()
        core.step(input, at: now, into: &output)
        if let order = output.persist { orders.append(order) }
        return output
    }

    @discardableResult
    mutating func receive(_ from: MemberID, _ term: UInt64, _ body: Message.Body, after milliseconds: UInt64 = 0) -> CoreOutput {
        step(.received(Message(from: from, to: Bench.id, term: Term(term), body: body)), after: milliseconds)
    }

    /// The oldest order reaches the disk; what had to wait for it comes first in `send`.
    @discardableResult
    mutating func persist() -> CoreOutput {
        guard !orders.isEmpty else { return CoreOutput() }
        let order = orders.removeFirst()
        var output = step(.persisted(order.ticket))
        output.send = order.sendAfter + output.send
        return output
    }

    @discardableResult
    mutating func persistAll() -> [Message] {
        var sent: [Message] = []
        while !orders.isEmpty { sent += persist().send }
        return sent
    }

    /// Waits until it is woken, `times` times in a row.
    @discardableResult
    mutating func sleep(times: Int = 1) -> CoreOutput {
        var output = CoreOutput()
        for _ in 0..<times {
            guard let time = core.wakeUp else { return output }
            now = max(now, time)
            output = step(.tick)
        }
        return output
    }

    /// Stands for election, gets the votes of `voters`, and has the empty entry of its term on disk and on those of `voters`.
    mutating func lead(with voters: [MemberID] = [2]) {
        step(.campaign)
        for voter in voters where core.role == .preCandidate { receive(voter, core.term.value, .preVoteReply(granted: true)) }
        persistAll()
        for voter in voters where core.role == .candidate { receive(voter, core.term.value, .voteReply(granted: true)) }
        persistAll()
        acknowledge(by: voters)
    }

    /// These members have everything.
    @discardableResult
    mutating func acknowledge(by members: [MemberID]) -> [Message] {
        members.flatMap { receive($0, core.term.value, .appendAccepted(matched: core.last.index)).send }
    }

    /// Empties the log's tail of places: proposals of no further interest.
    mutating func propose(_ count: Int = 1) { step(.proposed(Array(repeating: nil, count: count))) }
}

extension CoreOutput {
    func sent(to member: MemberID) -> [Message.Body] { send.filter { $0.to == member }.map(\.body) }
}

extension [Message] {
    func bodies(to member: MemberID) -> [Message.Body] { filter { $0.to == member }.map(\.body) }
}
