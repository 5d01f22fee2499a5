import HTTPTransport

/// What the key commands have in common: arguments, sending, printing.
extension Invocation {
    /// - Throws: `CommandFailure`, `key required`.
    func key() throws(CommandFailure) -> String {
        guard let key = arguments.first else {
            throw CommandFailure(error: "key required", status: CommandFailure.badArguments)
        }
        return key
    }

    /// The second argument, or all of stdin as it is, the newline at its end included.
    ///
    /// - Throws: `CommandFailure`, `value required`.
    func value() throws(CommandFailure) -> [UInt8] {
        if let argument = arguments.dropFirst().first { return Array(argument.utf8) }
        let input = console.readInput()
        guard !input.isEmpty else {
            throw CommandFailure(error: "value required", status: CommandFailure.badArguments)
        }
        return input
    }

    /// The form with the lifetime of `--ttl`; zero and less mean none.
    func form(value: [UInt8]? = nil) -> [String: [UInt8]] {
        var form: [String: [UInt8]] = [:]
        if let value { form["value"] = value }
        let ttl = flags.int("ttl")
        if ttl > 0 { form["ttl"] = Array(String(ttl).utf8) }
        return form
    }

    /// - Throws: `CommandFailure` with exit status 4.
    func send(_ request: ClusterRequest, with client: inout ClusterClient) async throws -> KeyResponse {
        do {
            let deadline = request.isWait ? nil : deadline
            return try KeyResponse(await client.response(to: request, before: deadline))
        } catch let failure as ClusterFailure {
            throw CommandFailure(failure, status: CommandFailure.serverError)
        } catch let failure as AnswerFailure {
            throw CommandFailure(error: failure.description, status: CommandFailure.serverError)
        }
    }

    /// An unknown format is only a remark: the operation has been done.
    func print(_ response: KeyResponse) {
        if let text = ResponseFormat.text(of: response, format: options.output) {
            console.out(text)
        } else {
            console.errorLine("Unsupported output format: \(options.output)")
        }
    }

    /// Directories are silent in the simple format.
    func printUnlessSimple(_ response: KeyResponse) {
        if options.output != "simple" { print(response) }
    }
}
