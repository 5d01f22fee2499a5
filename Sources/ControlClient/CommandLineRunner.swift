/// Finds the command that a command line means, parses its flags and runs it, or prints help (ctl.md A1, A7).
struct CommandLineRunner: Sendable {
    let context: ControlContext
    private let commands = CommandTable.commands

    init(context: ControlContext) {
        self.context = context
    }

    /// - Parameter arguments: the program's name first.
    /// - Returns: the exit status.
    func run(_ arguments: [String]) async -> Int32 {
        let path = arguments.first ?? ""
        let program = path.split(separator: "/").last.map(String.init) ?? "etclitectl"
        do {
            try await dispatch(Array(arguments.dropFirst()), help: HelpText(program: program))
            return 0
        } catch let failure as CommandFailure {
            context.console.err(failure.text)
            return failure.status
        } catch {
            context.console.errorLine("Error:  \(error)")
            return CommandFailure.serverError
        }
    }

    private func dispatch(_ words: [String], help: HelpText) async throws {
        try checkVersionOfAPI()
        let globalFlags = GlobalOptions.flags + Self.programFlags
        let page = help.application(commands: commands, flags: globalFlags)
        let global: ParsedFlags
        do throws(FlagError) {
            global = try FlagParser(flags: globalFlags).parse(words)
        } catch {
            throw incorrectUsage(error, separator: ".", page: page)
        }
        var rest = global.arguments[...]
        if global.bool("help") { return context.console.out(page) }
        if global.bool("version") {
            return context.console.out("etcdctl version: \(HelpText.version)\nAPI version: 2\n")
        }
        guard let name = rest.popFirst() else { return context.console.out(page) }
        if name == "help" || name == "h" {
            guard let topic = rest.first else { return context.console.out(page) }
            return context.console.out(try self.page(of: command(topic, in: commands), path: topic, help: help))
        }
        try await run(command(name, in: commands), path: name, words: Array(rest), global: global, help: help)
    }

    /// Those that end the program.
    static let programFlags = [Flag.help, Flag("version", "v", kind: .bool, usage: "print the version")]

    /// Unset means version 2, so that the commands of old articles work as typed.
    private func checkVersionOfAPI() throws(CommandFailure) {
        switch context.environment["ETCDCTL_API"] ?? "" {
        case "", "2": return
        case "3":
            throw CommandFailure(lines: "API version 3 is not supported by this version: set ETCDCTL_API=2")
        case let other: throw CommandFailure(lines: "unsupported API version \(other)")
        }
    }

    private func run(
        _ command: Command, path: String, words: [String], global: ParsedFlags, help: HelpText
    ) async throws {
        let page = page(of: command, path: path, help: help)
        let parser = FlagParser(flags: command.flags + [Flag.help])
        let flags: ParsedFlags
        switch command.action {
        case .group(let members):
            do throws(FlagError) {
                flags = try parser.parse(words)
            } catch {
                throw incorrectUsage(error, separator: ".", page: page)
            }
            guard !flags.bool("help"), let name = flags.arguments.first else { return context.console.out(page) }
            let rest = Array(flags.arguments.dropFirst())
            if name == "help" || name == "h" {
                guard let topic = rest.first else { return context.console.out(page) }
                let member = try self.command(topic, in: members)
                return context.console.out(self.page(of: member, path: "\(path) \(topic)", help: help))
            }
            try await run(
                self.command(name, in: members), path: "\(path) \(name)", words: rest, global: global, help: help)
        case .unsupported, .run:
            do throws(FlagError) {
                flags = try parser.parseAnywhere(words, operandsBeforeRest: command.operandsBeforeRest)
            } catch {
                throw incorrectUsage(error, separator: ":", page: page)
            }
            if flags.bool("help") { return context.console.out(page) }
            guard case .run(let body) = command.action else {
                throw CommandFailure(lines: "\(help.program) \(path) is not supported by this version")
            }
            let options = try GlobalOptions(global, environment: context.environment)
            try await body(Invocation(flags: flags, options: options, context: context.trusting(options.tls)))
        }
    }

    private func command(_ name: String, in commands: [Command]) throws(CommandFailure) -> Command {
        guard let command = commands.first(where: { $0.name == name }) else {
            throw CommandFailure(lines: "No help topic for '\(name)'", status: CommandFailure.noSuchCommand)
        }
        return command
    }

    private func page(of command: Command, path: String, help: HelpText) -> String {
        if case .group(let members) = command.action {
            help.group(path, command, members: members)
        } else {
            help.command(path, command)
        }
    }

    /// The help goes to stdout, the reason to both.
    private func incorrectUsage(_ error: FlagError, separator: String, page: String) -> CommandFailure {
        context.console.out("Incorrect Usage\(separator) \(error.text)\n\n\(page)")
        return CommandFailure(lines: error.text)
    }
}
