/// The command line, read by the rules of Go's flag package (server.md §1.1).
struct ArgumentReader {
    private(set) var settings = Settings()
    private(set) var notices: [Notice] = []
    private(set) var asksForHelp = false
    private var rest: ArraySlice<String>

    /// - Parameter arguments: without the program's name.
    /// - Throws: `.usage` for what cannot be read, `.verification` for words that are no flags.
    init(_ arguments: [String]) throws(StartupFailure) {
        rest = arguments[...]
        if rest.first == "grpc-proxy" { throw .unsupported("'grpc-proxy'") }
        while !asksForHelp, try readFlag() {}
        if !asksForHelp, let word = rest.first {
            throw .verification("'\(word)' is not a valid flag")
        }
    }

    /// Takes one flag off the front; false when the flags have ended.
    private mutating func readFlag() throws(StartupFailure) -> Bool {
        guard let argument = rest.first, argument.utf8.count > 1, argument.hasPrefix("-") else { return false }
        rest = rest.dropFirst()
        if argument == "--" { return false }
        let word = argument.hasPrefix("--") ? argument.dropFirst(2) : argument.dropFirst()
        guard let start = word.first, start != "-", start != "=" else {
            throw .usage("bad flag syntax: \(argument)")
        }
        let name = String(word.prefix { $0 != "=" })
        let inline = name.count < word.count ? String(word.dropFirst(name.count + 1)) : nil
        if name == "h" || name == "help" {
            asksForHelp = true
            return true
        }
        guard let option = OptionTable.option(name) else {
            throw .usage("flag provided but not defined: -\(name)" + Spelling.hint(for: name))
        }
        try store(option, typedAs: name, value: value(of: option, typedAs: name, inline: inline))
        return true
    }

    private mutating func value(of option: Option, typedAs name: String, inline: String?) throws(StartupFailure)
        -> String
    {
        if let inline { return inline }
        // A separate word is never the value of a boolean.
        if option.kind == .boolean { return "true" }
        guard let next = rest.popFirst() else { throw .usage("flag needs an argument: -\(name)") }
        return next
    }

    private mutating func store(_ option: Option, typedAs name: String, value: String) throws(StartupFailure) {
        if option.support == .retired {
            notices.append(.ignoredFlag(name))
            return
        }
        if let problem = OptionValue.problem(value, option.kind) {
            throw .usage(
                option.kind == .boolean
                    ? "invalid boolean value \(Quoted.go(value)) for -\(name): \(problem)"
                    : "invalid value \(Quoted.go(value)) for flag -\(name): \(problem)")
        }
        if option.name != name {
            notices.append(Notice(.warning, "pkg/flags", "[deprecated] use -\(option.name), not -\(name)"))
        }
        settings.set(option.name, to: value, from: .flag)
    }
}

/// Suggestions for misspelt flags: `--inital-cluster` stands in many a tutorial.
enum Spelling {
    static func hint(for name: String) -> String {
        guard name.count > 3 else { return "" }
        let candidates = OptionTable.all.map { ($0.name, distance($0.name, name)) }
        guard let best = candidates.min(by: { $0.1 < $1.1 }), best.1 <= 2 else { return "" }
        return "\ndid you mean --\(best.0)?"
    }

    /// Levenshtein's edit distance. Far longer names than any flag cost no time.
    private static func distance(_ left: String, _ right: String) -> Int {
        let (left, right) = (Array(left), Array(right))
        guard abs(left.count - right.count) <= 2 else { return .max }
        var previous = Array(0...right.count)
        for (row, one) in left.enumerated() {
            var current = [row + 1]
            for (column, other) in right.enumerated() {
                let replaced = previous[column] + (one == other ? 0 : 1)
                current.append(min(replaced, previous[column + 1] + 1, current[column] + 1))
            }
            previous = current
        }
        return previous[right.count]
    }
}
