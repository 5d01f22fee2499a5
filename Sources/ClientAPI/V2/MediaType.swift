import HTTPTransport

/// A `Content-Type` as Go's `mime.ParseMediaType` understands it.
enum MediaType {
    static let form: StaticString = "application/x-www-form-urlencoded"

    /// Says whether the body is a form.
    ///
    /// - Throws: When the type is malformed, with the cause of error 210 (v2-keys.md §2).
    static func isForm(_ text: Span<UInt8>) throws(FormText.SyntaxError) -> Bool {
        // Almost every client sends exactly this.
        if text.equals(form) { return true }
        var end = 0
        while end < text.count, text[end] != UInt8(ascii: ";") { end += 1 }
        let type = trimmed(text, 0..<end)
        try check(text.extracting(type))
        try checkParameters(text, from: end)
        return text.extracting(type).equalsIgnoringCase(form)
    }

    private static func check(_ type: Span<UInt8>) throws(FormText.SyntaxError) {
        var index = 0
        while index < type.count, Token.contains(type[index]) { index += 1 }
        if index == 0 { throw FormText.SyntaxError(cause: Array("mime: no media type")) }
        if index == type.count { return }
        guard type[index] == UInt8(ascii: "/") else {
            throw FormText.SyntaxError(cause: Array("mime: expected slash after first token"))
        }
        let subtype = index + 1
        index = subtype
        while index < type.count, Token.contains(type[index]) { index += 1 }
        if index == subtype { throw FormText.SyntaxError(cause: Array("mime: expected token after slash")) }
        if index < type.count {
            throw FormText.SyntaxError(cause: Array("mime: unexpected content after media subtype"))
        }
    }

    /// `; name=token` or `; name="text"`, any number, and a semicolon at the end.
    private static func checkParameters(_ text: Span<UInt8>, from start: Int) throws(FormText.SyntaxError) {
        var index = start
        func skip(_ isSkipped: (UInt8) -> Bool, _ text: Span<UInt8>) {
            while index < text.count, isSkipped(text[index]) { index += 1 }
        }
        skip(Token.isBlank, text)
        while index < text.count {
            guard text[index] == UInt8(ascii: ";") else { throw invalidParameter }
            index += 1
            skip(Token.isBlank, text)
            if index == text.count { return }
            let name = index
            skip(Token.contains, text)
            guard index > name, index < text.count, text[index] == UInt8(ascii: "=") else { throw invalidParameter }
            index += 1
            if index < text.count, text[index] == UInt8(ascii: "\"") {
                index += 1
                while index < text.count, text[index] != UInt8(ascii: "\"") {
                    index += text[index] == UInt8(ascii: "\\") ? 2 : 1
                }
                guard index < text.count else { throw invalidParameter }
                index += 1
            } else {
                let value = index
                skip(Token.contains, text)
                guard index > value else { throw invalidParameter }
            }
            skip(Token.isBlank, text)
        }
    }

    private static let invalidParameter = FormText.SyntaxError(cause: Array("mime: invalid media parameter"))

    private static func trimmed(_ text: Span<UInt8>, _ range: Range<Int>) -> Range<Int> {
        var (start, end) = (range.lowerBound, range.upperBound)
        while start < end, Token.isBlank(text[start]) { start += 1 }
        while end > start, Token.isBlank(text[end - 1]) { end -= 1 }
        return start..<end
    }

    /// True for what `/v2/members` takes: with a semicolon the part before it in any case, without one exactly
    /// `application/json` (v2-keys.md §15).
    static func isJSON(_ type: [UInt8]) -> Bool {
        guard let semicolon = type.firstIndex(of: UInt8(ascii: ";")) else {
            return type.span.equals("application/json")
        }
        return type.span.extracting(0..<semicolon).equalsIgnoringCase("application/json")
    }
}
