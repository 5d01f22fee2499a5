import NIOCore
import Wire

/// What waits to be sent to one peer. Heartbeats, votes, acknowledgements and questions overtake entries and forwarded proposals: else ten
/// megabytes on a slow link would be a silence, in which a leader is given up and reads wait.
///
/// ```
///             short, and nothing long waits
///   message ─────────────────────────────────> batch: one frame a turn ──────────┐
///      │      long, or it has to stay behind something long                      ├──> socket
///      └─────────────────────────────────────> bulk: cut into parts, one by one ─┘    as it takes them
/// ```
///
/// Entries keep their order among each other, and so do forwards. A peer that does not know parts gets long messages whole.
struct Lanes {
    /// Complete messages of this turn as the body of a frame; empty when there are none.
    private var batch = ByteWriter()
    private var batchMessages = 0
    /// Messages, each as the body of a frame.
    private var bulk: [[UInt8]] = []
    /// Of the first in `bulk`, what has been taken.
    private var offset = 0
    private var bulkBytes = 0

    /// Bytes that wait.
    var bytes: Int { batch.count + bulkBytes }
    var hasBulk: Bool { !bulk.isEmpty }
    /// Messages that wait, the one included of which some was taken.
    var messages: Int { batchMessages + bulk.count }

    /// - Parameter size: not less than the bytes that the message takes.
    mutating func add(_ message: PeerMessage, size: Int) {
        let isBulk = message.mayBeLong && (hasBulk || batch.count + size > PeerLimits.partBytes)
        guard isBulk else {
            if batch.count == 0 { batch.write(FrameKind.messages.rawValue) }
            PeerMessageCodec.encode(message, into: &batch)
            batchMessages += 1
            return
        }
        var writer = ByteWriter()
        writer.write(FrameKind.messages.rawValue)
        PeerMessageCodec.encode(message, into: &writer)
        bulk.append(writer.bytes)
        bulkBytes += writer.count
    }

    /// True when the batch should become a frame before the turn is over.
    var isBatchFull: Bool { batch.count >= PeerLimits.batchBytesTarget || batchMessages >= PeerLimits.frameMessagesTarget }

    /// The short messages so far, as one frame.
    mutating func takeBatch() -> ByteBuffer? {
        guard batch.count > 0 else { return nil }
        let frame = Frame.wrap(batch.bytes)
        batch.removeAll(keepingUpTo: PeerLimits.keptBytesMax)
        batchMessages = 0
        return frame
    }

    /// The next of the long ones, or a part of it.
    mutating func takeBulk(inParts: Bool) -> ByteBuffer? {
        guard let body = bulk.first else { return nil }
        guard inParts, body.count > PeerLimits.partBytes else {
            removeFirst(body.count)
            return Frame.wrap(body)
        }
        // The kind is told by that of the parts.
        let start = max(1, offset)
        let end = min(body.count, start + PeerLimits.partBytes)
        let isLast = end == body.count
        let frame = Frame.wrap([FrameKind.part.rawValue, isLast ? 1 : 0] + body[start..<end])
        if isLast {
            removeFirst(body.count - offset)
        } else {
            bulkBytes -= end - offset
            offset = end
        }
        return frame
    }

    private mutating func removeFirst(_ count: Int) {
        bulk.removeFirst()
        bulkBytes -= count
        offset = 0
    }

    mutating func removeAll() {
        batch.removeAll(keepingUpTo: PeerLimits.keptBytesMax)
        (batchMessages, bulk, offset, bulkBytes) = (0, [], 0, 0)
    }
}

/// A message that comes in parts.
struct PartsInput {
    private var bytes: [UInt8] = []

    enum Next {
        case incomplete
        case whole([UInt8])
        case broken(String)
    }

    /// - Parameter body: of a frame of parts, kind included.
    mutating func append(_ body: [UInt8], bytesMax: Int) -> Next {
        guard body.count > 2, body[1] <= 1 else { return .broken("a malformed part") }
        guard bytes.count + body.count <= bytesMax else { return .broken("a message in parts that is too long") }
        bytes.append(contentsOf: body[2...])
        guard body[1] == 1 else { return .incomplete }
        defer { bytes = [] }
        return .whole(bytes)
    }
}

extension PeerMessage {
    var isAppend: Bool {
        if case .raft(let message, _) = self, case .append = message.body { true } else { false }
    }

    /// Those that keep their order, and carry payloads.
    var mayBeLong: Bool {
        if case .forward = self { true } else { isAppend }
    }
}
