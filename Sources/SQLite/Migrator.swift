/// One numbered step of a schema.
package struct Migration: Sendable {
    package let number: Int
    package let title: String
    package let sql: String
    /// What the step does to rows that are there and SQL cannot compute; in its transaction, behind `sql`.
    package let completion: (@Sendable (Connection) throws(SQLiteError) -> Void)?

    package init(
        number: Int, title: String, sql: String, completion: (@Sendable (Connection) throws(SQLiteError) -> Void)? = nil
    ) {
        self.number = number
        self.title = title
        self.sql = sql
        self.completion = completion
    }
}

/// Brings a database to the newest schema, and refuses one that is newer than this program.
package enum Migrator {
    package enum Failure: Error, CustomStringConvertible {
        case sqlite(SQLiteError)
        /// The file was written by a newer version.
        case newer(file: String, found: Int, known: Int)

        package var description: String {
            switch self {
            case .sqlite(let error): return error.description
            case .newer(let file, let found, let known):
                return "\(file): its schema is number \(found), this version knows up to \(known); "
                    + "use the version that wrote it, or a newer one"
            }
        }
    }

    /// The number of the newest migration that was applied; 0 for an empty file.
    package static func version(of connection: Connection) throws(SQLiteError) -> Int {
        let exists = try connection.integer("SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = 'schema_migrations'") ?? 0
        guard exists > 0 else { return 0 }
        return Int(try connection.integer("SELECT max(number) FROM schema_migrations") ?? 0)
    }

    /// Throws when the file is newer than the last of `catalogue`. Returns the version found.
    @discardableResult
    package static func requireKnown(_ connection: Connection, _ catalogue: [Migration]) throws(Failure) -> Int {
        let found: Int
        do { found = try version(of: connection) } catch { throw .sqlite(error) }
        let known = catalogue.last?.number ?? 0
        guard found <= known else { throw .newer(file: connection.path, found: found, known: known) }
        return found
    }

    /// Applies what is missing, each step in a transaction that also records it. Returns the numbers applied.
    package static func migrate(_ connection: Connection, _ catalogue: [Migration]) throws(Failure) -> [Int] {
        let found = try requireKnown(connection, catalogue)
        var applied: [Int] = []
        do {
            for migration in catalogue where migration.number > found {
                try connection.transaction { () throws(SQLiteError) in
                    try connection.execute(
                        """
                        CREATE TABLE IF NOT EXISTS schema_migrations(
                            number INTEGER PRIMARY KEY, title TEXT NOT NULL, applied TEXT NOT NULL) STRICT
                        """)
                    try connection.execute(migration.sql)
                    try migration.completion?(connection)
                    let record = try connection.prepare("INSERT INTO schema_migrations VALUES (?, ?, datetime('now'))")
                    try record.bind(1, Int64(migration.number))
                    try record.bind(2, text: migration.title)
                    try record.run()
                }
                applied.append(migration.number)
            }
        } catch { throw .sqlite(error) }
        return applied
    }
}
