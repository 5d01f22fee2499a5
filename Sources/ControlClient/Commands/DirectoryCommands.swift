/// The commands for directories (ctl.md A2).
enum DirectoryCommands {
    @Sendable static func ls(_ invocation: Invocation) async throws {
        var client = try await invocation.connect()
        let flags = invocation.flags
        let response = try await invocation.send(
            .get(
                invocation.arguments.first ?? "/", recursive: flags.bool("recursive"), sorted: flags.bool("sort"),
                quorum: flags.bool("quorum")), with: &client)
        guard invocation.options.output == "simple" else { return invocation.print(response) }
        var lines = response.node.isDirectory ? "" : response.node.key + "\n"
        for node in response.node.nodes ?? [] { append(node, marksDirectories: flags.bool("p"), invocation.console.style, to: &lines) }
        invocation.console.out(lines)
    }

    @Sendable static func mkdir(_ invocation: Invocation) async throws {
        try await put(invocation, query: ["dir": "true", "prevExist": "false"], isOnce: true)
    }

    @Sendable static func setdir(_ invocation: Invocation) async throws {
        try await put(invocation, query: ["dir": "true"])
    }

    @Sendable static func updatedir(_ invocation: Invocation) async throws {
        try await put(invocation, query: ["dir": "true", "prevExist": "true"])
    }

    @Sendable static func rmdir(_ invocation: Invocation) async throws {
        var client = try await invocation.connect()
        let response = try await invocation.send(
            .delete(invocation.key(), query: ["dir": "true"]), with: &client)
        if response.node.isDirectory {
            invocation.printUnlessSimple(response)
        } else {
            invocation.print(response)
        }
    }

    private static func put(
        _ invocation: Invocation, query: [String: String], isOnce: Bool = false
    ) async throws {
        var client = try await invocation.connect()
        let key = try invocation.key()
        let request = ClusterRequest.put(key, form: invocation.form(), query: query, isOnce: isOnce)
        invocation.printUnlessSimple(try await invocation.send(request, with: &client))
    }

    /// A node and all below it, a path a line.
    private static func append(_ node: KeyNode, marksDirectories: Bool, _ style: Style, to lines: inout String) {
        lines += (node.isDirectory ? style.paint(node.key, .blue) : node.key) + (marksDirectories && node.isDirectory ? "/\n" : "\n")
        for child in node.nodes ?? [] { append(child, marksDirectories: marksDirectories, style, to: &lines) }
    }
}
