/// What was asked for, by option name, from the strongest source that named it: flag, then environment
/// variable, then config file (server.md §1.2).
struct Settings: Sendable {
    enum Source: Sendable {
        case flag, environment, file
    }

    private var values: [String: (text: String, source: Source)] = [:]

    /// The value in force: as given, else the default.
    func text(_ name: String) -> String {
        values[name]?.text ?? OptionTable.option(name)?.standard ?? ""
    }

    /// Whether anyone gave a value that is not empty.
    func isGiven(_ name: String) -> Bool {
        values[name].map { !$0.text.isEmpty } ?? false
    }

    func source(of name: String) -> Source? { values[name]?.source }

    mutating func set(_ name: String, to text: String, from source: Source) {
        values[name] = (text, source)
    }

    func boolean(_ name: String) -> Bool { OptionValue.boolean(text(name)) ?? false }

    func unsigned(_ name: String) -> UInt64 { OptionValue.unsigned(text(name)) ?? 0 }

    func urls(_ name: String) -> [EndpointURL] { (try? EndpointURL.list(text(name))) ?? [] }

    /// Options in the order of the table whose value asks for something else than the default does.
    var departures: [Option] {
        OptionTable.all.filter { option in
            values[option.name].map { option.departs(from: $0.text) } ?? false
        }
    }
}
