import Manual

/// `completion`: what makes a shell complete this program's words, and the page of the manual; from the tables of flags and commands.
enum CompletionCommand {
    @Sendable static func run(_ invocation: Invocation) async throws {
        guard invocation.arguments.count == 1, let text = invocation.arguments.first.flatMap(manual.text) else {
            throw CommandFailure(lines: "Provide the name of a shell: bash, zsh or fish (or man, for the page of the manual)")
        }
        invocation.console.out(text)
    }

    private static var manual: ProgramManual {
        ProgramManual(
            name: "etclitectl", aliases: ["etcdctl"], summary: "a command line client for etclite and etcd", version: HelpText.version, chapter: 1,
            synopsis: ["etclitectl [global options] command [command options] [arguments...]"],
            options: [("Global options", (GlobalOptions.flags + CommandLineRunner.programFlags).map(describe))],
            commands: CommandTable.commands.map(describe),
            sections: [
                ProgramManual.Section(
                    "Description", ["Reads, writes and watches the keys of a cluster, and looks after its members, users and roles, as etcdctl does with ETCDCTL_API=2."]),
                ProgramManual.Section(
                    "Environment",
                    ["ETCDCTL_ENDPOINTS, ETCDCTL_USERNAME, ETCDCTL_CERT_FILE, ETCDCTL_KEY_FILE, ETCDCTL_CA_FILE and others stand for the global options of their names. NO_COLOR turns colours off."]),
                ProgramManual.Section(
                    "Exit status", ["0: done. 1: bad arguments. 2: no connection. 3: no such command. 4: the server refuses. 5: the cluster is not healthy."]),
            ], seeAlso: ["etclite (8)", "etcliteutl (1)"])
    }

    private static func describe(_ flag: Flag) -> ProgramManual.Option {
        let isFile = ["file", "snap"].contains { flag.names.first?.hasSuffix($0) == true }
        let value: ProgramManual.Option.Value =
            switch flag.kind {
            case .bool: .none
            case .string where flag.names.first == "output": .words(["simple", "extended", "json"])
            case .string where flag.names.first?.hasSuffix("-dir") == true: .directory
            case .string: isFile ? .file : .any
            case .strings, .int, .duration: .any
            }
        return ProgramManual.Option(flag.names.map { ($0.count == 1 ? "-" : "--") + $0 }, value, flag.helpUsage)
    }

    private static func describe(_ command: Command) -> ProgramManual.Command {
        var members: [Command] = []
        if case .group(let commands) = command.action { members = commands }
        return ProgramManual.Command(
            command.name, command.usage, operands: command.argumentsUsage, options: command.flags.map(describe), commands: members.map(describe),
            words: command.name == "completion" ? ["bash", "zsh", "fish", "man"] : [])
    }
}
