/// The bounds of what one member's brain remembers and sends.
package struct ReplicaSettings: Sendable {
    /// Payloads of recent entries for peers.
    package var cacheBytesMax = 32 << 20
    /// Payloads of a leader that are not committed yet; with so much no more proposals are put into the log.
    package var uncommittedBytesMax = 64 << 20
    /// Payloads in one message to a peer; a single one may be larger.
    package var messageBytesMax = 1 << 20
    /// Payloads in one message or one order to the log.
    package var messageEntriesMax = 512
    /// Payloads on their way to one peer and not acknowledged by it; a single one may be larger.
    package var appendBytesUnderWayMax = 8 << 20
    /// Proposals of this member's clients that wait for a leader, or were forwarded and not seen applied yet.
    package var forwardBytesMax = 64 << 20
    package var forwardEntriesMax = 65_536
    /// Of these, what was sent and not acknowledged; the rest waits.
    package var forwardWindowBytes = 8 << 20
    package var forwardWindowMessages = 256
    /// An unacknowledged forward is repeated after so long at first, and at last.
    package var forwardRepeatMilliseconds: UInt64 = 200
    package var forwardRepeatMillisecondsMax: UInt64 = 2000
    /// And what is under way is given the time that a link of a megabyte a second needs for it.
    package var forwardBytesPerMillisecondMin = 1000
    /// Quorum reads that wait.
    package var readsMax = 65_536
    /// Membership changes that wait for the one before; more are answered with "not now".
    package var changesWaitingMax = 64

    package init() {}
}
