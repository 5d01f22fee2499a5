import SQLite

/// One SQLite file with the tables of `tree.db` and one more, the manifest, that says what the file is.
enum ManifestedTree {
    /// Opens it if its schema is ours and SQLite finds it sound. Nothing of it has run or been believed before.
    ///
    /// - Parameters:
    ///   - sql: what made the table `manifest`, to the letter.
    ///   - abandonment: ends early whatever is done with the connection.
    /// - Returns: nil if it has no such table, or another one.
    static func open(
        _ path: String, manifest: String, madeBy sql: String, _ abandonment: Abandonment = Abandonment()
    ) throws(StorageError) -> Connection? {
        let connection = try storing { () throws(SQLiteError) in try Connection(path, as: .immutable) }
        connection.interrupt { abandonment.isAbandoned }
        do throws(StorageError) {
            // The schema comes first: a strange one must not get to run.
            let found = try storing { () throws(SQLiteError) in
                try connection.text("SELECT sql FROM sqlite_schema WHERE type = 'table' AND name = '\(manifest)'")
            }
            guard found == sql else {
                connection.close()
                return nil
            }
            let difference = try Schema.compare(connection, Schema.tree, allowing: ["table \(manifest)"])
            if let wrong = (difference.wrong + difference.extra).first {
                throw .damaged(file: path, place: "the schema, \(wrong)", reason: "it is missing, was changed or is not ours")
            }
            try storing { () throws(SQLiteError) in
                let result = try connection.text("PRAGMA integrity_check(1)") ?? ""
                guard result == "ok" else {
                    throw SQLiteError(extendedCode: 11, message: result, file: path, sql: "PRAGMA integrity_check")
                }
            }
            return connection
        } catch {
            connection.close()
            throw error
        }
    }

    /// What was found in a file, to be held against what its manifest says.
    struct Contents {
        let state: TreeState
        let nodes: TreeSummary
        /// Number of the last migration.
        let schema: Int
    }

    /// Reads every node. Throws when what the file says of itself is not what it holds.
    ///
    /// - Parameter claims: where it says something, what it says there, and what it should say.
    static func prove(
        _ connection: Connection, _ claims: (Contents) -> [(place: String, stored: String, found: String)]
    ) throws(StorageError) {
        let reader = try TreeReader(connection)
        let contents = Contents(
            state: try reader.state(), nodes: try TreeSummary(reader),
            schema: try storing { () throws(SQLiteError) in try Migrator.version(of: connection) })
        let (state, nodes) = (contents.state, contents.nodes)
        for claim in claims(contents) + [("state.state_hash", state.hash.hex, nodes.hash.hex)] where claim.stored != claim.found {
            throw .damaged(
                file: connection.path, place: claim.place, reason: "it says \(claim.stored), the contents say \(claim.found)")
        }
        try nodes.require(state, file: connection.path)
    }
}
