/// Values as Go's `strconv` and `time` read them, because flags mean what they mean to etcdctl.
enum GoLiteral {
    enum Integer: Equatable {
        case value(Int64)
        case outOfRange
        case malformed
    }

    static func bool(_ text: String) -> Bool? {
        switch text {
        case "1", "t", "T", "true", "TRUE", "True": true
        case "0", "f", "F", "false", "FALSE", "False": false
        default: nil
        }
    }

    /// `strconv.ParseInt(text, 0, 64)`: a sign, a prefix 0x, 0o, 0b or 0, and `_` between digits.
    static func int(_ text: String) -> Integer {
        let isNegative = text.hasPrefix("-")
        let unsigned = isNegative || text.hasPrefix("+") ? text.dropFirst() : text[...]
        var digits = unsigned
        var radix = 10
        let prefix = unsigned.prefix(2).lowercased()
        if let special = ["0x": 16, "0o": 8, "0b": 2][prefix] {
            radix = special
            digits = digits.dropFirst(2)
            if digits.hasPrefix("_") { digits = digits.dropFirst() }
        } else if unsigned.hasPrefix("0"), unsigned.utf8.count > 1 {
            radix = 8
        }
        guard !digits.hasPrefix("_"), !digits.hasSuffix("_"), !digits.contains("__") else { return .malformed }
        let plain = digits.filter { $0 != "_" }
        guard !plain.isEmpty, plain.allSatisfy({ Int(String($0), radix: radix) != nil }) else { return .malformed }
        guard let value = Int64((isNegative ? "-" : "") + plain, radix: radix) else { return .outOfRange }
        return .value(value)
    }

    /// `time.ParseDuration` in nanoseconds: `1h15m`, `1.5s`, `-2ms`, `0`. Nil for anything else.
    static func duration(_ text: String) -> Int64? {
        var rest = text[...]
        let isNegative = rest.hasPrefix("-")
        if isNegative || rest.hasPrefix("+") { rest = rest.dropFirst() }
        if rest == "0" { return 0 }
        guard !rest.isEmpty else { return nil }
        var total = 0.0
        while !rest.isEmpty {
            let number = rest.prefix { "0123456789.".contains($0) }
            rest = rest[number.endIndex...]
            let unit = rest.prefix { !"0123456789.".contains($0) }
            rest = rest[unit.endIndex...]
            guard number.contains(where: { $0 != "." }), let nanoseconds = nanosecondsPerUnit[String(unit)],
                let count = Double(number.hasPrefix(".") ? "0" + number : number)
            else { return nil }
            total += count * nanoseconds
        }
        return Int64(exactly: (isNegative ? -total : total).rounded())
    }

    private static let nanosecondsPerUnit: [String: Double] = [
        "ns": 1, "us": 1e3, "µs": 1e3, "μs": 1e3, "ms": 1e6, "s": 1e9, "m": 60e9, "h": 3600e9,
    ]
}
