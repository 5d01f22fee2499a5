import SQLite

extension Schema {
    /// How an open file differs from what the migrations make.
    package struct Difference: Sendable {
        /// Names of what is missing, or made by other SQL than ours.
        package var wrong: [String] = []
        /// What no migration makes, as `type name`: somebody's own index, or a trap.
        package var extra: [String] = []
    }

    /// Compares the file with the catalogue up to the number that the file has. Reads nothing but its schema table, so that
    /// a view in the place of a table cannot run.
    ///
    /// - Throws: `refused` when the schema is newer than this program, or there is none.
    package static func compare(
        _ connection: Connection, _ catalogue: [Migration], allowing: Set<String> = []
    ) throws(StorageError) -> Difference {
        let found = try objects(connection)
        guard found["table schema_migrations"] != nil else {
            throw .refused("\(connection.path) is a SQLite file, but not one of etclite: it has no table schema_migrations")
        }
        let version: Int
        do { version = try Migrator.requireKnown(connection, catalogue) } catch { throw StorageError(error) }
        guard let latest = catalogue.last(where: { $0.number == version }) else {
            throw .refused("\(connection.path): its schema is number \(version), which is not one of this file's")
        }
        let expected: [String: String]
        if let known = newest[latest.number] { expected = known } else {
            expected = try model(catalogue.filter { $0.number <= latest.number })
        }
        return Difference(
            wrong: expected.keys.filter { found[$0] != expected[$0] }.sorted(),
            extra: found.keys.filter { expected[$0] == nil && !allowing.contains($0) }.sorted())
    }

    /// What all migrations of a file make, by the number of the last one. Kept, because every start asks. One that could not be made is missing:
    /// who asks for it makes it again, and hears why not.
    private static let newest: [Int: [String: String]] = {
        var newest: [Int: [String: String]] = [:]
        for catalogue in [log, tree] { if let last = catalogue.last { newest[last.number] = try? model(catalogue) } }
        return newest
    }()

    private static func model(_ catalogue: [Migration]) throws(StorageError) -> [String: String] {
        let model = try storing { () throws(SQLiteError) in try Connection(":memory:", as: .scratch) }
        defer { model.close() }
        do { _ = try Migrator.migrate(model, catalogue) } catch { throw StorageError(error) }
        return try objects(model)
    }

    /// For whoever is going to use the file: every table and view is as it should be, and no trigger would act behind our back.
    package static func require(
        _ connection: Connection, _ catalogue: [Migration], allowing: Set<String> = []
    ) throws(StorageError) {
        let difference = try compare(connection, catalogue, allowing: allowing)
        if let trap = difference.extra.first(where: { $0.hasPrefix("trigger ") }) {
            throw .damaged(file: connection.path, place: "the schema, \(trap)", reason: "no trigger belongs here; drop it")
        }
        guard let wrong = difference.wrong.first else { return }
        throw .damaged(file: connection.path, place: "the schema, \(wrong)", reason: "it is missing or was changed")
    }

    /// SQL by `type name`. What SQLite makes by itself (`sqlite_…`) is left out.
    private static func objects(_ connection: Connection) throws(StorageError) -> [String: String] {
        try storing { () throws(SQLiteError) in
            guard try connection.text("PRAGMA encoding") == "UTF-8" else {
                throw SQLiteError(extendedCode: 11, message: "its text is not UTF-8", file: connection.path, sql: "the schema")
            }
            let rows = try connection.prepare("SELECT type, name, sql FROM sqlite_schema WHERE name NOT LIKE 'sqlite\\_%' ESCAPE '\\'")
            var objects: [String: String] = [:]
            while try rows.step() { objects["\(rows.text(0)) \(rows.text(1))"] = rows.text(2) }
            return objects
        }
    }
}
