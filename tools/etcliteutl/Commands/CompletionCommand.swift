import ArgumentParser
import Manual

struct CompletionCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "completion", abstract: "Print a shell's completion script (bash, zsh, fish), or the page of the manual (man).")

    @Argument(help: ArgumentHelp("bash, zsh, fish or man.", valueName: "shell"))
    var shell: String

    func run() throws {
        if let known = CompletionShell(rawValue: shell) { return Output.print(Etcliteutl.completionScript(for: known)) }
        guard let text = Self.manual.text(for: shell) else { throw ValidationError("give the name of a shell: bash, zsh or fish (or man)") }
        Output.print(text)
    }

    /// The help texts as they are.
    private static var manual: ProgramManual {
        ProgramManual(
            name: "etcliteutl", summary: "looks into the data directory of etclite, and makes new ones from it", version: "1", chapter: 1,
            synopsis: ["etcliteutl <subcommand> [options]"],
            sections: [ProgramManual.Section("Description", [Etcliteutl.helpMessage(columns: 78)], isPreformatted: true)]
                + Etcliteutl.configuration.subcommands.map { command in
                    ProgramManual.Section(
                        command.configuration.commandName ?? "", [Etcliteutl.helpMessage(for: command, columns: 78)], isPreformatted: true)
                }, seeAlso: ["etclite (8)", "etclitectl (1)"])
    }
}
