import Raft
import Wire

/// What the replica is told.
package enum ReplicaEvent: Sendable {
    /// The process has started; everything that the disk holds is known.
    case started
    /// Payloads that want into the log, in order.
    case proposed([EntryPayload])
    /// A persist request is done, in the order in which they were given out.
    case persisted(PersistTicket)
    /// The tree holds everything up to here even if the machine dies.
    case treeDurable(Index)
    /// Entries were written since the last one of these, with their size in bytes.
    case logGrew(bytes: Int)
}

/// What a finished persist request has made durable.
package struct PersistTicket: Sendable {
    package var term: Term
    package var upTo: Index

    package init(term: Term, upTo: Index) {
        self.term = term
        self.upTo = upTo
    }
}

/// Something for the log thread: one transaction, or part of one with its neighbours.
package struct PersistRequest: Sendable {
    package var hardState: HardState?
    package var entries: [LogEntry]
    /// Once durable, everything up to the last entry is committed, and may be handed on to be applied at once.
    package var durableIsCommitted: Bool
    package var ticket: PersistTicket

    package init(hardState: HardState?, entries: [LogEntry], durableIsCommitted: Bool, ticket: PersistTicket) {
        self.hardState = hardState
        self.entries = entries
        self.durableIsCommitted = durableIsCommitted
        self.ticket = ticket
    }
}

/// What must happen because of the events. The caller empties and reuses it.
package struct ReplicaEffects: Sendable {
    package var persist: [PersistRequest] = []
    /// Requests that were refused because this member does not lead.
    package var refused: [UInt64] = []
    package var becameLeader: Term?
    /// Delete the log up to here.
    package var cutLog: Index?
    /// Checkpoint the tree, so that the log can be cut.
    package var makeTreeDurable = false

    package init() {}
}

/// One member's brain around the protocol: which payload got which place, and when the log is cut. Synchronous and
/// deterministic; it orders writes and never makes one.
package struct ReplicaMachine: Sendable {
    package private(set) var core: RaftCore
    package private(set) var policy: LogPolicy
    private var output = RaftCore.Output()

    package init(core: RaftCore, policy: LogPolicy) {
        self.core = core
        self.policy = policy
    }

    package mutating func handle(_ event: ReplicaEvent, into effects: inout ReplicaEffects) {
        output = RaftCore.Output()
        var payloads: [EntryPayload] = []
        switch event {
        case .started: core.step(.campaign, into: &output)
        case .proposed(let proposed):
            payloads = proposed
            core.step(.proposed(count: proposed.count), into: &output)
        case .persisted(let ticket): core.step(.persisted(term: ticket.term, upTo: ticket.upTo), into: &output)
        case .treeDurable(let index): policy.treeIsDurable(upTo: index)
        case .logGrew(let bytes): policy.grew(bytes: bytes)
        }
        carryOut(payloads, into: &effects)
        if let target = policy.cut(committed: core.committed) { effects.cutLog = target }
        if policy.wantsDurableTree(committed: core.committed) { effects.makeTreeDurable = true }
    }

    private mutating func carryOut(_ payloads: [EntryPayload], into effects: inout ReplicaEffects) {
        if output.refused > 0 { effects.refused += payloads.map(\.request) }
        if output.becameLeader { effects.becameLeader = core.term }
        var entries: [LogEntry] = []
        if let position = output.emptyEntry {
            entries.append(LogEntry(index: position.index, term: position.term, payload: .empty))
        }
        if let range = output.appended {
            entries.reserveCapacity(payloads.count)
            var index = range.lowerBound
            for payload in payloads {
                entries.append(LogEntry(index: index, term: core.term, payload: payload))
                index = index.next
            }
        }
        guard output.hardState != nil || !entries.isEmpty else { return }
        effects.persist.append(
            PersistRequest(
                hardState: output.hardState, entries: entries, durableIsCommitted: output.durableIsCommitted,
                ticket: PersistTicket(term: core.term, upTo: entries.last?.index ?? core.durable)))
    }
}
