/// What a leader knows of another member's log, and how it feeds it (thesis figure 3.1: nextIndex, matchIndex; §10.2.1).
struct PeerProgress: Sendable {
    enum State: Sendable {
        /// Where the logs agree is being searched: one message at a time.
        case probe
        /// They agreed at the last word: entries are sent without waiting, up to a window.
        case replicate
        /// What it needs next is no longer in the log; the state itself is on its way.
        case snapshot
    }

    let id: MemberID
    var isVoter: Bool
    var state = State.probe
    /// Durable there and equal to ours up to here, by its own word in this term.
    var match: Index = 0
    /// Invariant: next > match; in `replicate` everything between is on its way.
    var next: Index
    /// How many entries may be on their way to it. One message after a refusal of what was sent ahead, then more with each word that it
    /// has arrived: where messages overtake each other (or are lost) every full window would be refused many times, and sent as often.
    var window: Int
    /// In `replicate`: what is on its way is as much as may be, in bytes, which the core does not know; or the next entries are being looked
    /// for. Until the next word of the peer, or of the caller.
    var isHeld = false
    /// A probe is on its way, or it is of no use to send one before the peer is heard again.
    var isPaused = false
    /// A question like the last one was asked and not answered: the next ones carry no entries, as nobody may be there to take
    /// them, or be busy with a snapshot.
    var isRepeated = false
    /// When it was last heard in this term.
    var lastHeard: UInt64
    /// When an append last left for it or an acknowledgement moved `match`: silence since then means that something was lost.
    var lastMoved: UInt64
    /// When the last append left.
    var lastSent: UInt64 = 0
    /// The newest round of heartbeats that it answered.
    var round: UInt64 = 0
    /// The commit index that it was told last. A lost message makes it wrong; heartbeats tell it again.
    var commitTold: Index = 0
    /// The end of the snapshot that was sent, and when it is given up to hear that it was installed.
    var snapshotSent: (index: Index, deadline: UInt64)?
    /// It was removed by the entry at this index, and is kept until it knows, or until a time.
    var leaving: (index: Index, deadline: UInt64)?

    init(id: MemberID, isVoter: Bool, next: Index, window: Int, now: UInt64) {
        self.id = id
        self.isVoter = isVoter
        self.next = next
        self.window = window
        self.lastHeard = now
        self.lastMoved = now
    }

    mutating func becomeProbe(next: Index) {
        state = .probe
        self.next = max(next, match.next)
        isHeld = false
        isPaused = false
        isRepeated = false
        snapshotSent = nil
    }

    mutating func becomeReplicate() {
        state = .replicate
        next = match.next
        isHeld = false
        isPaused = false
        snapshotSent = nil
    }
}
