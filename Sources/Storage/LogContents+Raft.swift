import Raft
import SQLite
import Wire

/// What a consensus core that starts wants to know of a stored log.
extension LogContents {
    /// Where each term begins, in order, behind the cut.
    ///
    /// Terms never fall, so the end of a run is found by looking at ever more distant entries and then halving: some forty looks at the
    /// primary key a term, whatever the number of entries.
    package func termRuns(upTo last: Index) throws(StorageError) -> [(first: Index, term: Term)] {
        let lookUp = try storing { () throws(SQLiteError) in try connection.prepare("SELECT term FROM log WHERE \"index\" = ?") }
        func term(at index: UInt64) throws(StorageError) -> Term {
            let found: Int64? = try storing { () throws(SQLiteError) in
                try lookUp.bind(1, Int64(clamping: index))
                defer { lookUp.reset() }
                return try lookUp.step() ? lookUp.integer(0) : nil
            }
            guard let found, found >= 0 else { throw damage(Index(index), "the entry is missing") }
            return Term(UInt64(found))
        }
        var runs: [(first: Index, term: Term)] = []
        var first = cut.position.index.value + 1
        while first <= last.value {
            let current = try term(at: first)
            guard current >= runs.last?.term ?? cut.position.term else { throw damage(Index(first), "the term falls") }
            runs.append((Index(first), current))
            // Invariant: `inside` is of the run; `outside` is not, or lies behind the end.
            var inside = first
            var step: UInt64 = 1
            while inside + step <= last.value, try term(at: inside + step) == current {
                inside += step
                step *= 2
            }
            var outside = min(inside + step, last.value + 1)
            while outside - inside > 1 {
                let middle = inside + (outside - inside) / 2
                if try term(at: middle) == current { inside = middle } else { outside = middle }
            }
            first = outside
        }
        return runs
    }

    /// Changes of the configuration behind `index`, which the tree does not hold yet; in order. The chain is checked on the way, as
    /// somebody's vote may depend on them.
    package func configurationChanges(
        after index: Index
    ) throws(StorageError) -> [(index: Index, change: ConfigurationChange)] {
        var changes: [(index: Index, change: ConfigurationChange)] = []
        try visit(from: link(at: index)) { (entry: LogEntry, _: UInt32) throws(StorageError) in
            if let change = entry.payload.configurationChange { changes.append((entry.index, change)) }
            return true
        }
        return changes
    }
}

extension LogStore {
    package func termRuns() throws(StorageError) -> [(first: Index, term: Term)] {
        try LogContents(connection).termRuns(upTo: tail.position.index)
    }

    package func configurationChanges(after index: Index) throws(StorageError) -> [(index: Index, change: ConfigurationChange)] {
        try LogContents(connection).configurationChanges(after: index)
    }
}
