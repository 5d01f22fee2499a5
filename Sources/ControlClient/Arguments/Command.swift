/// A command of the client: what the help says, its flags, and what it does.
struct Command: Sendable {
    enum Action: Sendable {
        case run(@Sendable (Invocation) async throws -> Void)
        case group([Command])
        /// Parsed and refused.
        case unsupported
    }

    let name: String
    let usage: String
    /// How the arguments are shown; a blank stands for "none", as etcdctl prints it.
    var argumentsUsage = ""
    var description: String?
    var flags: [Flag] = []
    /// See `FlagParser.parseAnywhere`.
    var operandsBeforeRest = Int.max
    let action: Action
}

/// Everything a running command needs.
struct Invocation: Sendable {
    let flags: ParsedFlags
    let options: GlobalOptions
    let context: ControlContext

    var arguments: [String] { flags.arguments }
    var console: Console { context.console }
}
