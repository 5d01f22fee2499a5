import HTTPTransport

/// What the commands `user`, `role` and `auth` share (ctl.md A6). All their failures end with status 1.
extension Invocation {
    /// Runs `body` with a connected client; what goes wrong is one line.
    func withAccess<Value>(_ body: (inout ClusterClient) async throws -> Value) async throws -> Value {
        var client = try await connect()
        do {
            return try await body(&client)
        } catch let failure as CommandFailure {
            throw failure
        } catch {
            throw CommandFailure(lines: "\(error)")
        }
    }

    func onlyArgument(orSay text: String) throws(CommandFailure) -> String {
        guard arguments.count == 1, let argument = arguments.first else { throw CommandFailure(lines: text) }
        return argument
    }
}

/// The `auth` commands.
enum AuthCommands {
    @Sendable static func enable(_ invocation: Invocation) async throws { try await set(invocation, isEnabled: true) }

    @Sendable static func disable(_ invocation: Invocation) async throws { try await set(invocation, isEnabled: false) }

    private static func set(_ invocation: Invocation, isEnabled: Bool) async throws {
        guard invocation.arguments.isEmpty else { throw CommandFailure(lines: "No arguments accepted") }
        _ = try await invocation.withAccess { client in
            try await client.access(.enableAuth(isEnabled), before: invocation.deadline)
        }
        invocation.console.line("Authentication \(isEnabled ? "Enabled" : "Disabled")")
    }
}

/// The `user` commands.
enum UserCommands {
    private static let noName = "Please provide a username"

    @Sendable static func list(_ invocation: Invocation) async throws {
        struct Users: Decodable { let users: [UserRecord]? }
        guard invocation.arguments.isEmpty else { throw CommandFailure(lines: "No arguments accepted") }
        let found = try await invocation.withAccess { client in
            try await client.access(Users.self, .read(auth: "users"), before: invocation.deadline)
        }
        for user in found.users ?? [] { invocation.console.line(user.user) }
    }

    /// The password stands behind a colon, or is asked for.
    @Sendable static func add(_ invocation: Invocation) async throws {
        let words = try invocation.onlyArgument(orSay: noName).split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
        let name = String(words.first ?? "")
        let password = words.count > 1 ? String(words[1]) : try newPassword(invocation)
        try await change(invocation, UserChange(user: name, password: password))
        invocation.console.line("User \(name) created")
    }

    @Sendable static func get(_ invocation: Invocation) async throws {
        let name = try invocation.onlyArgument(orSay: noName)
        let user = try await invocation.withAccess { client in
            try await client.access(UserRecord.self, .read(auth: "users/\(name)"), before: invocation.deadline)
        }
        invocation.console.line("User: \(user.user)")
        // As etcdctl: a blank before each.
        invocation.console.line("Roles: \((user.roles ?? []).map { " " + $0.role }.joined())")
    }

    @Sendable static func remove(_ invocation: Invocation) async throws {
        let name = try invocation.onlyArgument(orSay: noName)
        _ = try await invocation.withAccess { client in
            try await client.access(.remove(auth: "users/\(name)"), before: invocation.deadline)
        }
        invocation.console.line("User \(name) removed")
    }

    @Sendable static func passwd(_ invocation: Invocation) async throws {
        let name = try invocation.onlyArgument(orSay: noName)
        try await change(invocation, UserChange(user: name, password: newPassword(invocation)))
        invocation.console.line("Password updated")
    }

    @Sendable static func grant(_ invocation: Invocation) async throws { try await update(invocation) { UserChange(user: $0, grant: $1) } }

    @Sendable static func revoke(_ invocation: Invocation) async throws { try await update(invocation) { UserChange(user: $0, revoke: $1) } }

    private static func update(_ invocation: Invocation, _ make: (String, [String]) -> UserChange) async throws {
        let name = try invocation.onlyArgument(orSay: noName)
        let roles = invocation.flags.string("roles")
        guard !roles.isEmpty else { throw CommandFailure(lines: "No roles specified; please use `--roles`") }
        try await change(invocation, make(name, roles.split(separator: ",", omittingEmptySubsequences: false).map(String.init)))
        invocation.console.line("User \(name) updated")
    }

    private static func change(_ invocation: Invocation, _ change: UserChange) async throws {
        _ = try await invocation.withAccess { client in
            try await client.access(.change(auth: "users/\(change.user)", change), before: invocation.deadline)
        }
    }

    private static func newPassword(_ invocation: Invocation) throws(CommandFailure) -> String {
        guard let password = invocation.console.readPassword("New password: ") else { throw CommandFailure(lines: "Error reading password: EOF") }
        return password
    }
}

/// The `role` commands.
enum RoleCommands {
    private static let noName = "Please provide a role name"

    @Sendable static func list(_ invocation: Invocation) async throws {
        struct Roles: Decodable { let roles: [RoleRecord]? }
        guard invocation.arguments.isEmpty else { throw CommandFailure(lines: "No arguments accepted") }
        let found: Roles = try await invocation.withAccess { client in
            do {
                return try await client.access(Roles.self, .read(auth: "roles"), before: invocation.deadline)
            } catch AnswerFailure.said("Insufficient credentials") {
                // etcdctl does not look at what this list is refused with.
                throw AnswerFailure.unexpectedStatus(401)
            }
        }
        for role in found.roles ?? [] { invocation.console.line(role.role) }
    }

    @Sendable static func add(_ invocation: Invocation) async throws {
        let name = try invocation.onlyArgument(orSay: noName)
        try await invocation.withAccess { client in
            if (try? await client.access(RoleRecord.self, .read(auth: "roles/\(name)"), before: invocation.deadline)) != nil {
                throw CommandFailure(lines: "Role \(name) already exists")
            }
            _ = try await client.access(.change(auth: "roles/\(name)", RoleChange(role: name, permissions: .init())), before: invocation.deadline)
        }
        invocation.console.line("Role \(name) created")
    }

    @Sendable static func get(_ invocation: Invocation) async throws {
        let name = try invocation.onlyArgument(orSay: noName)
        let role = try await invocation.withAccess { client in
            try await client.access(RoleRecord.self, .read(auth: "roles/\(name)"), before: invocation.deadline)
        }
        invocation.console.line("Role: \(role.role)")
        for (title, patterns) in [("KV Read:", role.permissions?.kv.read), ("KV Write:", role.permissions?.kv.write)] {
            invocation.console.line(title)
            for pattern in patterns ?? [] { invocation.console.line("\t\(pattern)") }
        }
    }

    @Sendable static func remove(_ invocation: Invocation) async throws {
        let name = try invocation.onlyArgument(orSay: noName)
        _ = try await invocation.withAccess { client in
            try await client.access(.remove(auth: "roles/\(name)"), before: invocation.deadline)
        }
        invocation.console.line("Role \(name) removed")
    }

    @Sendable static func grant(_ invocation: Invocation) async throws { try await update(invocation) { RoleChange(role: $0, grant: $1) } }

    @Sendable static func revoke(_ invocation: Invocation) async throws { try await update(invocation) { RoleChange(role: $0, revoke: $1) } }

    private static func update(_ invocation: Invocation, _ make: (String, RoleRecord.Permissions) -> RoleChange) async throws {
        let name = try invocation.onlyArgument(orSay: noName)
        let flags = invocation.flags
        let path = flags.string("path")
        guard !path.isEmpty else { throw CommandFailure(lines: "No path specified; please use `--path`") }
        let canonical = GoText.cleaned(path: path)
        guard canonical == path else { throw CommandFailure(lines: "Not canonical path; please use `--path=\(canonical)`") }
        guard [flags.bool("read"), flags.bool("write"), flags.bool("readwrite")].count(where: { $0 }) == 1 else {
            throw CommandFailure(lines: "Please specify exactly one of --read, --write or --readwrite")
        }
        var permissions = RoleRecord.Permissions()
        if !flags.bool("write") { permissions.kv.read = [path] }
        if !flags.bool("read") { permissions.kv.write = [path] }
        let change = make(name, permissions)
        _ = try await invocation.withAccess { client in
            try await client.access(.change(auth: "roles/\(name)", change), before: invocation.deadline)
        }
        invocation.console.line("Role \(name) updated")
    }
}
