import Raft
import Wire

/// The proposals of this member's clients from the moment that they are made until they are seen applied, so that a change of the leader loses
/// none and repeats none.
///
/// ```
///                        ┌───── sent ──────┐    with another leader: `SentProposals`
///   client ──> waiting ──┤                 ├──> applied
///                 ^      └──── placed ─────┘    in this member's own log: `PlacedProposals`
///                 └──────────────┴─ lost: it is certain that it will never be committed
/// ```
///
/// A proposal waits, is sent, or is placed: one of the three. It goes back to those that wait only when what was done with it can never be
/// committed any more; each of the two says how it knows. One that nobody waits for any more is not proposed (again); what is on its way
/// may still happen.
struct ForwardBook: Sendable {
    private(set) var waiting = Queue<EntryPayload>()
    private var waitingBytes = 0
    private var sent: SentProposals
    private var placed = PlacedProposals()
    /// Requests that nobody waits for any more, of those that wait or are placed.
    private var abandoned: Set<UInt64> = []
    private let settings: ReplicaSettings

    init(life: UInt64, settings: ReplicaSettings) {
        sent = SentProposals(life: life, settings: settings)
        self.settings = settings
    }

    /// Of what waits or was sent.
    var bytes: Int { waitingBytes + sent.bytes }
    /// Somebody should tell which requests were applied.
    var hasForwarded: Bool { sent.count > 0 }
    var hasRoom: Bool { bytes < settings.forwardBytesMax && waiting.count + sent.count < settings.forwardEntriesMax }
    func repeatAt(in term: Term) -> UInt64? { sent.repeatAt(in: term) }

    // MARK: Waiting

    mutating func wait(_ payloads: [EntryPayload]) {
        for payload in payloads { waitingBytes += payload.size }
        waiting.append(contentsOf: payloads)
    }

    /// They were taken, and neither sent nor placed, or they are lost.
    mutating func giveBack(_ payloads: [EntryPayload]) {
        let wanted = payloads.filter { abandoned.remove($0.request) == nil }
        for payload in wanted { waitingBytes += payload.size }
        waiting.putBack(wanted)
    }

    /// The oldest that wait and are no changes of the membership, as many as fit into one message; or the first one that is such a change.
    mutating func takeWaiting() -> [EntryPayload] {
        var taken: [EntryPayload] = []
        var room = settings.messageBytesMax
        var looked = 0
        while looked < waiting.count {
            let payload = waiting[looked]
            let isChange = payload.kind == EntryKind.membership.rawValue
            guard taken.isEmpty || (payload.size <= room && taken.count < settings.messageEntriesMax && !isChange) else { break }
            looked += 1
            waitingBytes -= payload.size
            if !abandoned.isEmpty, abandoned.remove(payload.request) != nil { continue }
            room -= payload.size
            taken.append(payload)
            if isChange { break }
        }
        waiting.removeFirst(looked)
        forgetAbandoned()
        return taken
    }

    // MARK: Placed, and sent

    /// They have got the places from `first` on in this member's log, as the leader of `term`.
    mutating func place(_ payloads: [EntryPayload], at first: Index, term: Term) { placed.add(payloads, at: first, term: term) }

    /// What may be sent to the leader of `term` now.
    mutating func forward(from: MemberID, to leader: MemberID, term: Term, at now: UInt64) -> [PeerMessage] {
        sent.enter(term)
        var messages: [PeerMessage] = []
        while !waiting.isEmpty, sent.mayAdd {
            let payloads = takeWaiting()
            if payloads.isEmpty { continue }
            let number = sent.add(payloads, at: now)
            messages.append(.forward(from: from, to: leader, term: term, number: number, payloads: payloads))
        }
        return messages
    }

    /// What may have been lost on the way, once more.
    mutating func forwardAgain(from: MemberID, to leader: MemberID, term: Term, at now: UInt64) -> [PeerMessage] {
        sent.due(in: term, at: now).map { .forward(from: from, to: leader, term: term, number: $0.number, payloads: $0.payloads) }
    }

    mutating func acknowledge(term: Term, number: UInt64, at now: UInt64) { sent.acknowledge(term: term, number: number, at: now) }

    mutating func loseLink(at now: UInt64) { sent.loseLink(at: now) }

    // MARK: What has become of them

    mutating func see(_ requests: [UInt64]) { sent.see(requests) }

    mutating func abandon(_ requests: [UInt64]) {
        for request in requests where request != 0 {
            if sent.abandon(request) || (waiting.isEmpty && placed.isEmpty) { continue }
            // Forgetting them would only mean that some are proposed for nobody.
            if abandoned.count >= settings.forwardEntriesMax { abandoned.removeAll() }
            abandoned.insert(request)
        }
        sent.dropSeen()
    }

    /// Everything up to `position` is applied, and the requests among it were seen. `term(at:)` is of the log.
    mutating func applied(_ position: LogPosition, term termAt: (Index) -> Term?) {
        let lost = placed.applied(position, termAt) + sent.applied(position.term)
        giveBack(lost)
        forgetAbandoned()
    }

    /// The state jumped over entries that nobody here has seen: what was with a leader may be among them, and is not proposed again.
    mutating func forgetWhatIsUnderWay() {
        placed.removeAll()
        sent.forgetAll()
        forgetAbandoned()
    }

    private mutating func forgetAbandoned() {
        if waiting.isEmpty, placed.isEmpty, !abandoned.isEmpty { abandoned.removeAll() }
    }
}
