/// `watch` and `exec-watch` (ctl.md A3): one long poll after the other, each from the index after the last event.
enum WatchCommands {
    @Sendable static func watch(_ invocation: Invocation) async throws {
        let client = try await invocation.connect()
        let key = try invocation.key()
        let isRecursive = invocation.flags.bool("recursive")
        invocation.context.exitOnInterrupt()
        try await forEachEvent(of: key, invocation, client) { response in
            guard !response.node.isDirectory else { return true }
            if isRecursive { invocation.console.line("[\(response.action)] \(response.node.key)") }
            invocation.print(response)
            return invocation.flags.bool("forever")
        }
    }

    @Sendable static func execWatch(_ invocation: Invocation) async throws {
        let client = try await invocation.connect()
        var command = invocation.arguments[...]
        let key = command.popFirst()
        if command.first == "--" { command.removeFirst() }
        guard let key, let program = command.popFirst() else {
            throw CommandFailure(error: "key and command to exec required", status: CommandFailure.badArguments)
        }
        let arguments = Array(command)
        invocation.context.exitOnInterrupt()
        try await forEachEvent(of: key, invocation, client) { response in
            guard !response.node.isDirectory else {
                invocation.console.errorLine("Ignored dir \(response.node.key) change")
                return true
            }
            var environment = invocation.context.environment
            environment["ETCD_WATCH_ACTION"] = response.action
            environment["ETCD_WATCH_MODIFIED_INDEX"] = String(response.node.modifiedIndex)
            environment["ETCD_WATCH_KEY"] = response.node.key
            environment["ETCD_WATCH_VALUE"] = response.node.value
            do throws(ChildProcess.StartError) {
                try ChildProcess.start(program, arguments: arguments, environment: environment)
            } catch {
                throw CommandFailure(text: error.text, status: CommandFailure.badArguments)
            }
            return true
        }
    }

    /// Calls `body` for each change until it returns false.
    private static func forEachEvent(
        of key: String, _ invocation: Invocation, _ start: ClusterClient,
        _ body: (KeyResponse) throws -> Bool
    ) async throws {
        var client = start
        let afterIndex = UInt64(bitPattern: invocation.flags.int("after-index"))
        var waitIndex = afterIndex == 0 ? 0 : afterIndex &+ 1
        var wantsMore = true
        while wantsMore {
            let request = ClusterRequest.wait(
                key, waitIndex: waitIndex, recursive: invocation.flags.bool("recursive"))
            guard let response = try await next(request, invocation, &client) else { continue }
            waitIndex = response.node.modifiedIndex &+ 1
            wantsMore = try body(response)
        }
    }

    /// Nil when the server ended the poll without an event, as it does when it gets tired of waiting.
    private static func next(
        _ request: ClusterRequest, _ invocation: Invocation, _ client: inout ClusterClient
    ) async throws -> KeyResponse? {
        do {
            return try KeyResponse(await client.response(to: request, before: nil))
        } catch AnswerFailure.emptyBody {
            return nil
        } catch let failure as ClusterFailure {
            throw CommandFailure(failure, status: CommandFailure.serverError)
        } catch let failure as AnswerFailure {
            throw CommandFailure(error: failure.description, status: CommandFailure.serverError)
        }
    }
}
