/// From `first` on, entries are of `term`, up to the next run or the end of the log.
package struct TermRun: Hashable, Sendable {
    package var first: Index
    package var term: Term

    package init(first: Index, term: Term) {
        self.first = first
        self.term = term
    }
}

/// The term of every entry of a log, kept as runs: terms only grow along a log, so there are as many runs as there were leaders
/// since the cut.
package struct LogShape: Hashable, Sendable {
    /// The last entry that is no longer in the log, or `.origin`; its term is still known.
    package private(set) var cut: LogPosition
    /// Invariant: the first run begins behind the cut; first indexes and terms grow; none is empty.
    package private(set) var runs: [TermRun]
    package private(set) var last: LogPosition

    /// An empty log behind `cut`.
    package init(cut: LogPosition = .origin) {
        self.cut = cut
        self.runs = []
        self.last = cut
    }

    /// - Precondition: the runs are as the invariant says, and reach no further than `last`.
    package init(cut: LogPosition, runs: [TermRun], last: Index) {
        self.init(cut: cut)
        for (place, run) in runs.enumerated() {
            precondition(run.first == self.last.index.next, "raft: runs of a log follow each other")
            let end = place + 1 < runs.count ? runs[place + 1].first.previous : last
            precondition(end >= run.first, "raft: a run of a log is not empty")
            append(count: end.value - run.first.value + 1, term: run.term)
        }
        precondition(self.last.index == last, "raft: runs of a log reach its end")
    }

    /// - Precondition: `term` is not below that of the last entry.
    package mutating func append(count: UInt64, term: Term) {
        guard count > 0 else { return }
        precondition(term >= last.term, "raft: terms do not fall along a log")
        if runs.isEmpty || term > last.term { runs.append(TermRun(first: last.index.next, term: term)) }
        last = LogPosition(index: Index(last.index.value + count), term: term)
    }

    /// Removes everything from `index` on.
    /// - Precondition: it lies behind the cut.
    package mutating func truncate(from index: Index) {
        precondition(index > cut.index, "raft: what is cut cannot be truncated")
        guard index <= last.index else { return }
        while let run = runs.last, run.first >= index { runs.removeLast() }
        last = LogPosition(index: index.previous, term: runs.last?.term ?? cut.term)
    }

    /// Forgets everything up to `index`; at most the whole log.
    package mutating func cut(to index: Index) {
        guard index > cut.index, let term = term(at: index) else { return }
        let keep = place(of: index.next) ?? runs.count
        cut = LogPosition(index: index, term: term)
        runs.removeFirst(keep)
        if runs.isEmpty { last = cut } else { runs[0].first = max(runs[0].first, index.next) }
    }

    /// Nil before the cut and behind the end.
    package func term(at index: Index) -> Term? {
        if index == cut.index { return cut.term }
        guard let place = place(of: index) else { return nil }
        return runs[place].term
    }

    package func holds(_ position: LogPosition) -> Bool { term(at: position.index) == position.term }

    /// The last position not above `index` whose term is not above `term`; the cut, if all are (fast back-off, thesis §3.5).
    package func lastPosition(upTo index: Index, termAtMost term: Term) -> LogPosition {
        let end = min(index, last.index)
        guard var place = place(of: end) else { return cut }
        guard runs[place].term > term else { return LogPosition(index: end, term: runs[place].term) }
        while place > 0, runs[place - 1].term > term { place -= 1 }
        return LogPosition(index: runs[place].first.previous, term: place > 0 ? runs[place - 1].term : cut.term)
    }

    /// Calls `body` for the `count` positions from `first` on, which are all in the log.
    func forEach(from first: Index, count: Int, _ body: (LogPosition) -> Void) {
        guard var place = place(of: first) else { return }
        for offset in 0..<UInt64(count) {
            let index = Index(first.value + offset)
            if place + 1 < runs.count, runs[place + 1].first <= index { place += 1 }
            body(LogPosition(index: index, term: runs[place].term))
        }
    }

    /// Which run holds `index`. The newest is asked most.
    private func place(of index: Index) -> Int? {
        guard index > cut.index, index <= last.index else { return nil }
        var low = 0
        var high = runs.count - 1
        if runs[high].first <= index { return high }
        while low + 1 < high {
            let middle = (low + high) / 2
            if runs[middle].first <= index { low = middle } else { high = middle }
        }
        return low
    }
}
