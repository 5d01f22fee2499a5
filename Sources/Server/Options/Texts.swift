/// Small text habits shared by the parsers of this folder.
enum Blanks {
    static func trimmed(_ text: some StringProtocol) -> String {
        let isBlank = { (character: Character) in character.isWhitespace }
        let head = text.drop(while: isBlank)
        guard let last = head.lastIndex(where: { !$0.isWhitespace }) else { return "" }
        return String(head[...last])
    }

    /// Items of a comma separated list, trimmed, without empty ones.
    static func items(_ text: String) -> [String] {
        text.split(separator: ",").map { trimmed($0) }.filter { !$0.isEmpty }
    }
}

enum Quoted {
    /// Go's `%q` for the texts that occur in messages: quotes, backslashes and control characters escaped.
    static func go(_ text: some StringProtocol) -> String {
        var result = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": result += "\\\""
            case "\\": result += "\\\\"
            case "\n": result += "\\n"
            case "\r": result += "\\r"
            case "\t": result += "\\t"
            case _ where scalar.value < 0x20 || scalar.value == 0x7f:
                result += "\\x" + (scalar.value < 0x10 ? "0" : "") + String(scalar.value, radix: 16)
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result + "\""
    }

    /// Go's `%q` for a list: `["a" "b"]`.
    static func list(_ texts: [String]) -> String {
        "[" + texts.map { go($0) }.joined(separator: " ") + "]"
    }
}
