import Access
import Keyspace
import Raft
import SQLite
import Wire

/// Reads `tree.db` as it was last committed. Confined to its thread; a server's reader never writes or checkpoints.
package final class TreeReader {
    let connection: Connection
    private let nodeAt: Statement
    private let childrenOf: Statement
    private let childNames: Statement
    private let dueAt: Statement
    private let nextDue: Statement
    private let dueNumber: Statement
    private let eventsFrom: Statement
    private let begin: Statement
    private let end: Statement
    private var isInTransaction = false
    /// Number of the file's last migration. A backup, or a directory that only a tool looks at, may be older than this program.
    let schema: Int
    /// What `node(_:_:)` reads.
    let nodeColumns: String

    package init(_ connection: Connection) throws(StorageError) {
        self.connection = connection
        let schema = try storing { () throws(SQLiteError) in try Migrator.version(of: connection) }
        let nodeColumns = "dir, \(ChangeValues.expression("value", schema: schema)), created, modified, expiration"
        (self.schema, self.nodeColumns) = (schema, nodeColumns)
        func prepare(_ sql: String) throws(StorageError) -> Statement {
            try storing { () throws(SQLiteError) in try connection.prepare(sql) }
        }
        nodeAt = try prepare("SELECT \(nodeColumns) FROM nodes WHERE parent = ? AND name = ?")
        childrenOf = try prepare("SELECT \(nodeColumns), name FROM nodes WHERE parent = ? ORDER BY name")
        childNames = try prepare("SELECT name FROM nodes WHERE parent = ?")
        dueAt = try prepare(
            "SELECT expiration, parent, name FROM nodes WHERE expiration BETWEEN ? AND ?")
        nextDue = try prepare("SELECT min(expiration) FROM nodes WHERE expiration >= ?")
        dueNumber = try prepare("SELECT expiration FROM nodes WHERE expiration >= ? ORDER BY expiration LIMIT 1 OFFSET ?")
        eventsFrom = try prepare(
            """
            SELECT "index", action, path, dir, \(ChangeValues.expression("value", schema: schema)), created, expiration,
                   previous_dir, \(ChangeValues.expression("previous_value", schema: schema)), previous_created,
                   previous_modified, previous_expiration, time, refresh
            FROM events WHERE "index" >= ? ORDER BY "index"
            """)
        begin = try prepare("BEGIN")
        end = try prepare("COMMIT")
    }

    package convenience init(path: String, as profile: ConnectionProfile) throws(StorageError) {
        let connection = try storing { () throws(SQLiteError) in try Connection(path, as: profile) }
        do { try Migrator.requireKnown(connection, Schema.tree) } catch { throw StorageError(error) }
        try self.init(connection)
    }

    package func close() { connection.close() }

    /// From here to `release` all reads see one moment, and each costs less: the file is locked once.
    package func hold() throws(StorageError) {
        guard !isInTransaction else { return }
        try storing { () throws(SQLiteError) in try begin.run() }
        isInTransaction = true
    }

    /// Lets go, so that the WAL can be reset.
    package func release() throws(StorageError) {
        guard isInTransaction else { return }
        try storing { () throws(SQLiteError) in try end.run() }
        isInTransaction = false
    }

    package func node(at path: TreePath) throws(StorageError) -> TreeNode? {
        guard let slash = path.bytes.lastIndex(of: UInt8(ascii: "/")) else { return nil }
        return try storing { () throws(SQLiteError) in
            try nodeAt.bind(1, text: path.bytes[..<slash])
            try nodeAt.bind(2, text: path.bytes[(slash + 1)...])
            guard try nodeAt.step() else { return nil }
            defer { nodeAt.reset() }
            return try node(nodeAt, 0)
        }
    }

    /// Ordered by name; nil when they are more than the budget.
    package func children(
        of path: TreePath, within budget: inout ListingBudget
    ) throws(StorageError) -> [(path: TreePath, node: TreeNode)]? {
        var children: [(path: TreePath, node: TreeNode)] = []
        var (left, isWithin) = (budget, true)
        try visitChildren(of: path) { child, node in
            isWithin = left.take(child, node)
            if isWithin { children.append((child, node)) }
            return isWithin
        }
        budget = left
        return isWithin ? children : nil
    }

    /// Ordered by name, until `body` returns false.
    func visitChildren(of path: TreePath, _ body: (TreePath, TreeNode) -> Bool) throws(StorageError) {
        try storing { () throws(SQLiteError) in
            try childrenOf.bind(1, text: path.bytes)
            defer { childrenOf.reset() }
            while try childrenOf.step() {
                guard body(path.child(childrenOf.bytes(5)), try node(childrenOf, 0)) else { return }
            }
        }
    }

    /// The stored node and all below it.
    func visitSubtree(_ path: TreePath, _ body: (TreePath, TreeNode) -> Void) throws(StorageError) {
        if let node = try node(at: path) { body(path, node) }
        try storing { () throws(SQLiteError) in
            let rows = try connection.prepare(
                """
                SELECT \(nodeColumns), parent, name FROM nodes WHERE parent = ?1
                UNION ALL SELECT \(nodeColumns), parent, name FROM nodes WHERE parent >= ?2 AND parent < ?3
                """)
            defer { rows.reset() }
            let (first, end) = TreeReader.parentsBelow(path)
            try rows.bind(1, text: path.bytes)
            try rows.bind(2, text: first)
            try rows.bind(3, text: end)
            while try rows.step() { body(TreePath(clean: rows.bytes(5)).child(rows.bytes(6)), try node(rows, 0)) }
        }
    }

    /// What begins with the path and a slash, from the first up to before the other: '0' follows '/'.
    static func parentsBelow(_ path: TreePath) -> (first: [UInt8], end: [UInt8]) {
        (path.bytes + [UInt8(ascii: "/")], path.bytes + [UInt8(ascii: "0")])
    }

    /// True when one of the direct children satisfies `isThere`, which is asked until it does.
    func hasChild(of path: TreePath, _ isThere: (TreePath) throws(StorageError) -> Bool) throws(StorageError) -> Bool {
        try storing { () throws(SQLiteError) in try childNames.bind(1, text: path.bytes) }
        defer { childNames.reset() }
        while try storing({ () throws(SQLiteError) in try childNames.step() }) {
            if try isThere(path.child(childNames.bytes(0))) { return true }
        }
        return false
    }

    /// In no order.
    func due(from start: Int64, to end: Int64) throws(StorageError) -> [(path: TreePath, expiration: Int64)] {
        try storing { () throws(SQLiteError) in
            try dueAt.bind(1, start)
            try dueAt.bind(2, end)
            var due: [(path: TreePath, expiration: Int64)] = []
            while try dueAt.step() {
                due.append((TreePath(clean: dueAt.bytes(1)).child(dueAt.bytes(2)), dueAt.integer(0)))
            }
            return due
        }
    }

    package func earliestExpiration(from start: Int64 = .min) throws(StorageError) -> Int64? {
        try storing { () throws(SQLiteError) in
            try nextDue.bind(1, start)
            defer { nextDue.reset() }
            return try nextDue.step() ? nextDue.optionalInteger(0) : nil
        }
    }

    /// Of the node that is the `number`th to expire from `start` on, from 1; nil when there are fewer.
    func expiration(number: Int, from start: Int64) throws(StorageError) -> Int64? {
        try storing { () throws(SQLiteError) in
            try dueNumber.bind(1, start)
            try dueNumber.bind(2, Int64(number - 1))
            defer { dueNumber.reset() }
            return try dueNumber.step() ? dueNumber.integer(0) : nil
        }
    }

    /// Visits stored events from `index` on, in order, until `body` returns false.
    package func events(from index: UInt64, _ body: (Event) -> Bool) throws(StorageError) {
        try storing { () throws(SQLiteError) in
            try eventsFrom.bind(1, Int64(clamping: index))
            defer { eventsFrom.reset() }
            while try eventsFrom.step() {
                // `event` would take them for empty ones.
                if eventsFrom.isNull(4) || !eventsFrom.isNull(7) && eventsFrom.isNull(8) { throw ChangeValues.missing(connection.path) }
                guard let event = TreeReader.event(eventsFrom) else {
                    throw SQLiteError(
                        extendedCode: 11, message: "unknown action in event \(eventsFrom.integer(0))", file: connection.path,
                        sql: "table events")
                }
                if !body(event) { return }
            }
        }
    }

    /// What each event takes (`Event.historyBytes`), from the newest on, until `body` returns false.
    func eventSizes(_ body: (Int) -> Bool) throws(StorageError) {
        try storing { () throws(SQLiteError) in
            let rows = try connection.prepare(
                """
                SELECT length(CAST(path AS BLOB)) + ifnull(length(CAST(\(ChangeValues.expression("value", schema: schema)) AS BLOB)), 0)
                    + ifnull(length(CAST(\(ChangeValues.expression("previous_value", schema: schema)) AS BLOB)), 0)
                FROM events ORDER BY "index" DESC
                """)
            defer { rows.reset() }
            while try rows.step() { if !body(Int(clamping: rows.integer(0)) + Event.historyBytesBesides) { return } }
        }
    }

    /// Index of the oldest stored event; nil when there is none.
    package func oldestEvent() throws(StorageError) -> UInt64? {
        try storing { () throws(SQLiteError) in
            try connection.integer("SELECT min(\"index\") FROM events").map { UInt64(clamping: $0) }
        }
    }

    /// Visits every node, ordered by parent and name, until `body` returns false.
    package func allNodes(_ body: (TreePath, TreeNode) throws(StorageError) -> Bool) throws(StorageError) {
        let rows = try storing { () throws(SQLiteError) in
            try connection.prepare("SELECT \(nodeColumns), parent, name FROM nodes ORDER BY parent, name")
        }
        defer { rows.reset() }
        while try storing({ () throws(SQLiteError) in try rows.step() }) {
            let path = TreePath(clean: rows.bytes(5)).child(rows.bytes(6))
            let node = try storing { () throws(SQLiteError) -> TreeNode in try self.node(rows, 0) }
            guard try body(path, node) else { return }
        }
    }

    /// The first and the last index in `events`, zeros when there is none: two steps down a tree, however many there are.
    static let endsOfEventsSQL =
        #"SELECT ifnull((SELECT min("index") FROM events), 0), ifnull((SELECT max("index") FROM events), 0)"#

    /// Throws when the row, the members and the ends of the events are not of one moment.
    package func state() throws(StorageError) -> TreeState {
        let row = try storing { () throws(SQLiteError) in
            let checksum = schema < TreeReader.checksumSchema ? "NULL" : "checksum"
            return try connection.prepare(
                """
                SELECT applied_index, applied_term, applied_time, keys_index, state_hash, cluster_version, \(checksum),
                    ends.* FROM state, (\(TreeReader.endsOfEventsSQL)) AS ends
                """)
        }
        guard try storing({ () throws(SQLiteError) in try row.step() }), row.integer(0) >= 0, row.integer(1) >= 0,
            row.integer(3) >= 0, let hash = StateHash(hex: row.text(4))
        else {
            throw .damaged(file: connection.path, place: "table state", reason: "it is empty, or a value is out of range")
        }
        // Not before the members are read: until then all that is read is of one moment, whoever writes.
        defer { row.reset() }
        let state = TreeState(
            applied: LogPosition(index: Index(UInt64(row.integer(0))), term: Term(UInt64(row.integer(1)))),
            time: row.integer(2), keysIndex: UInt64(row.integer(3)), hash: hash, clusterVersion: row.text(5))
        guard let stored = row.optionalInteger(6) else { return state }
        let found = StateChecksum(try members(), try access()).value(state, events: (row.integer(7), row.integer(8)))
        guard stored == Int64(found) else {
            throw .damaged(
                file: connection.path, place: "table state, checksum",
                reason: "it says \(stored), the tables state, members and events come to \(found), so they are of different moments; "
                    + StorageError.waysOutOfDamage)
        }
        return state
    }

    /// Number of the migration that adds `state.checksum`.
    static let checksumSchema = 4

    /// Ordered by id.
    package func members() throws(StorageError) -> [Member] {
        let rows = try storing { () throws(SQLiteError) in
            try connection.prepare("SELECT id, name, peer_urls, client_urls, learner, removed FROM members")
        }
        defer { rows.reset() }
        var members: [Member] = []
        while try storing({ () throws(SQLiteError) in try rows.step() }) {
            guard let id = MemberID(hex: rows.text(0)) else {
                throw .damaged(file: connection.path, place: "table members", reason: "id \(rows.text(0)) is not hexadecimal")
            }
            members.append(
                Member(
                    id: id, name: rows.text(1), peerURLs: rows.text(2).split(separator: ",").map(String.init),
                    clientURLs: rows.text(3).split(separator: ",").map(String.init), isLearner: rows.integer(4) != 0,
                    isRemoved: rows.integer(5) != 0))
        }
        return members.sorted { $0.id < $1.id }
    }

    /// Users, roles, and whether they count.
    package func access() throws(StorageError) -> AccessState {
        try storing { () throws(SQLiteError) in
            guard schema >= AccessTables.schema else { return AccessState() }
            return try AccessTables.read(from: connection)
        }
    }

    /// Who votes and who only follows, as of the applied position.
    package func configuration() throws(StorageError) -> Configuration { MembershipRules.configuration(of: try members()) }

    /// The first row of a query as numbers; empty when there is no row.
    func integers(_ sql: String, columns: Int32) throws(StorageError) -> [Int64] {
        try storing { () throws(SQLiteError) in
            let row = try connection.prepare(sql)
            defer { row.reset() }
            return try row.step() ? (0..<columns).map { row.integer($0) } : []
        }
    }

    /// Of `nodeColumns`, which begin at column `first`.
    func node(_ row: Statement, _ first: Int32) throws(SQLiteError) -> TreeNode {
        if row.isNull(first + 1) {
            throw ChangeValues.missing(connection.path)
        }
        return TreeNode(
            isDirectory: row.integer(first) != 0, value: row.bytes(first + 1),
            created: UInt64(bitPattern: row.integer(first + 2)), modified: UInt64(bitPattern: row.integer(first + 3)),
            expiration: row.optionalInteger(first + 4))
    }

    private static func event(_ row: Statement) -> Event? {
        guard let raw = UInt8(exactly: row.integer(1)), let action = Event.Action(rawValue: raw) else { return nil }
        let index = UInt64(bitPattern: row.integer(0))
        let node = TreeNode(
            isDirectory: row.integer(3) != 0, value: row.bytes(4), created: UInt64(bitPattern: row.integer(5)),
            modified: index, expiration: row.optionalInteger(6))
        let previous =
            row.isNull(7)
            ? nil
            : TreeNode(
                isDirectory: row.integer(7) != 0, value: row.bytes(8), created: UInt64(bitPattern: row.integer(9)),
                modified: UInt64(bitPattern: row.integer(10)), expiration: row.optionalInteger(11))
        return Event(
            action, index: index, path: TreePath(clean: row.bytes(2)), node: node, previous: previous,
            time: row.integer(12), isRefresh: row.integer(13) != 0)
    }
}
