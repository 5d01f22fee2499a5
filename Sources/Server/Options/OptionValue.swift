/// The grammars of option values: what Go's flag package accepts, so that a working command line keeps working.
enum OptionValue {
    /// Why `text` is no value of this kind, in etcd's words; nil when it is one.
    static func problem(_ text: String, _ kind: Option.Kind) -> String? {
        switch kind {
        case .text, .path, .list:
            return nil
        case .boolean:
            return boolean(text) == nil ? "parse error" : nil
        case .unsigned(let type):
            return numberProblem(magnitude(text, limit: type == .uint32 ? UInt64(UInt32.max) : .max))
        case .signed:
            let digits = text.hasPrefix("-") || text.hasPrefix("+") ? text.dropFirst() : text[...]
            let limit = text.hasPrefix("-") ? Int64.min.magnitude : Int64.max.magnitude
            return numberProblem(magnitude(digits, limit: limit))
        case .duration:
            return isDuration(text) ? nil : "parse error"
        case .urls:
            return urlsProblem(text)
        case .origins:
            return text == "*" ? nil : urlsProblem(text)
        case .choice(let choices):
            return choices.contains(text) ? nil : "invalid value"
        case .address:
            return HostAndPort(LegacyAddresses.bare(text))?.port == nil ? "not of the form host:port" : nil
        case .bindAddress:
            return HostAndPort(LegacyAddresses.bare(text)) == nil ? "not of the form host or host:port" : nil
        }
    }

    /// Go's `strconv.ParseBool`.
    static func boolean(_ text: String) -> Bool? {
        switch text {
        case "1", "t", "T", "true", "TRUE", "True": true
        case "0", "f", "F", "false", "FALSE", "False": false
        default: nil
        }
    }

    static func unsigned(_ text: String) -> UInt64? {
        switch magnitude(text, limit: .max) {
        case .value(let value): value
        case .malformed, .tooLarge: nil
        }
    }

    enum Number: Equatable {
        case value(UInt64), malformed, tooLarge
    }

    /// Go's `strconv.ParseUint` with base 0: decimal, `0x`, `0o`, `0b`, a leading zero for octal.
    private static func magnitude(_ text: some StringProtocol, limit: UInt64) -> Number {
        var digits = Array(text.utf8)[...]
        var radix: UInt64 = 10
        if digits.first == UInt8(ascii: "0"), digits.count > 1 {
            digits = digits.dropFirst()
            switch digits.first.map({ $0 | 0x20 }) {
            case UInt8(ascii: "x"): (radix, digits) = (16, digits.dropFirst())
            case UInt8(ascii: "o"): (radix, digits) = (8, digits.dropFirst())
            case UInt8(ascii: "b"): (radix, digits) = (2, digits.dropFirst())
            default: radix = 8
            }
        }
        guard !digits.isEmpty else { return .malformed }
        var total: UInt64 = 0
        var isTooLarge = false
        for byte in digits {
            guard let digit = digitValue(byte), digit < radix else { return .malformed }
            let product = total.multipliedReportingOverflow(by: radix)
            let sum = product.partialValue.addingReportingOverflow(digit)
            isTooLarge = isTooLarge || product.overflow || sum.overflow || sum.partialValue > limit
            total = sum.partialValue
        }
        return isTooLarge ? .tooLarge : .value(total)
    }

    private static func digitValue(_ byte: UInt8) -> UInt64? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): UInt64(byte - UInt8(ascii: "0"))
        case UInt8(ascii: "a")...UInt8(ascii: "f"): UInt64(byte - UInt8(ascii: "a")) + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): UInt64(byte - UInt8(ascii: "A")) + 10
        default: nil
        }
    }

    private static func numberProblem(_ number: Number) -> String? {
        switch number {
        case .value: nil
        case .malformed: "parse error"
        case .tooLarge: "value out of range"
        }
    }

    /// Go's `time.ParseDuration`: `0`, or decimal numbers each with a unit, as in `1h30m` or `1.5s`.
    static func isDuration(_ text: String) -> Bool {
        var rest = text[...]
        if rest.hasPrefix("-") || rest.hasPrefix("+") { rest = rest.dropFirst() }
        if rest == "0" { return true }
        guard !rest.isEmpty else { return false }
        while !rest.isEmpty {
            let number = rest.prefix { $0.isASCII && ($0.isNumber || $0 == ".") }
            rest = rest.dropFirst(number.count)
            let unit = rest.prefix { $0.isLetter }
            rest = rest.dropFirst(unit.count)
            guard number.contains(where: \.isNumber), number.count(where: { $0 == "." }) <= 1,
                ["ns", "us", "µs", "μs", "ms", "s", "m", "h"].contains(unit)
            else { return false }
        }
        return true
    }

    private static func urlsProblem(_ text: String) -> String? {
        do {
            _ = try EndpointURL.list(text)
            return nil
        } catch {
            return error.text
        }
    }
}
