import NIOCore

/// Takes a chunked request body apart (RFC 9112 §7.1). Extensions and trailers are read and thrown away.
struct ChunkedBody {
    enum Outcome {
        case incomplete
        case complete
        case tooLarge
        case malformed
    }

    private enum Place {
        case sizeLine
        case data(remaining: Int)
        case dataEnd
        case trailers(bytes: Int)
    }

    private var place = Place.sizeLine

    /// Moves what has arrived from `input` to `body`.
    mutating func read(from input: inout ByteBuffer, into body: inout ByteBuffer, bytesMax: Int) -> Outcome {
        while true {
            switch place {
            case .sizeLine:
                switch line(from: &input, bytesMax: HTTPServerLimits.chunkLineBytesMax) {
                case .incomplete: return .incomplete
                case .malformed: return .malformed
                case .line(let line):
                    guard let size = Self.size(line.readableBytesUInt8Span) else { return .malformed }
                    if size > bytesMax - body.readableBytes { return .tooLarge }
                    place = size == 0 ? .trailers(bytes: 0) : .data(remaining: size)
                }
            case .data(let remaining):
                guard let part = input.readSlice(length: min(remaining, input.readableBytes)), part.readableBytes > 0
                else { return .incomplete }
                body.writeImmutableBuffer(part)
                let rest = remaining - part.readableBytes
                place = rest == 0 ? .dataEnd : .data(remaining: rest)
            case .dataEnd:
                switch line(from: &input, bytesMax: 0) {
                case .incomplete: return .incomplete
                case .malformed: return .malformed
                case .line: place = .sizeLine
                }
            case .trailers(let bytes):
                switch line(from: &input, bytesMax: HTTPServerLimits.trailerBytesMax - bytes) {
                case .incomplete: return .incomplete
                case .malformed: return .malformed
                case .line(let line):
                    if line.readableBytes == 0 { return .complete }
                    place = .trailers(bytes: bytes + line.readableBytes + 2)
                }
            }
        }
    }

    private enum Line {
        case incomplete
        case malformed
        case line(ByteBuffer)
    }

    /// Bytes up to CRLF, which is consumed. A bare LF is malformed: peers disagree about what it means here.
    private func line(from input: inout ByteBuffer, bytesMax: Int) -> Line {
        let length = Self.lengthOfLine(input.readableBytesUInt8Span, bytesMax: bytesMax)
        guard let length else {
            return input.readableBytes > bytesMax + 1 ? .malformed : .incomplete
        }
        guard length >= 0, let line = input.readSlice(length: length) else { return .malformed }
        input.moveReaderIndex(forwardBy: 2)
        return .line(line)
    }

    /// Nil when no line ends within the bound, -1 when it ends without a CR.
    private static func lengthOfLine(_ bytes: Span<UInt8>, bytesMax: Int) -> Int? {
        let limit = min(bytes.count, max(bytesMax, 0) + 2)
        for index in 0..<limit where bytes[index] == UInt8(ascii: "\n") {
            return index > 0 && bytes[index - 1] == UInt8(ascii: "\r") ? index - 1 : -1
        }
        return nil
    }

    private static func size(_ line: Span<UInt8>) -> Int? {
        var size = 0
        var index = 0
        while index < line.count, let digit = Token.hexValue(line[index]) {
            // Fifteen digits cannot overflow, and no body is that long.
            if index >= 15 { return nil }
            size = size << 4 | Int(digit)
            index += 1
        }
        while index < line.count, Token.isBlank(line[index]) { index += 1 }
        guard index > 0, index == line.count || line[index] == UInt8(ascii: ";") else { return nil }
        return line.isEmpty || Token.hexValue(line[0]) == nil ? nil : size
    }
}
