import Raft
import Wire

/// Proposals that were sent to another leader and not applied here yet: in messages, which have numbers, so that a repetition does no harm
/// (`ForwardStream`, `ForwardInbox`). They have no place in any log that is known here, so their fate is told by their requests' numbers:
///
/// ```
///   the request is among those applied          done
///   an entry of a later term is applied, and    lost: all that an older term will ever commit lies before the first
///   the request was not among those before            committed entry of a newer one (leader completeness, thesis §3.4)
/// ```
///
/// A message is kept, to be sent once more, until its leader has acknowledged it or its proposals show that it came there.
struct SentProposals: Sendable {
    /// What was sent in one message.
    struct Batch: Sendable {
        var term: Term
        var number: UInt64
        var payloads: [EntryPayload]
        var bytes = 0
        /// Requests in it that were not seen applied yet.
        var unseen = 0
        /// It holds proposals that nobody sees applied (without a number, or abandoned): only the acknowledgement tells of them.
        var isPartlyUnseen = false
    }

    /// Of all messages that are kept.
    private(set) var bytes = 0
    private var batches = Queue<Batch>()
    /// In which batch a request is, counted from the first batch ever.
    private var places: [UInt64: UInt64] = [:]
    private var batchesDropped: UInt64 = 0
    private var stream: ForwardStream

    init(life: UInt64, settings: ReplicaSettings) { stream = ForwardStream(life: life, settings: settings) }

    /// Requests whose fate is open.
    var count: Int { places.count }

    /// Nothing is repeated in another term, so nothing is due in it.
    func repeatAt(in term: Term) -> UInt64? { stream.term == term ? stream.repeatAt : nil }

    // MARK: Sending

    /// The leader of this term is sent to from now on.
    mutating func enter(_ term: Term) { stream.enter(term) }

    /// False while enough is under way.
    var mayAdd: Bool { stream.nextNumber != nil }

    /// The number with which they are to be sent now.
    mutating func add(_ payloads: [EntryPayload], at now: UInt64) -> UInt64 {
        var batch = Batch(term: stream.term, number: stream.newest + 1, payloads: payloads)
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
        return batch.number
    }

    /// What may have been lost on the way, if it is time to send it once more.
    mutating func due(in term: Term, at now: UInt64) -> [Batch] {
        stream.isDue(term, at: now) ? batches.all.filter { stream.isUnacknowledged($0) } : []
    }

    mutating func loseLink(at now: UInt64) { stream.hurry(at: now) }

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

    // MARK: What has become of them

    mutating func see(_ requests: [UInt64]) { for request in requests { _ = forgetPlace(of: request) } }

    /// Nobody waits for it any more. False when it was not among these.
    mutating func abandon(_ request: UInt64) -> Bool {
        guard let place = forgetPlace(of: request) else { return false }
        batches[place].isPartlyUnseen = true
        return true
    }

    /// An entry of this term is applied, and the requests among those before were seen. Returns those that are lost.
    mutating func applied(_ term: Term) -> [EntryPayload] {
        var lost: [EntryPayload] = []
        while let batch = batches.first, batch.term < term {
            if batch.unseen > 0 {
                lost += batch.payloads.filter { $0.request != 0 && places.removeValue(forKey: $0.request) != nil }
            }
            dropFirst()
        }
        dropSeen()
        return lost
    }

    /// Whatever became of them will not be seen.
    mutating func forgetAll() {
        while !batches.isEmpty { dropFirst() }
        places.removeAll()
        // Numbers that the leader has not taken are gone with their batches, and it would wait for them.
        stream.startAnew(behind: stream.newest)
    }

    /// The batch in which the request was, counted from the front.
    private mutating func forgetPlace(of request: UInt64) -> Int? {
        guard let batch = places.removeValue(forKey: request), batch >= batchesDropped else { return nil }
        let place = Int(batch - batchesDropped)
        batches[place].unseen -= 1
        return place
    }

    /// Lets go of the oldest messages that need not be sent again.
    mutating func dropSeen() {
        while let batch = batches.first, batch.unseen <= 0 {
            // Seen in this term, so the leader has taken it, and with it all before; else its word must be waited for.
            let isTaken = !batch.isPartlyUnseen || batch.term != stream.term || !stream.isUnacknowledged(batch)
            guard isTaken else { return }
            if stream.isUnacknowledged(batch) {
                stream.take(batch.number)
                stream.arrived(bytes: batch.bytes)
            }
            dropFirst()
        }
    }

    private mutating func dropFirst() {
        guard let batch = batches.first else { return }
        bytes -= batch.bytes
        batches.removeFirst()
        batchesDropped += 1
    }
}
