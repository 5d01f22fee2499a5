/// What `--help` prints: the usage on standard error, the flags on standard output (server.md §1.1).
enum HelpText {
    static let usage = """
        Usage:

          etclite [flags]
            Start a server.

          etclite --version
            Show the version.

          etclite -h | --help
            Show this text and the list of flags.

          etclite completion bash|zsh|fish|man
            Print a shell's completion script, or the page of the manual.

          etclite gateway start [flags]
            Forward TCP connections to the members of a cluster.

          etclite --config-file PATH
            Read options from a YAML file; flags and environment variables win over it.


        """

    static var flags: String {
        var text = ""
        for group in Option.Group.allCases {
            let rows = OptionTable.all.filter { $0.group == group && shows($0) }
            text += (text.isEmpty ? "" : "\n") + group.rawValue + ":\n"
            for option in rows {
                text += "  --\(option.name) '\(option.standard)'\n    \(option.help)\(remark(option))\n"
            }
        }
        return text
    }

    static func shows(_ option: Option) -> Bool { option.support != .retired }

    static func remark(_ option: Option) -> String {
        switch option.support {
        case .honoured, .honouredAtFounding, .retired: ""
        case .inert: option.help == "No effect." ? "" : " No effect."
        case .refused: " Not supported by this version."
        }
    }
}
