import HTTPTransport

/// `a=1&b=2` as HTML forms and queries write it (v2-keys.md §2, Where parameters may be).
enum FormText {
    /// The cause of an error 210.
    struct SyntaxError: Error {
        let cause: [UInt8]
    }

    /// The next pair, undecoded; a name without `=` has the empty value, empty pieces are skipped.
    ///
    /// - Parameter place: Where to go on; zero at first.
    /// - Returns: Nil at the end.
    static func nextPair(
        _ text: Span<UInt8>, from place: inout Int
    ) throws(SyntaxError) -> (name: Range<Int>, value: Range<Int>)? {
        while place < text.count, text[place] == UInt8(ascii: "&") { place += 1 }
        if place >= text.count { return nil }
        let start = place
        var equals: Int?
        var hasSemicolon = false
        while place < text.count, text[place] != UInt8(ascii: "&") {
            if text[place] == UInt8(ascii: "="), equals == nil { equals = place }
            if text[place] == UInt8(ascii: ";") { hasSemicolon = true }
            place += 1
        }
        if hasSemicolon { throw SyntaxError(cause: Array("invalid semicolon separator in query")) }
        guard let equals else { return (start..<place, place..<place) }
        return (start..<equals, (equals + 1)..<place)
    }

    /// `+` is a blank, `%XX` a byte. A text without either is copied in one piece: a value may have 10 MiB.
    static func decode(_ text: Span<UInt8>) throws(SyntaxError) -> [UInt8] {
        guard let first = firstEscape(text) else { return text.array }
        var decoded = text.extracting(0..<first).array
        decoded.reserveCapacity(text.count)
        var index = first
        while index < text.count {
            let byte = text[index]
            index += 1
            switch byte {
            case UInt8(ascii: "+"):
                decoded.append(UInt8(ascii: " "))
            case UInt8(ascii: "%"):
                guard index + 1 < text.count, let high = Token.hexValue(text[index]),
                    let low = Token.hexValue(text[index + 1])
                else { throw badEscape(text.extracting((index - 1)..<min(index + 2, text.count))) }
                decoded.append(high << 4 | low)
                index += 2
            default:
                decoded.append(byte)
            }
        }
        return decoded
    }

    /// Only checks what `decode` checks.
    static func validate(_ text: Span<UInt8>) throws(SyntaxError) {
        if firstEscape(text) != nil { _ = try decode(text) }
    }

    static func firstEscape(_ text: Span<UInt8>) -> Int? {
        for index in text.indices where text[index] == UInt8(ascii: "%") || text[index] == UInt8(ascii: "+") {
            return index
        }
        return nil
    }

    /// `invalid URL escape "%zz"`, quoted as Go quotes.
    private static func badEscape(_ piece: Span<UInt8>) -> SyntaxError {
        var cause = [UInt8]("invalid URL escape \"")
        let digits = [UInt8]("0123456789abcdef")
        var index = 0
        while index < piece.count {
            let byte = piece[index]
            let length = UTF8Sequence.length(piece, at: index)
            if byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") {
                cause.append(contentsOf: [UInt8(ascii: "\\"), byte])
            } else if byte == UInt8(ascii: "\n") {
                cause.append(contentsOf: "\\n".utf8)
            } else if byte == UInt8(ascii: "\r") {
                cause.append(contentsOf: "\\r".utf8)
            } else if byte == UInt8(ascii: "\t") {
                cause.append(contentsOf: "\\t".utf8)
            } else if length == 0 || byte < 0x20 || byte == 0x7f {
                cause.append(contentsOf: [
                    UInt8(ascii: "\\"), UInt8(ascii: "x"), digits[Int(byte >> 4)], digits[Int(byte & 0xf)],
                ])
            } else {
                cause.append(contentsOf: piece.extracting(index..<(index + length)).array)
            }
            index += max(length, 1)
        }
        cause.append(UInt8(ascii: "\""))
        return SyntaxError(cause: cause)
    }
}
