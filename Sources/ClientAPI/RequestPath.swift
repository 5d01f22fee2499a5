import HTTPTransport

/// The path of a request target: decoded once, and clean or redirected (v2-keys.md §2).
enum RequestPath {
    enum Outcome {
        /// Decoded; begins with a slash. `query` is the place of the query in the target, nil without a question mark.
        case clean([UInt8], query: Range<Int>?)
        /// Where to go instead, escaped, with the query as it was sent.
        case redirect(location: [UInt8])
        case malformed
    }

    private static let slash = UInt8(ascii: "/")

    static func parse(_ target: Span<UInt8>) -> Outcome {
        guard let start = startOfPath(target) else { return .malformed }
        let (path, query) = split(target, from: start)
        guard let decoded = decode(target.extracting(path)) else { return .malformed }
        if decoded.isClean, !decoded.bytes.isEmpty { return .clean(decoded.bytes, query: query) }
        var location = escaped(cleaned(decoded.bytes))
        if let query, !query.isEmpty {
            location.append(UInt8(ascii: "?"))
            location.append(contentsOf: target.extracting(query).array)
        }
        return .redirect(location: location)
    }

    /// Splits at the first question mark.
    static func split(_ target: Span<UInt8>, from start: Int) -> (path: Range<Int>, query: Range<Int>?) {
        for index in start..<target.count where target[index] == UInt8(ascii: "?") {
            return (start..<index, (index + 1)..<target.count)
        }
        return (start..<target.count, nil)
    }

    /// Decodes escapes and says whether the result is clean: no empty, `.` or `..` segments, but for a slash at the end.
    /// Text that begins without a slash is not clean, except for none at all.
    ///
    /// - Returns: Nil for a bad escape.
    static func decode(_ text: Span<UInt8>) -> (bytes: [UInt8], isClean: Bool)? {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(text.count)
        var isClean = true
        // Of the segment being read.
        var length = 0
        var isDots = true
        var index = 0
        while index < text.count {
            var byte = text[index]
            index += 1
            if byte == UInt8(ascii: "%") {
                guard index + 1 < text.count, let high = Token.hexValue(text[index]),
                    let low = Token.hexValue(text[index + 1])
                else { return nil }
                byte = high << 4 | low
                index += 2
            }
            if byte == slash {
                if bytes.isEmpty ? false : isDots && length <= 2 { isClean = false }
                length = 0
                isDots = true
            } else {
                if bytes.isEmpty { isClean = false }
                length += 1
                if byte != UInt8(ascii: ".") { isDots = false }
            }
            bytes.append(byte)
        }
        if isDots, length == 1 || length == 2 { isClean = false }
        return (bytes, isClean)
    }

    /// Where the path of an origin-form or absolute-form target begins (RFC 9112 §3.2); nil for other forms.
    private static func startOfPath(_ target: Span<UInt8>) -> Int? {
        if target.count > 0, target[0] == slash { return 0 }
        var index = 0
        while index < target.count, target[index] != UInt8(ascii: ":"), target[index] != slash { index += 1 }
        guard index > 0, index + 2 < target.count, target[index] == UInt8(ascii: ":"), target[index + 1] == slash,
            target[index + 2] == slash
        else { return nil }
        index += 3
        while index < target.count, target[index] != slash, target[index] != UInt8(ascii: "?") { index += 1 }
        return index
    }

    /// As Go's `path.Clean`, keeping one slash at the end; `..` never climbs above the root.
    static func cleaned(_ path: [UInt8]) -> [UInt8] {
        var segments: [ArraySlice<UInt8>] = []
        for segment in path.split(separator: slash) {
            if segment.elementsEqual(".".utf8) { continue }
            if segment.elementsEqual("..".utf8) {
                _ = segments.popLast()
            } else {
                segments.append(segment)
            }
        }
        var clean: [UInt8] = []
        for segment in segments {
            clean.append(slash)
            clean.append(contentsOf: segment)
        }
        if clean.isEmpty || path.last == slash { clean.append(slash) }
        return clean
    }

    /// As Go escapes a path: letters, digits and `-_.~$&+,/:;=@` stay.
    static func escaped(_ path: [UInt8]) -> [UInt8] {
        var text: [UInt8] = []
        let digits = Array("0123456789ABCDEF".utf8)
        for byte in path {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "."),
                UInt8(ascii: "~"), UInt8(ascii: "$"), UInt8(ascii: "&"), UInt8(ascii: "+"), UInt8(ascii: ","),
                UInt8(ascii: "/"), UInt8(ascii: ":"), UInt8(ascii: ";"), UInt8(ascii: "="), UInt8(ascii: "@"):
                text.append(byte)
            default:
                text.append(contentsOf: [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 0xf)]])
            }
        }
        return text
    }
}

extension Span where Element == UInt8 {
    /// A copy.
    var array: [UInt8] {
        // The pointer does not leave the closure; copying byte by byte would be slow for a large value.
        withUnsafeBufferPointer { Array($0) }
    }
}
