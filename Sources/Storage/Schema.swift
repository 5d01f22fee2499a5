import Migrations
import SQLite

/// The embedded catalogue in the form the migrator takes.
package enum Schema {
    package static let log = Migrations.log.map { file in
        Migration(
            number: file.number, title: file.title, sql: file.sql,
            completion: file.number == RowChecksum.schema ? RowChecksum.fillIn : nil)
    }
    package static let tree = Migrations.tree.map { Migration(number: $0.number, title: $0.title, sql: $0.sql) }
}
