/// The commands for single keys (ctl.md A2). Like etcdctl they look for the cluster before they look at their
/// arguments.
enum KeyCommands {
    @Sendable static func get(_ invocation: Invocation) async throws {
        var client = try await invocation.connect()
        let flags = invocation.flags
        let response = try await invocation.send(
            .get(invocation.key(), sorted: flags.bool("sort"), quorum: flags.bool("quorum")), with: &client)
        guard !response.node.isDirectory else {
            throw CommandFailure(lines: "\(response.node.key): is a directory")
        }
        invocation.print(response)
    }

    @Sendable static func set(_ invocation: Invocation) async throws {
        let conditions = conditions(
            value: invocation.flags.string("swap-with-value"), index: invocation.flags.int("swap-with-index"))
        try await put(invocation, query: conditions, isOnce: !conditions.isEmpty)
    }

    @Sendable static func update(_ invocation: Invocation) async throws {
        try await put(invocation, query: ["prevExist": "true"], isOnce: false)
    }

    @Sendable static func mk(_ invocation: Invocation) async throws {
        guard invocation.flags.bool("in-order") else {
            return try await put(invocation, query: ["prevExist": "false"], isOnce: true)
        }
        var client = try await invocation.connect()
        let directory = try invocation.key()
        let form = invocation.form(value: try invocation.value())
        invocation.print(try await invocation.send(.post(directory, form: form), with: &client))
    }

    @Sendable static func rm(_ invocation: Invocation) async throws {
        var client = try await invocation.connect()
        let flags = invocation.flags
        var query = conditions(value: flags.string("with-value"), index: flags.int("with-index"))
        if flags.bool("dir") { query["dir"] = "true" }
        if flags.bool("recursive") { query["recursive"] = "true" }
        let response = try await invocation.send(.delete(invocation.key(), query: query), with: &client)
        if response.node.isDirectory {
            invocation.printUnlessSimple(response)
        } else {
            invocation.print(response)
        }
    }

    private static func put(_ invocation: Invocation, query: [String: String], isOnce: Bool) async throws {
        var client = try await invocation.connect()
        let key = try invocation.key()
        let form = invocation.form(value: try invocation.value())
        invocation.print(
            try await invocation.send(.put(key, form: form, query: query, isOnce: isOnce), with: &client))
    }

    /// An empty value and index 0 are no conditions. A negative index goes out as Go's unsigned conversion.
    private static func conditions(value: String, index: Int64) -> [String: String] {
        var query: [String: String] = [:]
        if !value.isEmpty { query["prevValue"] = value }
        if index != 0 { query["prevIndex"] = String(UInt64(bitPattern: index)) }
        return query
    }
}
