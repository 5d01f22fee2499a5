import Raft
import Wire

/// The proposals of this member's clients from the moment that they are made until they are seen applied, so that a change of the leader loses
/// none and repeats none.
///
/// A proposal waits, or it is with one leader: forwarded to it in one term, or put into the log by this member itself. It goes back to those
/// that wait only when it is certain that what was sent can never be committed: an entry of a higher term is applied and the proposal was
/// not among those before, or the place that it had in the log is committed with another entry. (All that an older term will ever commit lies
/// before the first committed entry of a newer one: thesis §3.4, leader completeness.)
struct ForwardBook: Sendable {
    /// Forwarded together in one message.
    struct Batch: Sendable {
        var term: Term
        var number: UInt64
        var payloads: [EntryPayload]
        var bytes: Int
        /// Requests in it that were not seen applied yet.
        var unseen: Int
        /// It holds proposals that nobody sees applied (without a number, or abandoned): only the acknowledgement tells of them.
        var isPartlyUnseen: Bool
    }

    /// Put into the log by this member as the leader of `term`.
    struct Placed: Sendable {
        var first: Index
        var term: Term
        var payloads: [EntryPayload]

        var last: Index { Index(first.value + UInt64(payloads.count) - 1) }
    }

    private(set) var waiting = Queue<EntryPayload>()
    /// Of what waits or was forwarded.
    private(set) var bytes = 0
    private var batches = Queue<Batch>()
    /// In which batch a forwarded request is, counted from the first batch ever.
    private var places: [UInt64: UInt64] = [:]
    private var batchesDropped: UInt64 = 0
    private var placed = Queue<Placed>()
    /// Requests that nobody waits for any more, of those that wait or are placed.
    private var dead: Set<UInt64> = []
    private var stream: ForwardStream
    private let settings: ReplicaSettings

    init(life: UInt64, settings: ReplicaSettings) {
        stream = ForwardStream(life: life, settings: settings)
        self.settings = settings
    }

    /// Somebody should tell which requests were applied.
    var hasForwarded: Bool { !places.isEmpty }
    var hasRoom: Bool { bytes < settings.forwardBytesMax && waiting.count + places.count < settings.forwardEntriesMax }
    /// Nothing is repeated in another term, so nothing is due in it.
    func repeatAt(in term: Term) -> UInt64? { stream.term == term ? stream.repeatAt : nil }

    mutating func wait(_ payloads: [EntryPayload]) {
        for payload in payloads { bytes += payload.size }
        waiting.append(contentsOf: payloads)
    }

    private mutating func waitAgain(_ payloads: [EntryPayload]) {
        let alive = payloads.filter { dead.remove($0.request) == nil }
        for payload in alive { bytes += payload.size }
        waiting.putBack(alive)
    }

    /// The oldest that wait and are no changes of the membership, as many as fit into one message; or the first one that is such a change.
    mutating func takeWaiting() -> [EntryPayload] {
        var taken: [EntryPayload] = []
        var room = settings.messageBytesMax
        var looked = 0
        for payload in waiting.all {
            let isChange = payload.kind == EntryKind.membership.rawValue
            guard taken.isEmpty || (payload.size <= room && taken.count < settings.messageEntriesMax && !isChange) else { break }
            looked += 1
            bytes -= payload.size
            if !dead.isEmpty, dead.remove(payload.request) != nil { continue }
            room -= payload.size
            taken.append(payload)
            if isChange { break }
        }
        waiting.removeFirst(looked)
        forgetDead()
        return taken
    }

    // MARK: With this member as the leader

    /// They have got the places from `first` on in the log.
    mutating func place(_ payloads: [EntryPayload], at first: Index, term: Term) {
        placed.append(Placed(first: first, term: term, payloads: payloads))
    }

    /// They were taken and not put into the log.
    mutating func giveBack(_ payloads: [EntryPayload]) { waitAgain(payloads) }

    // MARK: With another leader

    /// What may be forwarded to the leader of `term` now.
    mutating func forward(from: MemberID, to leader: MemberID, term: Term, at now: UInt64) -> [PeerMessage] {
        stream.enter(term)
        var messages: [PeerMessage] = []
        while !waiting.isEmpty, let number = stream.nextNumber {
            let payloads = takeWaiting()
            if payloads.isEmpty { continue }
            var batch = Batch(term: term, number: number, payloads: payloads, bytes: 0, unseen: 0, isPartlyUnseen: false)
            for payload in payloads {
                batch.bytes += payload.size
                if payload.request == 0 {
                    batch.isPartlyUnseen = true
                } else if places.updateValue(batchesDropped + UInt64(batches.count), forKey: payload.request) == nil {
                    batch.unseen += 1
                }
            }
            bytes += batch.bytes
            batches.append(batch)
            stream.sent(bytes: batch.bytes, at: now)
            messages.append(.forward(from: from, to: leader, term: term, number: number, payloads: payloads))
        }
        return messages
    }

    /// What may have been lost on the way, once more.
    mutating func forwardAgain(from: MemberID, to leader: MemberID, term: Term, at now: UInt64) -> [PeerMessage] {
        guard stream.isDue(term, at: now) else { return [] }
        return batches.all.filter { stream.isUnacknowledged($0) }
            .map { .forward(from: from, to: leader, term: term, number: $0.number, payloads: $0.payloads) }
    }

    mutating func acknowledge(term: Term, number: UInt64, at now: UInt64) {
        guard stream.term == term else { return }
        if stream.isOfOtherLife(number) {
            // An earlier life of this member had a later clock. The leader has taken nothing of this life's, and will take it so.
            stream.startAnew(behind: number)
            for place in 0..<batches.count where batches[place].term == term {
                batches[place].number = stream.newest + 1
                stream.sent(bytes: batches[place].bytes, at: now)
            }
            return stream.hurry(at: now)
        }
        let before = stream.acknowledged
        stream.acknowledge(number, at: now)
        for batch in batches.all where batch.term == term && batch.number > before && batch.number <= stream.acknowledged {
            stream.arrived(bytes: batch.bytes)
        }
        dropSeen()
    }

    mutating func loseLink(at now: UInt64) { stream.hurry(at: now) }

    // MARK: What has become of them

    mutating func see(_ requests: [UInt64]) { for request in requests { _ = forgetPlace(of: request) } }

    /// The batch in which the request was, counted from the front.
    private mutating func forgetPlace(of request: UInt64) -> Int? {
        guard let batch = places.removeValue(forKey: request), batch >= batchesDropped else { return nil }
        let place = Int(batch - batchesDropped)
        batches[place].unseen -= 1
        return place
    }

    mutating func abandon(_ requests: [UInt64]) {
        for request in requests where request != 0 {
            if let place = forgetPlace(of: request) {
                batches[place].isPartlyUnseen = true
            } else if !waiting.isEmpty || !placed.isEmpty {
                // Forgetting them would only mean that some are proposed for nobody.
                if dead.count >= settings.forwardEntriesMax { dead.removeAll() }
                dead.insert(request)
            }
        }
        dropSeen()
    }

    /// Everything up to `position` is applied, and the requests among it were seen. `term(at:)` is of the log.
    mutating func applied(_ position: LogPosition, term termAt: (Index) -> Term?) {
        var lost: [EntryPayload] = []
        while let batch = placed.first {
            let end = min(batch.last, position.index)
            if batch.first <= end {
                // Two logs that agree on an entry agree on all before.
                lost += termAt(end) == batch.term ? [] : batch.lost(upTo: end, termAt)
            }
            if batch.last <= position.index {
                placed.removeFirst()
            } else if batch.term < position.term {
                lost += batch.behind(position.index)
                placed.removeFirst()
            } else {
                if batch.first <= position.index { placed[0] = batch.without(upTo: position.index) }
                break
            }
        }
        while let batch = batches.first, batch.term < position.term {
            if batch.unseen > 0 {
                lost += batch.payloads.filter { $0.request != 0 && places.removeValue(forKey: $0.request) != nil }
            }
            drop(batch)
        }
        dropSeen()
        waitAgain(lost)
        forgetDead()
    }

    /// The state jumped over entries that nobody here has seen: what was with a leader may be among them, and is not proposed again.
    mutating func forgetWhatIsUnderWay() {
        placed.removeAll()
        while let batch = batches.first { drop(batch) }
        places.removeAll()
        // Numbers that the leader has not taken are gone with their batches, and it would wait for them.
        stream.startAnew(behind: stream.newest)
        forgetDead()
    }

    private mutating func dropSeen() {
        while let batch = batches.first, batch.unseen <= 0 {
            // Seen in this term, so the leader has taken it, and with it all before; else its word must be waited for.
            let isTaken = !batch.isPartlyUnseen || batch.term != stream.term || !stream.isUnacknowledged(batch)
            guard isTaken else { return }
            if stream.isUnacknowledged(batch) {
                stream.take(batch.number)
                stream.arrived(bytes: batch.bytes)
            }
            drop(batch)
        }
    }

    private mutating func drop(_ batch: Batch) {
        bytes -= batch.bytes
        batches.removeFirst()
        batchesDropped += 1
    }

    private mutating func forgetDead() { if waiting.isEmpty, placed.isEmpty, !dead.isEmpty { dead.removeAll() } }
}

extension ForwardBook.Placed {
    /// Those up to `end` whose places were taken by others.
    fileprivate func lost(upTo end: Index, _ termAt: (Index) -> Term?) -> [EntryPayload] {
        var lost: [EntryPayload] = []
        for (offset, payload) in payloads.enumerated() {
            let index = Index(first.value + UInt64(offset))
            // An unknown term: the place was jumped over, and nobody knows what it held.
            guard index <= end, let found = termAt(index) else { break }
            if found != term { lost.append(payload) }
        }
        return lost
    }

    fileprivate func behind(_ index: Index) -> [EntryPayload] {
        index < first ? payloads : Array(payloads.dropFirst(Int(index.value - first.value) + 1))
    }

    fileprivate func without(upTo index: Index) -> ForwardBook.Placed {
        ForwardBook.Placed(first: index.next, term: term, payloads: behind(index))
    }
}
