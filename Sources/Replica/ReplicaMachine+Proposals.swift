import Raft
import Wire

/// The way of a payload into the log: of this member's clients or forwarded, here or by way of another leader.
extension ReplicaMachine {
    // MARK: Of this member's clients

    mutating func propose(_ payloads: [EntryPayload], into effects: inout ReplicaEffects) {
        guard !payloads.isEmpty else { return }
        // The usual way of a leader: straight into the log.
        if core.role == .leader, forwards.waiting.isEmpty, !payloads.contains(where: \.isMembership),
            append(payloads, isOwn: true, into: &effects)
        {
            return
        }
        guard forwards.hasRoom else {
            effects.refused += payloads.map(\.request)
            return
        }
        forwards.wait(payloads)
    }

    /// Puts them into the log, if the core takes them, and not too much in it waits to be committed: while too few members have it on disk
    /// (because theirs are full, or very slow), it is kept in memory, and so more has to wait with whoever wants it.
    private mutating func append(_ payloads: [EntryPayload], isOwn: Bool, into effects: inout ReplicaEffects) -> Bool {
        guard cache.bytes < settings.cacheBytesMax + settings.uncommittedBytesMax else { return false }
        let changes = [ConfigurationChange?](repeating: nil, count: payloads.count)
        guard let first = step(.proposed(changes), .proposals(payloads), into: &effects) else { return false }
        if isOwn { forwards.place(payloads, at: first, term: core.term) }
        return true
    }

    mutating func proposeWhatWaits(into effects: inout ReplicaEffects) {
        if core.role == .leader {
            proposeWaiting(into: &effects)
            proposeChanges(into: &effects)
        } else if core.leader != .none {
            effects.send += forwards.forwardAgain(from: core.id, to: core.leader, term: core.term, at: now)
            if !forwards.waiting.isEmpty {
                effects.send += forwards.forward(from: core.id, to: core.leader, term: core.term, at: now)
            }
        }
    }

    private mutating func proposeWaiting(into effects: inout ReplicaEffects) {
        while !forwards.waiting.isEmpty, core.role == .leader {
            let payloads = forwards.takeWaiting()
            guard let first = payloads.first else { continue }
            if first.isMembership {
                take(first, isOwn: true)
            } else if !append(payloads, isOwn: true, into: &effects) {
                // Leadership is being handed over: they wait for whoever has it then.
                return forwards.giveBack(payloads)
            }
        }
    }

    // MARK: Changes of the membership

    private mutating func take(_ payload: EntryPayload, isOwn: Bool) {
        changes.add(changes.isFull ? MembershipCodec.voided(payload) : payload, isOwn: isOwn)
    }

    private mutating func proposeChanges(into effects: inout ReplicaEffects) {
        while core.role == .leader, let next = changes.next(applied: applied.index) {
            let change = MembershipCodec.decode(next.payload)
            let isRefused = change.map {
                MembershipRules.refusal(of: $0, in: members) != nil || MembershipRules.refusalOfSpelling($0, in: members) != nil
            }
            let payload = isRefused ?? true ? MembershipCodec.voided(next.payload) : next.payload
            // Before an entry of its own term is committed the core refuses, and while another change or a transfer is under way.
            guard let first = step(.proposed([payload.configurationChange]), .proposals([payload]), into: &effects) else { return }
            changes.removeFirst()
            if next.isOwn { forwards.place([next.payload], at: first, term: core.term) }
        }
    }

    /// What was not put into the log by this leader is for the next one.
    mutating func stopLeading() {
        openingEntry = nil
        underWay.removeAll()
        fetching.removeAll()
        let own = changes.removeAll()
        if !own.isEmpty { forwards.giveBack(own) }
    }

    // MARK: From and to other members

    mutating func receive(_ message: PeerMessage, into effects: inout ReplicaEffects) {
        switch message {
        case .raft(let message, let payloads): receive(message, payloads, into: &effects)
        case .forward(let from, let to, let term, let number, let payloads):
            guard to == core.id else { return }
            take(payloads, number, from: from, term: term, into: &effects)
        case .forwarded(let from, let to, let term, let number):
            guard to == core.id, from == core.leader, term == core.term else { return }
            forwards.acknowledge(term: term, number: number, at: now)
        // Between hosts.
        case .tell, .outcome: break
        }
    }

    private mutating func receive(_ message: Message, _ payloads: [EntryPayload], into effects: inout ReplicaEffects) {
        guard case .append(let previous, let entries, let commit) = message.body else {
            switch message.body {
            case .appendAccepted(let matched): underWay.acknowledged(upTo: matched, by: message.from)
            case .snapshotInstalled(let position): underWay.acknowledged(upTo: position.index, by: message.from)
            case .appendRefused: underWay.lost(message.from)
            default: break
            }
            step(.received(message), into: &effects)
            return
        }
        guard payloads.count == entries.count, previous.index.value < UInt64.max - UInt64(entries.count) else { return }
        var own = message
        // What an entry is to Raft is told by its payload, which is what will be applied.
        if payloads.contains(where: \.isMembership) || entries.contains(where: { $0.change != nil }) {
            let headers = zip(entries, payloads).map { EntryHeader(position: $0.position, change: $1.configurationChange) }
            own.body = .append(previous: previous, entries: headers, commit: commit)
        }
        step(.received(own), .message(first: previous.index.next, payloads), into: &effects)
    }

    /// Proposals of another member's clients, for this one as the leader.
    private mutating func take(
        _ payloads: [EntryPayload], _ number: UInt64, from: MemberID, term: Term, into effects: inout ReplicaEffects
    ) {
        guard core.role == .leader, term == core.term, core.configuration.contains(from) else { return }
        var taken = number
        switch inbox.look(number, from: from, term: term) {
        case .gap: return
        case .repetition(let last): taken = last
        case .next:
            let readable = payloads.filter(\.isReadable)
            let plain = readable.filter { !$0.isMembership }
            // Not acknowledged, it comes again, here or to the next leader.
            if !plain.isEmpty, !append(plain, isOwn: false, into: &effects) { return }
            for payload in readable where payload.isMembership { take(payload, isOwn: false) }
            inbox.take(number, from: from)
        }
        effects.send.append(.forwarded(from: core.id, to: from, term: term, number: taken))
    }
}

extension EntryPayload {
    fileprivate var isMembership: Bool { kind == EntryKind.membership.rawValue }

    /// What this version cannot apply must not get into the log by way of another member: it would stop every member that comes to it,
    /// now and at each start. Nor must a key that this version's own clients could not make.
    fileprivate var isReadable: Bool {
        switch EntryKind(rawValue: kind) {
        case .empty: true
        case .keys: CommandCodec.isProposable(self)
        case .membership: MembershipCodec.decode(self) != nil
        case .access: AccessCodec.decode(self) != nil
        case nil: false
        }
    }
}
