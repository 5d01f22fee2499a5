import Manual

/// The server's command line for completion and the manual: from the table that reads it and the texts of `--help`.
enum ServerManual {
    static let manual = ProgramManual(
        name: "etclite", aliases: ["etcd"], summary: "a distributed key-value store that speaks etcd's protocol and keeps all in SQLite",
        version: BuildVersion.etclite, chapter: 8, synopsis: ["etclite [flags]", "etclite completion bash|zsh|fish|man"],
        options: Option.Group.allCases.map { group in
            (group.rawValue + " flags", OptionTable.all.filter { $0.group == group && HelpText.shows($0) }.map(describe))
        }, commands: [ProgramManual.completionCommand()],
        sections: [
            ProgramManual.Section("Description", [HelpText.usage], isPreformatted: true),
            ProgramManual.Section(
                "Environment",
                [
                    "Each flag has a variable: ETCD_ and its name in capitals, with _ for -. A flag wins over its variable, and both win over the file that --config-file names.",
                    "NOTIFY_SOCKET and WATCHDOG_USEC are systemd's: the server tells when it serves clients, that it is alive, and that it stops.",
                ]),
            ProgramManual.Section(
                "Signals",
                [
                    "SIGTERM and SIGINT: hand over leadership, answer what waits, write everything, and die by the signal; exit 0 as process 1.",
                    "SIGHUP: take the log level anew from the configuration file, if it is not given by flag or variable, and go on in a new log file if the old one was renamed. When the terminal that it was started in is gone: as SIGTERM.",
                ]),
            ProgramManual.Section("Exit status", ["0: help, version, or the cluster has removed this member. 1: a fault, with its reason as the last line of the log. 2: a flag that is none."]),
        ], seeAlso: ["etclitectl (1)", "etcliteutl (1)"])

    private static func describe(_ option: Option) -> ProgramManual.Option {
        let value: ProgramManual.Option.Value =
            switch option.kind {
            case .boolean: .none
            case .path: option.name.hasSuffix("-dir") ? .directory : .file
            case .choice(let words): .words(words)
            case .text, .unsigned, .signed, .duration, .urls, .origins, .list, .address, .bindAddress: .any
            }
        let standard = option.standard.isEmpty || option.kind == .boolean ? "" : " Default: \(option.standard)."
        return ProgramManual.Option(["--" + option.name], value, option.help + HelpText.remark(option) + standard)
    }
}
