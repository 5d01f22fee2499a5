import HTTPTransport

/// Reads one JSON text from its bytes, with the messages of Go's parser where they are simple.
struct JSONReader {
    private let text: [UInt8]
    private var index = 0

    /// Arrays and objects inside each other: the reader calls itself for each.
    private static let depthMax = 64

    init(_ text: [UInt8]) { self.text = text }

    mutating func whole() throws(JSONValue.Malformed) -> JSONValue {
        let value = try value(depth: 0)
        skipBlanks()
        if let byte = peek { throw invalid(byte, "after top-level value") }
        return value
    }

    private mutating func value(depth: Int) throws(JSONValue.Malformed) -> JSONValue {
        if depth > Self.depthMax { throw JSONValue.Malformed(message: "exceeded max depth") }
        skipBlanks()
        guard let byte = peek else { throw end }
        switch byte {
        case UInt8(ascii: "{"): return try object(depth: depth)
        case UInt8(ascii: "["): return try array(depth: depth)
        case UInt8(ascii: "\""): return .string(try string())
        case UInt8(ascii: "t"): return try word("true", .bool(true))
        case UInt8(ascii: "f"): return try word("false", .bool(false))
        case UInt8(ascii: "n"): return try word("null", .null)
        case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): return try number()
        default: throw invalid(byte, "looking for beginning of value")
        }
    }

    private mutating func object(depth: Int) throws(JSONValue.Malformed) -> JSONValue {
        index += 1
        var members: [(name: [UInt8], value: JSONValue)] = []
        skipBlanks()
        if peek == UInt8(ascii: "}") {
            index += 1
            return .object([])
        }
        while true {
            skipBlanks()
            guard let byte = peek else { throw end }
            guard byte == UInt8(ascii: "\"") else { throw invalid(byte, "looking for beginning of object key string") }
            let name = try string()
            skipBlanks()
            try expect(UInt8(ascii: ":"), "after object key")
            members.append((name, try value(depth: depth + 1)))
            skipBlanks()
            if peek == UInt8(ascii: ",") {
                index += 1
                continue
            }
            try expect(UInt8(ascii: "}"), "after object key:value pair")
            return .object(members)
        }
    }

    private mutating func array(depth: Int) throws(JSONValue.Malformed) -> JSONValue {
        index += 1
        var values: [JSONValue] = []
        skipBlanks()
        if peek == UInt8(ascii: "]") {
            index += 1
            return .array([])
        }
        while true {
            values.append(try value(depth: depth + 1))
            skipBlanks()
            if peek == UInt8(ascii: ",") {
                index += 1
                continue
            }
            try expect(UInt8(ascii: "]"), "after array element")
            return .array(values)
        }
    }

    private mutating func string() throws(JSONValue.Malformed) -> [UInt8] {
        index += 1
        var bytes: [UInt8] = []
        while let byte = peek {
            index += 1
            switch byte {
            case UInt8(ascii: "\""): return bytes
            case UInt8(ascii: "\\"): try appendEscape(to: &bytes)
            case 0..<0x20: throw invalid(byte, "in string literal")
            default: bytes.append(byte)
            }
        }
        throw end
    }

    private mutating func appendEscape(to bytes: inout [UInt8]) throws(JSONValue.Malformed) {
        guard let byte = peek else { throw end }
        index += 1
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): bytes.append(byte)
        case UInt8(ascii: "b"): bytes.append(8)
        case UInt8(ascii: "f"): bytes.append(12)
        case UInt8(ascii: "n"): bytes.append(10)
        case UInt8(ascii: "r"): bytes.append(13)
        case UInt8(ascii: "t"): bytes.append(9)
        case UInt8(ascii: "u"):
            var code = try fourDigits()
            if code & 0xfc00 == 0xd800, index + 1 < text.count, text[index] == UInt8(ascii: "\\"),
                text[index + 1] == UInt8(ascii: "u")
            {
                index += 2
                let low = try fourDigits()
                code = low & 0xfc00 == 0xdc00 ? 0x10000 + (code & 0x3ff) << 10 + low & 0x3ff : 0xfffd
            }
            let scalar = Unicode.Scalar(code) ?? "\u{fffd}"
            bytes.append(contentsOf: Array(String(Character(scalar)).utf8))
        default: throw invalid(byte, "in string escape code")
        }
    }

    private mutating func fourDigits() throws(JSONValue.Malformed) -> UInt32 {
        var code: UInt32 = 0
        for _ in 0..<4 {
            guard let byte = peek else { throw end }
            guard let digit = Token.hexValue(byte) else { throw invalid(byte, "in \\u hexadecimal character escape") }
            code = code << 4 | UInt32(digit)
            index += 1
        }
        return code
    }

    /// Its bytes are kept as they are: nobody here computes with them.
    private mutating func number() throws(JSONValue.Malformed) -> JSONValue {
        let start = index
        while let byte = peek, Token.isDigit(byte) || "+-.eE".utf8.contains(byte) { index += 1 }
        let bytes = Array(text[start..<index])
        guard Double(String(decoding: bytes, as: UTF8.self)) != nil else {
            throw JSONValue.Malformed(message: "invalid character in numeric literal")
        }
        return .number(bytes)
    }

    private mutating func word(_ word: String, _ value: JSONValue) throws(JSONValue.Malformed) -> JSONValue {
        for letter in word.utf8 {
            guard let byte = peek else { throw end }
            guard byte == letter else { throw invalid(byte, "in literal \(word)") }
            index += 1
        }
        return value
    }

    private mutating func expect(_ wanted: UInt8, _ place: String) throws(JSONValue.Malformed) {
        guard let byte = peek else { throw end }
        guard byte == wanted else { throw invalid(byte, place) }
        index += 1
    }

    private mutating func skipBlanks() {
        while let byte = peek, byte == 0x20 || byte == 0x0a || byte == 0x0d || byte == 0x09 { index += 1 }
    }

    private var peek: UInt8? { index < text.count ? text[index] : nil }

    private var end: JSONValue.Malformed { JSONValue.Malformed(message: "unexpected end of JSON input") }

    private func invalid(_ byte: UInt8, _ place: String) -> JSONValue.Malformed {
        JSONValue.Malformed(message: "invalid character '\(Character(Unicode.Scalar(byte)))' \(place)")
    }
}
