/// The help pages, in etcdctl's layout (ctl.md A7).
struct HelpText: Sendable {
    /// The name the program was called by.
    let program: String

    /// The version of etcd whose client this one behaves like; scripts compare it.
    static let version = "3.4.23"

    func application(commands: [Command], flags: [Flag]) -> String {
        let help = ("help, h", "Shows a list of commands or help for one command")
        return """
            NAME:
               \(program) - A simple command line client for etcd.

            USAGE:
               \(program) [global options] command [command options] [arguments...]

            VERSION:
               \(Self.version)

            COMMANDS:
            \(table(commands.map { ($0.name, $0.usage) } + [help]))
            GLOBAL OPTIONS:
            \(table(flags.map { ($0.helpNames, $0.helpUsage) }))
            """
    }

    func group(_ path: String, _ command: Command, members: [Command]) -> String {
        """
        NAME:
           \(program) \(path) - \(command.usage)

        USAGE:
           \(program) \(path) command [command options] [arguments...]

        COMMANDS:
        \(table(members.map { ($0.name, $0.usage) }))
        OPTIONS:
        \(table([(Flag.help.helpNames, Flag.help.helpUsage)]))   \n
        """
    }

    func command(_ path: String, _ command: Command) -> String {
        let options = command.flags.isEmpty ? "" : " [command options]"
        var text = """
            NAME:
               \(program) \(path) - \(command.usage)

            USAGE:
               \(program) \(path)\(options) \(command.argumentsUsage)\n
            """
        if let description = command.description { text += "\nDESCRIPTION:\n   \(description)\n" }
        if !command.flags.isEmpty {
            text += "\nOPTIONS:\n\(table(command.flags.map { ($0.helpNames, $0.helpUsage) }))   \n"
        }
        return text
    }

    /// Two columns, one row a line.
    private func table(_ rows: [(String, String)]) -> String {
        let width = rows.map(\.0.count).max() ?? 0
        return rows.map { left, right in
            "   \(left)\(String(repeating: " ", count: max(width - left.count, 0)))  \(right)\n"
        }.joined()
    }
}
