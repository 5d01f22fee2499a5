/// `ETCD_*` variables (server.md §1.2): each flag's name in capitals with `-` as `_`.
enum EnvironmentVariables {
    /// Adds the variables to `settings` where no flag spoke, and tells what was used, shadowed or unknown.
    /// An empty variable counts as unset.
    ///
    /// - Throws: `.verification` for a value that is none.
    static func merge(
        _ environment: [String: String], into settings: inout Settings, notices: inout [Notice]
    ) throws(StartupFailure) {
        let environment = tidied(environment)
        var known: Set<String> = []
        for option in OptionTable.all.sorted(by: { $0.name < $1.name }) {
            known.insert(option.variable)
            guard let value = environment[option.variable], !value.isEmpty else { continue }
            try merge(value, of: option, into: &settings, notices: &notices)
        }
        for (name, value) in environment.sorted(by: { $0.key < $1.key })
        where name.hasPrefix("ETCD_") && !known.contains(name) {
            notices.append(Notice(.warning, "pkg/flags", "unrecognized environment variable \(name)=\(value)"))
        }
    }

    /// A file of variables that was written on another system begins with a byte order mark, which becomes part of the first name, and ends its
    /// lines with a carriage return, which becomes part of each value.
    private static func tidied(_ environment: [String: String]) -> [String: String] {
        var tidied: [String: String] = [:]
        for (name, value) in environment where name.contains("ETCD_") {
            let isMarked = name.unicodeScalars.first == "\u{feff}"
            let plain = isMarked ? String(name.unicodeScalars.dropFirst()) : name
            guard plain.hasPrefix("ETCD_"), !isMarked || environment[plain] == nil else { continue }
            tidied[plain] = value.unicodeScalars.last == "\r" ? String(value.unicodeScalars.dropLast()) : value
        }
        return tidied
    }

    private static func merge(
        _ value: String, of option: Option, into settings: inout Settings, notices: inout [Notice]
    ) throws(StartupFailure) {
        if option.support == .retired {
            notices.append(.ignoredFlag(option.name))
            return
        }
        // etcd reads these two, too, but they do nothing once the command line has been read.
        guard option.name != "version", option.name != "help" else { return }
        if settings.source(of: option.name) != nil {
            notices.append(
                Notice(
                    .warning, "pkg/flags",
                    "environment variable \(option.variable)=\(value) is shadowed by the command-line flag --\(option.name)"
                ))
            return
        }
        if let problem = OptionValue.problem(value, option.kind) {
            throw .verification("invalid value \(Quoted.go(value)) for \(option.variable): \(problem)")
        }
        settings.set(option.name, to: value, from: .environment)
        notices.append(
            Notice(.info, "pkg/flags", "recognized and used environment variable \(option.variable)=\(value)"))
    }
}
