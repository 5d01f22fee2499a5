import Keyspace
import SQLite

/// Long values, each stored once: in the table `change_values`, by the index of the change that it came with.
///
/// Nodes are ordered by path, so a change lands anywhere among them and costs a page; the smaller their rows, the more changes share one. New
/// values stand one behind the other, in pages that are full. Node and events of a change name its value by the index.
///
/// A value is held by up to three rows, and goes with the last of them:
///
///     its node                until something else is set there, or the node goes
///     its event               until the history has moved past it
///     the event that ended it until the history has moved past that, which is later
///
/// So what is set or deleted is let go of when the event that did it goes. Only a node that goes with its directory has no such event: it
/// waits in `past_values` for its own.
///
/// The writing side, confined to the thread of its connection: used within the transaction of a layer, in the order of the methods.
struct ChangeValues {
    /// Number of the migration that adds the tables.
    static let schema = 8

    /// Longer ones stand beside. Short ones would take more room there, and listings one more look each.
    static let inlineMax = 128

    static func isLong(_ value: [UInt8]) -> Bool { value.count > inlineMax }

    private let insert: Statement
    private let delete: Statement
    private let indexAt: Statement
    private let below: Statement
    private let insertPast: Statement
    private let deletePrevious: Statement
    private let deletePast: Statement
    private let trimPast: Statement
    private let connection: Connection
    /// False: no value stands beside, and nobody needs to be asked.
    private var hasAny: Bool

    init(_ connection: Connection) throws(SQLiteError) {
        self.connection = connection
        insert = try connection.prepare("INSERT INTO change_values VALUES (?, ?) ON CONFLICT DO NOTHING")
        delete = try connection.prepare("DELETE FROM change_values WHERE \"index\" = ?")
        indexAt = try connection.prepare("SELECT value_index FROM nodes WHERE parent = ? AND name = ?")
        below = try connection.prepare(
            """
            SELECT value_index FROM nodes WHERE parent = ?1 AND value_index IS NOT NULL
            UNION ALL SELECT value_index FROM nodes WHERE parent >= ?2 AND parent < ?3 AND value_index IS NOT NULL
            """)
        insertPast = try connection.prepare("INSERT OR IGNORE INTO past_values VALUES (?)")
        deletePrevious = try connection.prepare(
            """
            DELETE FROM change_values WHERE "index" IN (
                SELECT previous_value_index FROM events WHERE "index" < ? AND previous_value_index IS NOT NULL)
            """)
        deletePast = try connection.prepare(
            "DELETE FROM change_values WHERE \"index\" IN (SELECT \"index\" FROM past_values WHERE \"index\" < ?)")
        trimPast = try connection.prepare("DELETE FROM past_values WHERE \"index\" < ?")
        hasAny = try connection.integer("SELECT 1 FROM change_values LIMIT 1") != nil
    }

    /// What the events of a layer that are stored will name as previous values.
    struct Held {
        /// Index of the oldest event that is kept when the layer is written.
        let oldestEvent: UInt64
        private var previous: Set<UInt64> = []

        init(_ events: [Event], oldestEvent: UInt64) {
            self.oldestEvent = oldestEvent
            for event in events where event.index >= oldestEvent {
                if let node = event.previous, isLong(node.value) { previous.insert(node.modified) }
            }
        }

        func hasPrevious(_ index: UInt64) -> Bool { previous.contains(index) }
    }

    /// Before the rows of all nodes below `path` are deleted.
    mutating func clear(_ path: TreePath, _ held: Held) throws(SQLiteError) {
        guard hasAny else { return }
        let (first, end) = TreeReader.parentsBelow(path)
        try below.bind(1, text: path.bytes)
        try below.bind(2, text: first)
        try below.bind(3, text: end)
        defer { below.reset() }
        while try below.step() {
            let index = UInt64(bitPattern: below.integer(0))
            if held.hasPrevious(index) { continue }
            if index >= held.oldestEvent { try notePast(index) } else { try remove(index) }
        }
    }

    /// Before the row of a node is written (nil: deleted). Returns what it gets as `value_index`; nil: its value itself.
    mutating func put(_ node: TreeNode?, parent: ArraySlice<UInt8>, name: ArraySlice<UInt8>, _ held: Held) throws(SQLiteError) -> Int64? {
        let new = node.flatMap { ChangeValues.isLong($0.value) ? $0.modified : nil }
        if let old = try index(parent: parent, name: name), old != new, !held.hasPrevious(old) { try remove(old) }
        guard let new, let node else { return nil }
        _ = try store(node.value, new)
        return Int64(bitPattern: new)
    }

    /// Before the row of an event is written, when the nodes of its layer are. Returns what it gets as `value_index` and
    /// `previous_value_index`; nil: the value itself.
    mutating func put(_ event: Event, _ held: Held) throws(SQLiteError) -> (value: Int64?, previous: Int64?) {
        var indexes: (value: Int64?, previous: Int64?) = (nil, nil)
        if ChangeValues.isLong(event.node.value) {
            // It was not there, so no node has it any more.
            if try store(event.node.value, event.index), !held.hasPrevious(event.index) { try notePast(event.index) }
            indexes.value = Int64(bitPattern: event.index)
        }
        if let previous = event.previous, ChangeValues.isLong(previous.value) {
            _ = try store(previous.value, previous.modified)
            indexes.previous = Int64(bitPattern: previous.modified)
        }
        return indexes
    }

    /// Before the rows of events up to `oldest` are deleted.
    func trim(before oldest: UInt64) throws(SQLiteError) {
        guard hasAny else { return }
        for statement in [deletePrevious, deletePast, trimPast] {
            try statement.bind(1, Int64(clamping: oldest))
            try statement.run()
        }
    }

    /// All events are deleted.
    static func keepNodes(_ connection: Connection) throws(SQLiteError) {
        try connection.execute(
            """
            DELETE FROM change_values WHERE "index" NOT IN (SELECT value_index FROM nodes WHERE value_index IS NOT NULL);
            DELETE FROM past_values
            """)
    }

    /// False when it is there already.
    private mutating func store(_ value: [UInt8], _ index: UInt64) throws(SQLiteError) -> Bool {
        hasAny = true
        try insert.bind(1, Int64(bitPattern: index))
        try insert.bind(2, text: value)
        try insert.run()
        return connection.changes > 0
    }

    private func index(parent: ArraySlice<UInt8>, name: ArraySlice<UInt8>) throws(SQLiteError) -> UInt64? {
        guard hasAny else { return nil }
        try indexAt.bind(1, text: parent)
        try indexAt.bind(2, text: name)
        defer { indexAt.reset() }
        return try indexAt.step() ? indexAt.optionalInteger(0).map { UInt64(bitPattern: $0) } : nil
    }

    private func remove(_ index: UInt64) throws(SQLiteError) {
        try delete.bind(1, Int64(bitPattern: index))
        try delete.run()
    }

    private func notePast(_ index: UInt64) throws(SQLiteError) {
        try insertPast.bind(1, Int64(bitPattern: index))
        try insertPast.run()
    }
}

// MARK: Reading

extension ChangeValues {
    /// SQL for a value that stands in `column`, or beside under the index in `column_index`; NULL when it should stand beside and does not.
    static func expression(_ column: String, schema: Int) -> String {
        schema < ChangeValues.schema
            ? column
            : """
            CASE WHEN \(column)_index IS NULL THEN \(column)
            ELSE (SELECT long.value FROM change_values AS long WHERE long."index" = \(column)_index) END
            """
    }

    static func missing(_ file: String) -> SQLiteError {
        SQLiteError(extendedCode: 11, message: "a value is missing", file: file, sql: "table change_values")
    }

    /// Why the rows are not those that nodes and events name; nil when they are.
    static func problem(_ reader: TreeReader) throws(StorageError) -> String? {
        guard reader.schema >= ChangeValues.schema else { return nil }
        let row = try reader.integers(
            """
            WITH named AS (
                SELECT value_index AS "index" FROM nodes WHERE value_index IS NOT NULL
                UNION SELECT value_index FROM events WHERE value_index IS NOT NULL
                UNION SELECT previous_value_index FROM events WHERE previous_value_index IS NOT NULL)
            SELECT (SELECT count(*) FROM named WHERE "index" NOT IN (SELECT "index" FROM change_values)),
                (SELECT count(*) FROM change_values WHERE "index" NOT IN (SELECT "index" FROM named)),
                (SELECT count(*) FROM past_values WHERE "index" NOT IN (SELECT "index" FROM events WHERE value_index IS NOT NULL)),
                (SELECT count(*) FROM nodes WHERE value_index IS NOT NULL AND (value <> '' OR value_index <> modified)),
                (SELECT count(*) FROM events WHERE value_index <> "index" OR previous_value_index <> previous_modified)
            """, columns: 5)
        guard row.count == 5 else { return "it cannot be counted" }
        if row[0] > 0 { return "\(row[0]) values are missing" }
        if row[1] > 0 { return "\(row[1]) values belong to nobody" }
        if row[2] > 0 { return "\(row[2]) rows of past_values belong to no event" }
        if row[3] > 0 { return "\(row[3]) nodes name a value that is not theirs, or have two" }
        return row[4] > 0 ? "\(row[4]) events name a value that is not theirs" : nil
    }
}
