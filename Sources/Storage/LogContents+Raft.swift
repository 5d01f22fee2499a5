import Raft
import SQLite
import Wire

/// What a consensus core that starts wants to know of a stored log.
extension LogContents {
    /// Where each term begins, in order, behind the cut.
    ///
    /// Terms never fall, so the end of a run is found by looking at ever more distant entries and then halving: some forty looks at the
    /// primary key a term, whatever the number of entries.
    package func termRuns(upTo last: Index) throws(StorageError) -> [TermRun] {
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
        var runs: [TermRun] = []
        var first = cut.position.index.value + 1
        while first <= last.value {
            let current = try term(at: first)
            guard current >= runs.last?.term ?? cut.position.term else { throw damage(Index(first), "the term falls") }
            runs.append(TermRun(first: Index(first), term: current))
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

    /// All changes of the configuration that the log holds, in order. Those behind `applied`, on which somebody's vote may depend, with
    /// their chain checked; the tree vouches for those before.
    package func configurationChanges(applied: Index) throws(StorageError) -> [(Index, ConfigurationChange)] {
        var changes: [(Index, ConfigurationChange)] = []
        let rows = try storing { () throws(SQLiteError) in
            // By the index that knows membership entries only.
            try connection.prepare("SELECT \(LogContents.columns) FROM log WHERE kind = 2 AND \"index\" <= ? ORDER BY \"index\"")
        }
        try storing { () throws(SQLiteError) in try rows.bind(1, Int64(clamping: applied.value)) }
        defer { rows.reset() }
        while try storing({ () throws(SQLiteError) in try rows.step() }) {
            guard let entry = LogContents.entry(rows) else {
                throw damage(Index(UInt64(max(rows.integer(0), 0))), "a number is out of range")
            }
            if let change = entry.payload.configurationChange { changes.append((entry.index, change)) }
        }
        try visit(from: link(at: applied)) { (entry: LogEntry, _: UInt32) throws(StorageError) in
            if let change = entry.payload.configurationChange { changes.append((entry.index, change)) }
            return true
        }
        return changes
    }
}

extension LogStore {
    /// The log as the consensus core knows it: positions, no payloads.
    package func shape() throws(StorageError) -> LogShape {
        let runs = try LogContents(connection).termRuns(upTo: tail.position.index)
        return LogShape(cut: cut.position, runs: runs, last: tail.position.index)
    }

    /// All changes of the configuration in the log, in order; `applied` is where the tree is.
    package func configurationChanges(applied: Index) throws(StorageError) -> [(Index, ConfigurationChange)] {
        try LogContents(connection).configurationChanges(applied: max(applied, cut.position.index))
    }
}
