import Raft
import Wire

/// Changes of the membership that wait at the leader for their turn.
///
/// Raft counts a change from the moment that it is in a log, but whether it is refused is only known from the members, as they are when it is
/// applied. So the leader looks at it when it has applied every membership entry in its log: until the next one, the members are then what
/// they will be when this one is applied. One that would be refused goes into the log marked as void, to be answered there.
struct ChangeQueue: Sendable {
    struct Waiting: Sendable {
        var payload: EntryPayload
        /// Of this member's own clients.
        var isOwn: Bool
    }

    private(set) var waiting = Queue<Waiting>()
    /// No membership entry lies behind this one.
    private var lastInLog: Index
    private let waitingMax: Int

    init(lastInLog: Index, waitingMax: Int) {
        self.lastInLog = lastInLog
        self.waitingMax = waitingMax
    }

    mutating func noteInLog(_ index: Index) { lastInLog = max(lastInLog, index) }
    mutating func noteTruncated(from index: Index) { if lastInLog >= index { lastInLog = index.previous } }
    mutating func noteInstalled(_ index: Index) { lastInLog = index }

    var isFull: Bool { waiting.count >= waitingMax }

    mutating func add(_ payload: EntryPayload, isOwn: Bool) { waiting.append(Waiting(payload: payload, isOwn: isOwn)) }

    /// The next one, if the members are known that it will find.
    func next(applied: Index) -> Waiting? { applied >= lastInLog ? waiting.first : nil }

    mutating func removeFirst() { waiting.removeFirst() }

    /// Those of this member's own clients.
    mutating func removeAll() -> [EntryPayload] {
        guard !waiting.isEmpty else { return [] }
        defer { waiting.removeAll() }
        return waiting.all.filter(\.isOwn).map(\.payload)
    }
}
