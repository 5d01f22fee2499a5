/// One flag: its names, what it takes and its line in the help.
struct Flag: Sendable {
    enum Kind: Sendable {
        case bool
        case string(default: String = "")
        /// May be given several times.
        case strings
        case int
        /// Nanoseconds.
        case duration(default: Int64, text: String)
    }

    /// The first is the one values are looked up by.
    let names: [String]
    let kind: Kind
    let usage: String
    /// What the help shows for the value.
    let placeholder: String

    init(_ names: String..., kind: Kind, placeholder: String = "value", usage: String) {
        self.names = names
        self.kind = kind
        self.usage = usage
        self.placeholder = placeholder
    }

    static let help = Flag("help", "h", kind: .bool, usage: "show help")

    var isBool: Bool {
        if case .bool = kind { true } else { false }
    }

    /// `--ttl value`, with every name.
    var helpNames: String {
        names.map { name in
            (name.count == 1 ? "-" : "--") + name + (isBool ? "" : " " + placeholder)
        }.joined(separator: ", ")
    }

    var helpUsage: String {
        switch kind {
        case .bool, .strings: usage
        case .string(let value): value.isEmpty ? usage : "\(usage) (default: \"\(value)\")"
        case .int: "\(usage) (default: 0)"
        case .duration(_, let text): "\(usage) (default: \(text))"
        }
    }
}
