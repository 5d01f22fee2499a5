import Keyspace
import NIOCore
import Replica
import Storage
import Wire

/// What was proposed here and is not answered?
///
/// A proposal is admitted (bounded in number and bytes), waits for company until the group that it travels with is due, and is answered
/// once: with what came of it, with why nothing will, or, withdrawn by its client, not at all.
struct ProposalDesk {
    /// A change that a client of this member waits for.
    struct Waiting {
        let request: UInt64
        /// Steady nanoseconds.
        let start: Int64
        fileprivate let bytes: Int
        fileprivate let answer: Answer
    }

    /// How its client is told.
    enum Answer {
        /// A change of the tree.
        case keys((ProposalResult) -> Void)
        /// A change of the membership, of users or of roles.
        case administration((AdministrationOutcome) -> Void)
    }

    enum AdministrationOutcome {
        case applied(AppliedOutcome)
        case unavailable(Unavailable)
    }

    enum Due { case now, atTheEndOfTheTurn, alreadyArranged }

    private var book: ProposalBook<Waiting>
    /// Of those that wait for an answer.
    private(set) var bytes = 0
    private var administrations = 0
    private var gathered: [EntryPayload] = []
    /// A task at the end of the loop's turn takes what is gathered.
    private var isArranged = false
    private var lastRequest: UInt64
    private let bytesMax: Int

    private static let administrationsMax = 64
    /// What a proposal takes beside its value and its path.
    private static let overhead = 256
    private static let loneGroup = 16
    private static let group = 512

    /// - Parameters:
    ///   - lastRequest: the numbers behind it are unlike any of another member or of an earlier run of this one.
    ///   - bytesMax: of the payloads of all proposals that wait for an answer; a single one is admitted whatever its size.
    init(pendingMax: Int, bytesMax: Int, lastRequest: UInt64) {
        book = ProposalBook(pendingMax: pendingMax)
        self.bytesMax = bytesMax
        self.lastRequest = lastRequest
    }

    var count: Int { book.count - administrations }

    mutating func newRequest() -> UInt64 {
        lastRequest &+= 1
        return lastRequest
    }

    // MARK: Admission

    func hasRoom(for command: Command) -> Bool {
        !book.isFull && (bytes == 0 || bytes + command.value.count + command.path.bytes.count + Self.overhead <= bytesMax)
    }

    var hasRoomForAdministration: Bool { administrations < Self.administrationsMax }

    /// - Parameters:
    ///   - start: now, in steady nanoseconds.
    ///   - patience: nanoseconds; the same for all.
    mutating func add(_ payload: EntryPayload, start: Int64, patience: Int64, _ answer: Answer) {
        let size = payload.size + Self.overhead
        bytes += size
        if case .administration = answer { administrations += 1 }
        book.add(payload.request, deadline: start + patience, Waiting(request: payload.request, start: start, bytes: size, answer: answer))
    }

    // MARK: Groups

    /// Alone, a member proposes at once while its log thread is idle, else in small groups, and at the latest at the end of the
    /// loop's turn. What waits for the log shares its next commit either way; but if all requests of a turn travelled
    /// together, loop, log and apply thread would wait for each other instead of working side by side.
    ///
    /// With others, each group costs every member a turn of all its threads: the requests of a turn travel together.
    mutating func gather(_ payload: EntryPayload, isAlone: Bool, isLogIdle: Bool) -> Due {
        gathered.append(payload)
        if isAlone ? isLogIdle || gathered.count >= Self.loneGroup : gathered.count >= Self.group { return .now }
        if isArranged { return .alreadyArranged }
        isArranged = true
        return .atTheEndOfTheTurn
    }

    /// The end of the turn is here.
    mutating func turnEnds() { isArranged = false }

    /// The group that is due; empty when there is none.
    mutating func takeGathered() -> [EntryPayload] {
        var taken: [EntryPayload] = []
        swap(&taken, &gathered)
        return taken
    }

    // MARK: Answers

    /// What came of a request of this member or another. Nil: nobody waits for it here.
    mutating func applied(_ request: UInt64, _ outcome: AppliedOutcome) -> Delivery? {
        guard let waiting = take(request) else { return nil }
        switch waiting.answer {
        case .administration(let answer): return .other { answer(.applied(outcome)) }
        case .keys(let answer):
            switch outcome {
            case .event(let event): return .proposal(answer, .applied(event))
            case .refused(let refusal, let index): return .proposal(answer, .refused(refusal, index: index))
            case .denied: return .proposal(answer, .denied)
            case .nothing, .expired, .membership, .membershipRefused, .access, .accessRefused: return .proposal(answer, .unavailable(.stopped))
            }
        }
    }

    /// It will not happen, as far as one can know.
    mutating func fail(_ request: UInt64, _ reason: Unavailable) -> Delivery? { take(request).map { Self.failure(of: $0, reason) } }

    /// Each is to be told why by `failure`.
    mutating func takeAll() -> [Waiting] { forget(book.takeAll()) }

    /// Those that have waited for too long; as above.
    mutating func takeLate(at now: Int64) -> [Waiting] { forget(book.expired(at: now)) }

    static func failure(of waiting: Waiting, _ reason: Unavailable) -> Delivery {
        switch waiting.answer {
        case .keys(let answer): .proposal(answer, .unavailable(reason))
        case .administration(let answer): .other { answer(.unavailable(reason)) }
        }
    }

    enum Withdrawn { case gone, notYetProposed, proposed }

    /// Its client has left and hears no more. What still waits for company is not proposed.
    mutating func withdraw(_ request: UInt64) -> Withdrawn {
        guard take(request) != nil else { return .gone }
        guard let place = gathered.lastIndex(where: { $0.request == request }) else { return .proposed }
        gathered.remove(at: place)
        return .notYetProposed
    }

    private mutating func take(_ request: UInt64) -> Waiting? {
        guard let waiting = book.take(request) else { return nil }
        forget(waiting)
        return waiting
    }

    private mutating func forget(_ all: [Waiting]) -> [Waiting] {
        for waiting in all { forget(waiting) }
        return all
    }

    private mutating func forget(_ waiting: Waiting) {
        bytes -= waiting.bytes
        if case .administration = waiting.answer { administrations -= 1 }
    }
}
