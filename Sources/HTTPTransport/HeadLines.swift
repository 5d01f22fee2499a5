/// The lines of one head: the request line and what the fields say about the connection and the body.
///
/// Strict where leniency lets two servers see different requests in the same bytes (request smuggling): no blank before
/// a colon, no folded lines, no two lengths, no length beside a coding (RFC 9112 §6.1).
struct HeadLines {
    private(set) var verb = HTTPVerb.other
    private(set) var minorVersion = 1
    private(set) var fields = HeadFields()
    private(set) var contentLength: Int?
    private(set) var isChunked = false
    private(set) var wantsClose = false
    private(set) var wantsKeepAlive = false
    private(set) var expectsContinue = false

    private let fieldsMax: Int
    private var fieldCount = 0

    init(fieldsMax: Int) { self.fieldsMax = fieldsMax }

    /// - Parameter head: Ends in an empty line.
    mutating func read(_ head: Span<UInt8>) throws(HTTPRefusal) {
        var start = 0
        var isFirst = true
        var index = 0
        while index < head.count {
            guard head[index] == UInt8(ascii: "\n") else {
                index += 1
                continue
            }
            var end = index
            if end > start, head[end - 1] == UInt8(ascii: "\r") { end -= 1 }
            if isFirst {
                try readRequestLine(head, start..<end)
                isFirst = false
            } else if end > start {
                try readField(head, start..<end)
            }
            index += 1
            start = index
        }
        // RFC 9112 §3.2: a request without a host, or with two, is not answered.
        if minorVersion > 0, fields.host == nil { throw .malformed }
        if isChunked, contentLength != nil || minorVersion == 0 { throw .malformed }
    }

    private mutating func readRequestLine(_ head: Span<UInt8>, _ line: Range<Int>) throws(HTTPRefusal) {
        var index = line.lowerBound
        while index < line.upperBound, Token.contains(head[index]) { index += 1 }
        let word = line.lowerBound..<index
        guard !word.isEmpty, index < line.upperBound, head[index] == UInt8(ascii: " ") else { throw .malformed }
        verb = Self.verb(head.extracting(word))

        let targetStart = index + 1
        index = targetStart
        while index < line.upperBound, head[index] > 0x20, head[index] != 0x7f { index += 1 }
        guard index > targetStart, index < line.upperBound, head[index] == UInt8(ascii: " ") else { throw .malformed }
        fields.target = targetStart..<index
        try readVersion(head.extracting((index + 1)..<line.upperBound))
    }

    /// `HTTP/1.0` is itself, any later 1.x is taken for 1.1 (RFC 9110 §2.5).
    private mutating func readVersion(_ text: Span<UInt8>) throws(HTTPRefusal) {
        guard text.count == 8, text.starts(with: "HTTP/"), text[6] == UInt8(ascii: "."),
            Token.isDigit(text[5]), Token.isDigit(text[7])
        else { throw .malformed }
        guard text[5] == UInt8(ascii: "1") else { throw .versionUnknown }
        minorVersion = text[7] == UInt8(ascii: "0") ? 0 : 1
    }

    private static func verb(_ verb: Span<UInt8>) -> HTTPVerb {
        switch verb.count {
        case 3: verb.starts(with: "GET") ? .get : verb.starts(with: "PUT") ? .put : .other
        case 4: verb.starts(with: "POST") ? .post : verb.starts(with: "HEAD") ? .head : .other
        case 6: verb.starts(with: "DELETE") ? .delete : .other
        case 7: verb.starts(with: "OPTIONS") ? .options : .other
        default: .other
        }
    }

    private mutating func readField(_ head: Span<UInt8>, _ line: Range<Int>) throws(HTTPRefusal) {
        fieldCount += 1
        if fieldCount > fieldsMax { throw .headTooLarge }
        var index = line.lowerBound
        while index < line.upperBound, Token.contains(head[index]) { index += 1 }
        let name = line.lowerBound..<index
        guard !name.isEmpty, index < line.upperBound, head[index] == UInt8(ascii: ":") else { throw .malformed }
        var start = index + 1
        var end = line.upperBound
        while start < end, Token.isBlank(head[start]) { start += 1 }
        while end > start, Token.isBlank(head[end - 1]) { end -= 1 }
        for position in start..<end where head[position] < 0x20 && head[position] != 9 || head[position] == 0x7f {
            throw .malformed
        }
        try note(name: head.extracting(name), value: head.extracting(start..<end), at: start..<end)
    }

    /// The length decides which names are worth comparing: most fields are dropped here.
    private mutating func note(
        name: Span<UInt8>, value: Span<UInt8>, at range: Range<Int>
    ) throws(HTTPRefusal) {
        switch name.count {
        case 4 where name.equalsIgnoringCase("host"):
            if fields.host != nil { throw .malformed }
            fields.host = range
        case 6 where name.equalsIgnoringCase("origin"):
            if fields.origin == nil { fields.origin = range }
        case 6 where name.equalsIgnoringCase("expect"):
            guard value.equalsIgnoringCase("100-continue") else { throw .expectationUnknown }
            expectsContinue = true
        case 10 where name.equalsIgnoringCase("connection"):
            noteConnection(value)
        case 12 where name.equalsIgnoringCase("content-type"):
            if fields.contentType == nil { fields.contentType = range }
        case 13 where name.equalsIgnoringCase("authorization"):
            if fields.authorization == nil { fields.authorization = range }
        case 14 where name.equalsIgnoringCase("content-length"):
            guard let length = value.decimal, contentLength == nil || contentLength == length else { throw .malformed }
            contentLength = length
        case 17 where name.equalsIgnoringCase("transfer-encoding"):
            if isChunked { throw .malformed }
            guard value.equalsIgnoringCase("chunked") else { throw .codingUnknown }
            isChunked = true
        default:
            break
        }
    }

    private mutating func noteConnection(_ value: Span<UInt8>) {
        var start = 0
        for index in 0...value.count where index == value.count || value[index] == UInt8(ascii: ",") {
            var word = start..<index
            while !word.isEmpty, Token.isBlank(value[word.lowerBound]) { word = word.lowerBound + 1..<word.upperBound }
            while !word.isEmpty, Token.isBlank(value[word.upperBound - 1]) {
                word = word.lowerBound..<word.upperBound - 1
            }
            if value.extracting(word).equalsIgnoringCase("close") { wantsClose = true }
            if value.extracting(word).equalsIgnoringCase("keep-alive") { wantsKeepAlive = true }
            start = index + 1
        }
    }
}
