/// A mistake in the flags, in the words of Go's `flag` package.
struct FlagError: Error, Equatable {
    let text: String
}

/// The flags that were given, and the words that are not flags.
struct ParsedFlags: Sendable {
    fileprivate(set) var bools: [String: Bool] = [:]
    fileprivate(set) var strings: [String: String] = [:]
    fileprivate(set) var lists: [String: [String]] = [:]
    fileprivate(set) var ints: [String: Int64] = [:]
    fileprivate(set) var durations: [String: Int64] = [:]
    fileprivate(set) var arguments: [String] = []

    func bool(_ name: String) -> Bool { bools[name] ?? false }
    func string(_ name: String) -> String { strings[name] ?? "" }
    func list(_ name: String) -> [String] { lists[name] ?? [] }
    func int(_ name: String) -> Int64 { ints[name] ?? 0 }
    /// Nanoseconds.
    func duration(_ name: String) -> Int64 { durations[name] ?? 0 }
}

/// Reads flags as Go's `flag` package does: one or two dashes, `=` or blank before the value, up to the first word
/// that is no flag or to `--`.
struct FlagParser: Sendable {
    let flags: [Flag]

    func parse(_ arguments: [String]) throws(FlagError) -> ParsedFlags {
        var parsed = ParsedFlags()
        for flag in flags { parsed.setDefault(of: flag) }
        var rest = arguments[...]
        while let word = rest.first, word.hasPrefix("-"), word.utf8.count > 1 {
            rest.removeFirst()
            if word == "--" { break }
            let (name, attached) = Self.split(word)
            guard !name.isEmpty, !name.hasPrefix("-"), !name.hasPrefix("=") else {
                throw FlagError(text: "bad flag syntax: \(word)")
            }
            guard let flag = flags.first(where: { $0.names.contains(name) }) else {
                throw FlagError(text: "flag provided but not defined: -\(name)")
            }
            if flag.isBool {
                try parsed.set(flag, as: name, to: attached ?? "true")
            } else {
                guard let value = attached ?? rest.popFirst() else {
                    throw FlagError(text: "flag needs an argument: -\(name)")
                }
                try parsed.set(flag, as: name, to: value)
            }
        }
        parsed.arguments = Array(rest)
        return parsed
    }

    /// The same, with flags also behind the arguments: a word that is one of `flags` is taken wherever it stands
    /// before `--`; a word with a dash that is not behind the first argument is that argument's neighbour, so
    /// `set /k -dash` works (ctl.md A2).
    ///
    /// - Parameter operandsBeforeRest: after so many arguments everything up to the end belongs to the last one, as
    ///   the flags of the program that `exec-watch` starts.
    func parseAnywhere(
        _ arguments: [String], operandsBeforeRest: Int = .max
    ) throws(FlagError) -> ParsedFlags {
        var flagWords: [String] = []
        var operands: [String] = []
        var rest = arguments[...]
        var terminator: [String] = []
        while let word = rest.first {
            if operands.count >= operandsBeforeRest, word != "--", !isFlag(word) { break }
            rest.removeFirst()
            if word == "--" {
                terminator = ["--"]
                break
            }
            guard isFlag(word) else {
                operands.append(word)
                continue
            }
            flagWords.append(word)
            if !takesNoMoreWords(word), let value = rest.popFirst() { flagWords.append(value) }
        }
        return try parse(flagWords + terminator + operands + rest)
    }

    private func isFlag(_ word: String) -> Bool {
        guard word.hasPrefix("-"), word.utf8.count > 1 else { return false }
        return flags.contains { $0.names.contains(Self.split(word).name) }
    }

    private func takesNoMoreWords(_ word: String) -> Bool {
        let (name, attached) = Self.split(word)
        return attached != nil || flags.contains { $0.isBool && $0.names.contains(name) }
    }

    /// `--name=value` → name and value. A leading `=` stays in the name, where it is an error.
    private static func split(_ word: String) -> (name: String, value: String?) {
        let body = word.dropFirst(word.hasPrefix("--") ? 2 : 1)
        guard let equals = body.dropFirst().firstIndex(of: "=") else { return (String(body), nil) }
        return (String(body[..<equals]), String(body[body.index(after: equals)...]))
    }
}

extension ParsedFlags {
    fileprivate mutating func setDefault(of flag: Flag) {
        guard let name = flag.names.first else { return }
        switch flag.kind {
        case .bool: bools[name] = false
        case .string(let value): strings[name] = value
        case .strings: lists[name] = []
        case .int: ints[name] = 0
        case .duration(let nanoseconds, _): durations[name] = nanoseconds
        }
    }

    fileprivate mutating func set(_ flag: Flag, as given: String, to text: String) throws(FlagError) {
        guard let name = flag.names.first else { return }
        func invalid(_ reason: String) -> FlagError {
            FlagError(text: "invalid value \"\(text)\" for flag -\(given): \(reason)")
        }
        switch flag.kind {
        case .bool:
            guard let value = GoLiteral.bool(text) else {
                throw FlagError(text: "invalid boolean value \"\(text)\" for -\(given): parse error")
            }
            bools[name] = value
        case .string: strings[name] = text
        case .strings: lists[name, default: []].append(text)
        case .int:
            switch GoLiteral.int(text) {
            case .value(let value): ints[name] = value
            case .outOfRange: throw invalid("value out of range")
            case .malformed: throw invalid("parse error")
            }
        case .duration:
            guard let value = GoLiteral.duration(text) else { throw invalid("parse error") }
            durations[name] = value
        }
    }
}
