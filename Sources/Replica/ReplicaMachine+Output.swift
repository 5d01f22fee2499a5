import Raft
import Wire

/// Where the payloads of the entries of a persist order come from.
enum PayloadSource {
    /// They are empty.
    case none
    /// The order's entries are these proposals.
    case proposals([EntryPayload])
    /// Of an append that was received; the first belongs to the entry at `first`.
    case message(first: Index, [EntryPayload])
}

/// What the core wants done, with the payloads that it does not know.
extension ReplicaMachine {
    mutating func carryOut(_ output: CoreOutput, _ source: PayloadSource, into effects: inout ReplicaEffects) {
        // The log first: what is sent in the same step may be in it.
        if let order = output.persist { persist(order, source, into: &effects) }
        for message in output.send { send(message, into: &effects) }
        if let index = output.committed {
            effects.committed = index
            cache.trim(upTo: min(core.committed, core.durable))
        }
        for read in output.readsReleased { reads.confirm(read.context, index: read.index) }
        for number in output.readsFailed { reads.fail(number) }
        for member in output.needSnapshot {
            policy.snapshotStarts(to: member)
            effects.sendSnapshot.append(member)
        }
        if let position = output.installSnapshot { effects.installSnapshot = position }
        if let position = output.dropSnapshot { effects.dropSnapshot = position }
        for notice in output.notices {
            if case .becameLeader = notice { openingEntry = output.persist?.entries.first?.position.index }
            effects.notices.append(notice)
        }
    }

    /// The entries behind `index` up to `upTo`; nil when one of them is no longer in memory.
    package func entries(after index: Index, upTo: Index) -> [LogEntry]? {
        guard index < upTo, let payloads = cache.payloads(from: index.next, count: Int(upTo.value - index.value)) else { return nil }
        var entries: [LogEntry] = []
        entries.reserveCapacity(payloads.count)
        for payload in payloads {
            let place = entries.last?.index.next ?? index.next
            guard let term = core.term(at: place) else { return nil }
            entries.append(LogEntry(index: place, term: term, payload: payload))
        }
        return entries
    }

    private mutating func persist(_ order: PersistOrder, _ source: PayloadSource, into effects: inout ReplicaEffects) {
        if let index = order.truncateFrom {
            cache.truncate(from: index)
            changes.noteTruncated(from: index)
        }
        var entries: [LogEntry] = []
        entries.reserveCapacity(order.entries.count)
        for (offset, header) in order.entries.enumerated() {
            let payload = source.payload(of: header.position.index, offset)
            if payload.kind == EntryKind.membership.rawValue { changes.noteInLog(header.position.index) }
            entries.append(LogEntry(index: header.position.index, term: header.position.term, payload: payload))
        }
        // A lone voter has nobody to send to. If one comes later, it is given older entries from the log.
        if !isAlone { for entry in entries { cache.append(entry.payload, at: entry.index) } }
        effects.persist.append(
            PersistRequest(
                hardState: order.hardState, truncateFrom: order.truncateFrom, entries: entries,
                durableIsCommitted: order.durableIsCommitted, ticket: order.ticket,
                sendAfter: order.sendAfter.map { .raft($0, payloads: []) }))
    }

    private var isAlone: Bool {
        let configuration = core.configuration
        return configuration.learners.isEmpty && configuration.voters.count == 1 && configuration.voters[0] == core.id
    }

    /// An append leaves as far as it may; the core is told of what it may not.
    private mutating func send(_ message: Message, into effects: inout ReplicaEffects) {
        guard case .append(_, let entries, _) = message.body, let first = entries.first?.position.index else {
            return effects.send.append(.raft(message, payloads: []))
        }
        // What follows something that was not sent would only be refused.
        guard held[message.to] == nil else { return }
        guard !fetching.contains(message.to), underWay.hasRoom(for: message.to) else { return held[message.to] = first }
        guard let payloads = cache.payloads(from: first, count: entries.count) else {
            fetching.insert(message.to)
            held[message.to] = first
            return effects.fetch.append(message)
        }
        let count = underWay.fitting(payloads, to: message.to)
        if count < payloads.count { held[message.to] = Index(first.value + UInt64(count)) }
        if count > 0 { send(message, payloads[..<count], into: &effects) }
    }

    private mutating func send(_ message: Message, _ payloads: ArraySlice<EntryPayload>, into effects: inout ReplicaEffects) {
        for piece in AppendPieces.split(message, Array(payloads), bytesMax: settings.messageBytesMax) {
            underWay.sent(piece)
            effects.send.append(piece)
        }
    }

    /// Payloads that were read from the log for an append.
    mutating func take(_ message: Message, _ payloads: [EntryPayload]?, into effects: inout ReplicaEffects) {
        guard fetching.remove(message.to) != nil, core.role == .leader, message.term == core.term,
            case .append(let previous, let entries, _) = message.body
        else { return }
        guard let payloads, !payloads.isEmpty, payloads.count <= entries.count else {
            // As if they had been lost on the way: the next word of the peer begins a new search.
            step(.linkLost(message.to), into: &effects)
            return
        }
        send(message, payloads[...], into: &effects)
        step(.sent(message.to, behind: previous.index, upTo: Index(previous.index.value + UInt64(payloads.count))), into: &effects)
    }
}

extension PayloadSource {
    /// `offset`: which entry of the order it is.
    fileprivate func payload(of index: Index, _ offset: Int) -> EntryPayload {
        switch self {
        case .none: return .empty
        case .proposals(let payloads):
            precondition(offset < payloads.count, "replica: an order for the log has the step's proposals")
            return payloads[offset]
        case .message(let first, let payloads):
            precondition(index >= first && index.value - first.value < UInt64(payloads.count), "replica: an order for the log is of the message")
            return payloads[Int(index.value - first.value)]
        }
    }
}
