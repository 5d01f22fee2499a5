import NIOCore

/// The head as it was sent, for whoever hands the request on. It was checked when it was parsed: there are no control characters in it but
/// tabs, and no folded lines.
extension HTTPRequest {
    package var method: String { String(decoding: head.readableBytesView.prefix { $0 != UInt8(ascii: " ") }, as: UTF8.self) }

    package var target: String { String(decoding: head.readableBytesUInt8Span.extracting(fields.target).bytes, as: UTF8.self) }

    /// All of them, repeated ones too, in their order and without blanks around the values.
    package var allFields: [(name: String, value: String)] {
        head.readableBytesView.split(separator: UInt8(ascii: "\n")).dropFirst().compactMap { line in
            guard let colon = line.firstIndex(of: UInt8(ascii: ":")) else { return nil }
            var value = line[line.index(after: colon)...]
            while let first = value.first, Token.isBlank(first) { value.removeFirst() }
            while let last = value.last, Token.isBlank(last) || last == UInt8(ascii: "\r") { value.removeLast() }
            return (String(decoding: line[..<colon], as: UTF8.self), String(decoding: value, as: UTF8.self))
        }
    }
}

extension Span where Element == UInt8 {
    fileprivate var bytes: [UInt8] { withUnsafeBufferPointer { Array($0) } }
}
