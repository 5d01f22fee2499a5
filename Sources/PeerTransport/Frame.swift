import NIOCore
import Wire

/// What a frame holds: the first byte of its body. The raw values are sent; never renumber.
enum FrameKind: UInt8, Sendable {
    case hello = 1
    case helloReply = 2
    /// Messages of `PeerMessageCodec`, one behind the other.
    case messages = 3
    /// A word that comes back as it is.
    case ping = 4
    case pong = 5
    case snapshotHeader = 6
    case snapshotReply = 7
    case snapshotChunk = 8
    case snapshotEnd = 9
    /// The leader's wall clock, nanoseconds since 1970 UTC.
    case time = 10
    /// Where this member listens for the others: a byte that counts, so many URLs.
    case addresses = 11
    /// A piece of a body of `messages` without its kind, in order and with nothing else of that sort between: a byte that is 1 with the last
    /// piece, else 0; then the bytes. Sent to those alone whose hello says that they know it.
    case part = 12
}

/// A frame on the wire: length of the body (u32, little-endian), its CRC32C (likewise), the body.
enum Frame {
    static let headBytes = 8

    /// - Parameter body: begins with its kind.
    static func wrap(_ body: [UInt8]) -> ByteBuffer {
        var checksum = CRC32C()
        checksum.update(body)
        var frame = ByteBuffer()
        frame.reserveCapacity(headBytes + body.count)
        frame.writeInteger(UInt32(clamping: body.count), endianness: .little)
        frame.writeInteger(checksum.value, endianness: .little)
        frame.writeBytes(body)
        return frame
    }

    static func wrap(_ kind: FrameKind, _ fill: (inout ByteWriter) -> Void) -> ByteBuffer {
        var writer = ByteWriter()
        writer.write(kind.rawValue)
        fill(&writer)
        return wrap(writer.bytes)
    }
}

/// Why bytes are no frame.
enum FrameFault: Equatable, Sendable {
    case tooLong(UInt32)
    case checksum
    case empty

    var text: String {
        switch self {
        case .tooLong(let count): "frame of \(count) bytes is too long"
        case .checksum: "checksum of a frame does not match"
        case .empty: "frame without content"
        }
    }

    static func unknown(_ kind: UInt8) -> String { "frame of unknown kind \(kind)" }
}

/// Collects what a socket gives and takes frames from it. Grows only with what has really arrived.
struct FrameInput {
    enum Next {
        case incomplete
        /// The bytes begin with the kind.
        case frame(FrameKind, [UInt8])
        /// Whole, with a right checksum, and of a kind that this version does not know.
        case unknown(UInt8)
        case broken(FrameFault)
    }

    private var input = ByteBuffer()

    var isEmpty: Bool { input.readableBytes == 0 }

    mutating func append(_ arrived: ByteBuffer) {
        var arrived = arrived
        if input.readableBytes == 0 {
            input = arrived
        } else {
            if input.readerIndex > 64 << 10 { input.discardReadBytes() }
            input.writeBuffer(&arrived)
        }
    }

    mutating func next(bytesMax: Int) -> Next {
        guard let length = input.getInteger(at: input.readerIndex, endianness: .little, as: UInt32.self) else {
            if input.readableBytes == 0 { input = ByteBuffer() }
            return .incomplete
        }
        guard length > 0 else { return .broken(.empty) }
        guard Int(length) <= bytesMax else { return .broken(.tooLong(length)) }
        guard input.readableBytes >= Frame.headBytes + Int(length),
            let checksum = input.getInteger(at: input.readerIndex + 4, endianness: .little, as: UInt32.self)
        else { return .incomplete }
        input.moveReaderIndex(forwardBy: Frame.headBytes)
        guard let body = input.readBytes(length: Int(length)), let first = body.first else { return .broken(.empty) }
        var actual = CRC32C()
        actual.update(body)
        guard actual.value == checksum else { return .broken(.checksum) }
        guard let kind = FrameKind(rawValue: first) else { return .unknown(first) }
        return .frame(kind, body)
    }
}
