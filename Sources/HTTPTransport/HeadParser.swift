import NIOCore

/// Parses one request head (RFC 9112 §2–6) out of bytes a stranger sent.
///
/// It is our own because clients may send any token as the verb and get 405 (v2-keys.md §1), which llhttp refuses to
/// parse, and because reading the few fields we need in one pass costs a third of a general parser. All access is
/// through `Span`, which checks bounds.
struct HeadParser {
    enum Outcome {
        case incomplete
        case parsed(ParsedHead)
        case refused(HTTPRefusal)
    }

    let bytesMax: Int
    let fieldsMax: Int
    /// Bytes of the current head already searched for its end, so that a head that drips in is not searched anew.
    private var searched = 0

    init(bytesMax: Int, fieldsMax: Int) {
        self.bytesMax = bytesMax
        self.fieldsMax = fieldsMax
    }

    /// Takes a whole head from the front of `input`, or nothing.
    mutating func next(from input: inout ByteBuffer) -> Outcome {
        if searched == 0 { skipEmptyLines(&input) }
        guard let length = endOfHead(in: input.readableBytesUInt8Span) else {
            if searched > bytesMax { return .refused(.headTooLarge) }
            return .incomplete
        }
        searched = 0
        if length > bytesMax { return .refused(.headTooLarge) }
        guard let head = input.readSlice(length: length) else { return .incomplete }
        do throws(HTTPRefusal) {
            var lines = HeadLines(fieldsMax: fieldsMax)
            try lines.read(head.readableBytesUInt8Span)
            return .parsed(ParsedHead(head: head, lines: lines))
        } catch {
            return .refused(error)
        }
    }

    /// A client may send an empty line after a body that nobody counted (RFC 9112 §2.2).
    private func skipEmptyLines(_ input: inout ByteBuffer) {
        while let byte = input.getInteger(at: input.readerIndex, as: UInt8.self), byte == 10 || byte == 13 {
            input.moveReaderIndex(forwardBy: 1)
        }
    }

    /// The number of bytes up to and including the empty line.
    private mutating func endOfHead(in bytes: Span<UInt8>) -> Int? {
        var index = searched
        let count = bytes.count
        while index < count {
            if bytes[index] == 10 {
                if index >= 1, bytes[index - 1] == 10 { return index + 1 }
                if index >= 2, bytes[index - 1] == 13, bytes[index - 2] == 10 { return index + 1 }
            }
            index += 1
        }
        searched = count
        return nil
    }
}

/// Why a request is answered by the transport itself, after which the connection ends.
enum HTTPRefusal: Error {
    case malformed
    case headTooLarge
    /// A transfer coding other than chunked.
    case codingUnknown
    case versionUnknown
    case expectationUnknown
    case bodyMalformed
    /// Nothing is wrong with it, but the listener holds too much for others.
    case overloaded
}

/// A head that was understood.
struct ParsedHead {
    enum BodyLength {
        case none
        case bytes(Int)
        case chunked
    }

    let request: HTTPRequest
    let isHTTP10: Bool
    let body: BodyLength
    let expectsContinue: Bool

    init(head: ByteBuffer, lines: HeadLines) {
        isHTTP10 = lines.minorVersion == 0
        let isKeepAlive = lines.minorVersion == 0 ? lines.wantsKeepAlive && !lines.wantsClose : !lines.wantsClose
        request = HTTPRequest(verb: lines.verb, isKeepAlive: isKeepAlive, head: head, fields: lines.fields)
        if lines.isChunked {
            body = .chunked
        } else if let length = lines.contentLength, length > 0 {
            body = .bytes(length)
        } else {
            body = .none
        }
        expectsContinue = lines.expectsContinue && lines.minorVersion > 0
    }
}
