import Raft
import Wire

/// Proposals that this member has put into its log itself, as the leader of a term, and not applied yet. Each has a place, and its fate is what
/// is committed there.
///
/// ```
///   place applied, with this entry            done
///   place applied, with an entry of others    lost: another leader has overwritten it
///   an entry of a later term is applied,      lost: all that an older term will ever commit lies before the first
///   and it lies before the place                    committed entry of a newer one (leader completeness, thesis §3.4)
/// ```
struct PlacedProposals: Sendable {
    /// Those that got their places together.
    fileprivate struct Run: Sendable {
        var first: Index
        var term: Term
        var payloads: [EntryPayload]

        var last: Index { Index(first.value + UInt64(payloads.count) - 1) }
    }

    private var runs = Queue<Run>()

    var isEmpty: Bool { runs.isEmpty }

    mutating func add(_ payloads: [EntryPayload], at first: Index, term: Term) {
        if !payloads.isEmpty { runs.append(Run(first: first, term: term, payloads: payloads)) }
    }

    /// Everything up to `position` is applied; `termAt` is of the log. Returns those that are lost.
    mutating func applied(_ position: LogPosition, _ termAt: (Index) -> Term?) -> [EntryPayload] {
        var lost: [EntryPayload] = []
        while let run = runs.first {
            if run.first <= position.index { lost += run.lost(upTo: min(run.last, position.index), termAt) }
            let rest = run.behind(position.index)
            if !rest.isEmpty, run.term >= position.term {
                if run.first <= position.index { runs[0] = Run(first: position.index.next, term: run.term, payloads: rest) }
                break
            }
            // None are left, or they will never be committed.
            lost += rest
            runs.removeFirst()
        }
        return lost
    }

    mutating func removeAll() { runs.removeAll() }
}

extension PlacedProposals.Run {
    /// Those up to `end` whose places were taken by others.
    fileprivate func lost(upTo end: Index, _ termAt: (Index) -> Term?) -> [EntryPayload] {
        // Two logs that agree on an entry agree on all before.
        if termAt(end) == term { return [] }
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
}
