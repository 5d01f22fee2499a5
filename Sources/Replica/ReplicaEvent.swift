import Raft
import Wire

/// What the replica is told.
package enum ReplicaEvent: Sendable {
    /// The process has started; everything that the disk holds is known.
    case started
    /// Time has passed; due at `ReplicaMachine.wakeUp` at the latest.
    case time
    /// Payloads of this member's clients that want into the log, in order. A request number is unlike any other, or 0.
    case proposed([EntryPayload])
    case received(PeerMessage)
    /// A persist request is done, in the order in which they were given out.
    case persisted(PersistTicket)
    /// The state machine holds everything up to here.
    ///
    /// - requests: the numbers of this member's own requests among the entries since the last one of these; strange ones do no harm. They
    ///   may be left out while `ReplicaMachine.wantsAppliedRequests` is false.
    /// - members: all of them, when an entry since the last one of these has changed them.
    case applied(LogPosition, requests: [UInt64] = [], members: [Member]? = nil)
    /// Nobody waits for these requests any more: they are not proposed (again). What is on its way may still happen.
    case abandoned([UInt64])
    /// A linearizable read; comes back in `readsReleased` or `readsFailed` with its number.
    case readRequested(UInt64)
    /// Nobody waits for these reads any more.
    case readsAbandoned([UInt64])
    /// What the log holds of the entries that `fetch` asked for: the payloads of the first so many; nil when it does not hold them.
    case fetched(Message, [EntryPayload]?)
    /// The connection to this member is gone, and so may be what was sent on it.
    case linkLost(MemberID)
    /// The process of this member does not answer at all any more.
    case memberDown(MemberID)
    case transferLeadership(MemberID?)
    /// How much room there is on this member's disk, when that has changed. At the start there is enough.
    case disk(DiskSpace)
    /// The tree holds everything up to here even if the machine dies. At rest: nothing has changed for a while.
    case treeDurable(Index, isAtRest: Bool = false)
    /// Entries were written since the last one of these, with their size in bytes.
    case logGrew(bytes: Int)
    /// Entries up to here are gone from the log, by way of `cutLog`.
    case logWasCut(LogPosition)
    /// The transfer that `sendSnapshot` asked for has ended; `position` is that of the snapshot, or anything if there was none.
    case snapshotSent(MemberID, LogPosition, succeeded: Bool)
    /// A snapshot is here, whole and verified. The answer is `installSnapshot` or `dropSnapshot`.
    case snapshotReceived(from: MemberID, term: Term, LogPosition, Configuration)
    /// Log and tree are those of the snapshot, durably; `members` are the tree's.
    case snapshotInstalled(LogPosition, members: [Member]? = nil)
}

/// Something for the log thread: one transaction, or part of one with its neighbours.
package struct PersistRequest: Sendable {
    package var hardState: HardState?
    /// Entries from here on are removed first.
    package var truncateFrom: Index?
    package var entries: [LogEntry]
    /// Once durable, everything up to the last entry is committed, and may be handed on to be applied at once.
    package var durableIsCommitted: Bool
    package var ticket: PersistTicket
    /// These may leave only when the request is durable, and all before it.
    package var sendAfter: [PeerMessage]

    package init(
        hardState: HardState?, truncateFrom: Index? = nil, entries: [LogEntry], durableIsCommitted: Bool, ticket: PersistTicket,
        sendAfter: [PeerMessage] = []
    ) {
        self.hardState = hardState
        self.truncateFrom = truncateFrom
        self.entries = entries
        self.durableIsCommitted = durableIsCommitted
        self.ticket = ticket
        self.sendAfter = sendAfter
    }
}

/// What must happen because of the events. The caller empties and reuses it.
package struct ReplicaEffects: Sendable {
    /// In order. May be without hard state and entries: then only `sendAfter` waits for those before.
    package var persist: [PersistRequest] = []
    /// These may leave at once.
    package var send: [PeerMessage] = []
    /// Appends whose payloads are no longer in memory, at most one for each member: read them from the log (`LogReader.payloads`), as many
    /// as a message should have (`ReplicaSettings.messageBytesMax`) and at least one, and give them back with `fetched`.
    package var fetch: [Message] = []
    /// Everything up to here is committed and in the log durably: apply it, but for what went on by `durableIsCommitted` already.
    package var committed: Index?
    /// Answer these from the tree as it is now, or later; `index` is what they had to wait for.
    package var readsReleased: [(number: UInt64, index: Index)] = []
    /// There is no room for these.
    package var readsFailed: [UInt64] = []
    /// Requests that were not proposed and will not be: there is no room for them.
    package var refused: [UInt64] = []
    /// These members need the state itself; each is answered by one `snapshotSent`.
    package var sendSnapshot: [MemberID] = []
    /// Put the received snapshot in place of log and tree: behind all persist requests given out so far; then `snapshotInstalled`.
    package var installSnapshot: LogPosition?
    package var dropSnapshot: LogPosition?
    /// Delete the log up to here; then `logWasCut`.
    package var cutLog: Index?
    /// Checkpoint the tree, so that the log can be cut.
    package var makeTreeDurable = false
    package var notices: [CoreNotice] = []

    package init() {}
}
