/// The catalogue of numbered SQL files, embedded in the binary; README.md beside it has the rules.
package enum Migrations {
    package struct File: Sendable {
        package let number: Int
        package let title: String
        package let sql: String
    }

    package static let log: [File] = [
        File(number: 1, title: "log initial", sql: text(PackageResources._001_log_initial_sql)),
        File(number: 3, title: "log install", sql: text(PackageResources._003_log_install_sql)),
        File(number: 5, title: "log row checksums", sql: text(PackageResources._005_log_row_checksums_sql)),
        File(number: 6, title: "log access", sql: text(PackageResources._006_log_access_sql)),
    ]

    package static let tree: [File] = [
        File(number: 2, title: "tree initial", sql: text(PackageResources._002_tree_initial_sql)),
        File(number: 4, title: "tree checksum", sql: text(PackageResources._004_tree_checksum_sql)),
        File(number: 7, title: "tree access", sql: text(PackageResources._007_tree_access_sql)),
        File(number: 8, title: "tree values", sql: text(PackageResources._008_tree_values_sql)),
    ]

    private static func text(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }
}
