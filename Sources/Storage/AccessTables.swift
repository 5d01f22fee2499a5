import Access
import SQLite

/// Users, roles and whether they count, as `tree.db` keeps them: small, read once, and written whole with each change.
enum AccessTables {
    /// Number of the migration that makes the tables.
    static let schema = 7

    static func write(_ access: AccessState, into connection: Connection) throws(SQLiteError) {
        for table in ["access", "users", "user_roles", "roles", "role_patterns"] { try connection.execute("DELETE FROM \(table)") }
        try connection.execute("INSERT INTO access VALUES (1, \(access.isEnabled ? 1 : 0))")
        let user = try connection.prepare("INSERT INTO users VALUES (?, ?, ?)")
        let grant = try connection.prepare("INSERT INTO user_roles VALUES (?, ?, ?)")
        for one in access.users {
            try user.bind(1, text: one.name)
            try user.bind(2, text: one.password)
            try user.bind(3, one.roles == nil ? 0 : 1)
            try user.run()
            for (position, role) in (one.roles ?? []).enumerated() {
                try grant.bind(1, text: one.name)
                try grant.bind(2, Int64(position))
                try grant.bind(3, text: role)
                try grant.run()
            }
        }
        let role = try connection.prepare("INSERT INTO roles VALUES (?, ?, ?)")
        let pattern = try connection.prepare("INSERT INTO role_patterns VALUES (?, ?, ?, ?)")
        for one in access.roles {
            try role.bind(1, text: one.name)
            try role.bind(2, one.permissions.read == nil ? 0 : 1)
            try role.bind(3, one.permissions.write == nil ? 0 : 1)
            try role.run()
            for (act, patterns) in [("read", one.permissions.read), ("write", one.permissions.write)] {
                for (position, text) in (patterns ?? []).enumerated() {
                    try pattern.bind(1, text: one.name)
                    try pattern.bind(2, text: act)
                    try pattern.bind(3, Int64(position))
                    try pattern.bind(4, text: text)
                    try pattern.run()
                }
            }
        }
    }

    static func read(from connection: Connection) throws(SQLiteError) -> AccessState {
        let isEnabled = try connection.integer("SELECT enabled FROM access") == 1
        var granted: [AccessName: [AccessName]] = [:]
        try each(connection, "SELECT user, role FROM user_roles ORDER BY user, position") { row in
            granted[row.bytes(0), default: []].append(row.bytes(1))
        }
        var users: [User] = []
        try each(connection, "SELECT name, password, has_roles FROM users") { row in
            let name = row.bytes(0)
            users.append(User(name: name, password: row.bytes(1), roles: row.integer(2) == 0 ? nil : granted[name] ?? []))
        }
        var patterns: [AccessName: Permissions] = [:]
        try each(connection, "SELECT role, act, pattern FROM role_patterns ORDER BY role, act, position") { row in
            var known = patterns[row.bytes(0)] ?? Permissions(read: [], write: [])
            if row.text(1) == "read" { known.read?.append(row.bytes(2)) } else { known.write?.append(row.bytes(2)) }
            patterns[row.bytes(0)] = known
        }
        var roles: [Role] = []
        try each(connection, "SELECT name, has_read, has_write FROM roles") { row in
            var known = patterns[row.bytes(0)] ?? Permissions(read: [], write: [])
            if row.integer(1) == 0 { known.read = nil }
            if row.integer(2) == 0 { known.write = nil }
            roles.append(Role(name: row.bytes(0), permissions: known))
        }
        return AccessState(isEnabled: isEnabled, users: users, roles: roles)
    }

    private static func each(_ connection: Connection, _ sql: String, _ body: (Statement) -> Void) throws(SQLiteError) {
        let rows = try connection.prepare(sql)
        defer { rows.reset() }
        while try rows.step() { body(rows) }
    }
}
