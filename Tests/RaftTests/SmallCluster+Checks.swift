import Raft

/// The properties of thesis figure 3.2.
extension SmallCluster {
    /// Election safety and leader completeness: one leader a term, and it has everything that was committed in an earlier one.
    /// (One of an older term may still be elected, and commits nothing.)
    func checkLeader(_ id: MemberID, _ term: Term) {
        if let other = leaders[term], other != id { violate("\(id) and \(other) both lead in term \(term)") }
        leaders[term] = id
        guard checksSafety, let core = self[id].core else { return }
        for (entry, committed) in zip(history, committedIn)
        where committed < term && entry.position.index > core.log.cut.index && !core.log.holds(entry.position) {
            return violate("\(id) leads in \(term) without the committed entry \(entry.position.index)")
        }
    }

    /// State machine safety: what is applied at an index is the same everywhere.
    func checkCommitted(upTo index: Index, _ place: Int) {
        guard checksSafety else { return }
        let member = members[place]
        var next = member.applied.next
        while next <= index {
            guard let entry = member.disk.entry(next) else {
                if next > member.disk.cut.index { violate("\(member.id) commits \(next), which is not on its disk") }
                next = next.next
                continue
            }
            let offset = Int(next.value) - 1
            if offset < history.count {
                if history[offset] != entry { violate("\(member.id) applies \(entry), others \(history[offset])") }
            } else if offset == history.count {
                history.append(entry)
                committedIn.append(member.core?.term ?? entry.position.term)
            } else {
                violate("\(member.id) commits \(next) though \(history.count) was the last")
            }
            next = next.next
        }
    }

    /// Log matching: where two logs have an entry of the same index and term, they are equal up to it.
    func checkLogs() {
        for (place, left) in members.enumerated() {
            for right in members[(place + 1)...] {
                let start = max(left.disk.cut.index, right.disk.cut.index)
                var index = min(left.disk.last.index, right.disk.last.index)
                var mustBeEqual = false
                while index > start {
                    if let mine = left.disk.entry(index), let theirs = right.disk.entry(index) {
                        if mine.position == theirs.position { mustBeEqual = true }
                        if mustBeEqual, mine != theirs { return violate("logs of \(left.id), \(right.id) differ at \(index)") }
                    }
                    index = index.previous
                }
            }
            guard let core = left.core, left.writes.isEmpty, left.written.isEmpty else { continue }
            if left.disk.shape != core.log { violate("\(left.id)'s disk has \(left.disk.shape), its core \(core.log)") }
        }
    }

    /// After faults: everybody who should be up is, and nothing is lost or slow.
    func heal() {
        faults = Faults()
        cutLinks.removeAll()
        for member in members {
            members[place(member.id)].pausedUntil = 0
            members[place(member.id)].isFull = false
            start(member.id)
        }
    }

    /// Proposes until something is committed, and waits until every member of the configuration has it.
    func checkLiveness(within milliseconds: UInt64) {
        let end = now + milliseconds
        let before = history.count
        while now < end {
            if let leader { give(.proposed([nil]), to: leader) }
            run(milliseconds: 250)
            guard let leader, let core = self[leader].core, history.count > before, openReads.isEmpty else { continue }
            let configuration = core.configuration
            let everybody = (configuration.voters + configuration.learners).map { self[$0] }.filter { !$0.isStopped }
            if everybody.allSatisfy({ Int($0.applied.value) >= history.count - 1 }) { return }
        }
        let state = members.map { member in
            let core = member.core
            return "\(member.id): \(core.map { "\($0.role) \($0.term) \($0.committed)/\($0.last.index)" } ?? "down")"
        }
        violate("no progress: \(history.count) committed, \(before) before; \(openReads.count) reads; \(state)")
    }
}
