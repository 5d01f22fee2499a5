import SQLite
import TestSupport
import Testing

@Suite("Migrations")
struct MigratorTests {
    private let directory: TemporaryDirectory
    private let database: Connection

    private static let first = Migration(number: 1, title: "first", sql: "CREATE TABLE a(x); CREATE TABLE b(x);")
    private static let second = Migration(
        number: 4, title: "second", sql: "ALTER TABLE a ADD COLUMN y; INSERT INTO a VALUES (1, 2);")

    init() throws {
        directory = try TemporaryDirectory()
        database = try Connection(directory.file("a.db"), as: .durableWriter)
    }

    @Test("Each step is applied once, in order, and recorded")
    func appliesOnce() throws {
        #expect(try Migrator.version(of: database) == 0)
        #expect(try Migrator.migrate(database, [Self.first]) == [1])
        #expect(try Migrator.migrate(database, [Self.first, Self.second]) == [4])
        #expect(try Migrator.migrate(database, [Self.first, Self.second]) == [])
        #expect(try Migrator.version(of: database) == 4)
        #expect(try database.integer("SELECT count(*) FROM a") == 1)
        #expect(
            try database.text("SELECT group_concat(number || ' ' || title, ', ') FROM schema_migrations") == "1 first, 4 second")
    }

    @Test("A failed step leaves nothing of itself and everything of those before")
    func failureLeavesNothing() throws {
        let broken = Migration(
            number: 5, title: "broken", sql: "CREATE TABLE c(x); INSERT INTO c VALUES (1); INSERT INTO nowhere VALUES (1);")
        #expect(throws: Migrator.Failure.self) { try Migrator.migrate(database, [Self.first, Self.second, broken]) }
        #expect(try Migrator.version(of: database) == 4)
        #expect(try database.integer("SELECT count(*) FROM sqlite_schema WHERE name = 'c'") == 0)
        let mended = Migration(number: 5, title: "mended", sql: "CREATE TABLE c(x);")
        #expect(try Migrator.migrate(database, [Self.first, Self.second, mended]) == [5])
    }

    @Test("A file of a newer version is refused, named and left alone")
    func newerIsRefused() throws {
        _ = try Migrator.migrate(database, [Self.first, Self.second])
        let failure = try #require(throws: Migrator.Failure.self) { try Migrator.migrate(database, [Self.first]) }
        #expect(failure.description.contains(directory.file("a.db")))
        #expect(failure.description.contains("number 4") && failure.description.contains("up to 1"))
        #expect(try Migrator.version(of: database) == 4)
        #expect(throws: Migrator.Failure.self) { try Migrator.requireKnown(database, [Self.first]) }
        #expect(try Migrator.requireKnown(database, [Self.first, Self.second]) == 4)
    }
}
