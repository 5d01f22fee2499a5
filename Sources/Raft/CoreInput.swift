/// What the core is told. Each comes with the caller's time: milliseconds of a clock that never goes back.
package enum CoreInput: Sendable {
    /// Time has passed; nothing else. To be given no later than `RaftCore.wakeUp`.
    case tick
    case received(Message)
    /// Entries that want places in the log, in this order. A configuration change must be alone.
    case proposed([ConfigurationChange?])
    /// A persist request is done; they are done in the order in which they were given out.
    case persisted(PersistTicket)
    /// The state machine holds everything up to here.
    case applied(Index)
    /// A linearizable read wants to know what to wait for; `context` is the caller's number for it.
    case readRequested(context: UInt64)
    /// The connection to this member is gone, and so is what was sent on it.
    case linkLost(MemberID)
    /// Of the entries that the core wanted sent to this member, those from the index on were not: there is too much on its way, or they have
    /// to be found first. They wait until it acknowledges something, or for `sent`.
    case held(MemberID, from: Index)
    /// Of the entries that were held, those behind the first index, up to the second, are on their way now.
    case sent(MemberID, behind: Index, upTo: Index)
    /// The process of this member no longer answers at all: its connections were closed and a new one was refused.
    case memberDown(MemberID)
    /// How much room there is on this member's disk, when that has changed. At the start there is enough.
    case disk(DiskSpace)
    /// Hand leadership to that member, or to the most advanced voter (thesis §3.10).
    case transferLeadership(to: MemberID?)
    /// Stand for election without waiting; for a lone voter at its start.
    case campaign
    /// A copy of the state up to `position` has reached that member's disk, or its transfer has failed.
    case snapshotSent(MemberID, LogPosition, succeeded: Bool)
    /// A leader's snapshot is here, verified; shall it replace the state?
    case snapshotReceived(from: MemberID, term: Term, LogPosition, Configuration)
    /// The state of a snapshot is in place, durable; the log begins behind it.
    case snapshotInstalled(LogPosition)
    /// Entries up to here are no longer in the log.
    case logCut(LogPosition)
}

/// What a finished persist request has made durable: its number, counted from 1 in the order of being given out.
package struct PersistTicket: Hashable, Sendable {
    package var number: UInt64

    package init(number: UInt64) { self.number = number }
}
