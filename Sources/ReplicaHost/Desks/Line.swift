import NIOCore
import Raft
import Replica
import Wire

/// What has been handed to which thread?
///
/// Entries reach the apply thread in order, each once, by one of three ways:
///
///     with the order      alone, durable is committed: the log thread passes on what it has just written
///     from memory         otherwise: the loop gives what is committed and durable here
///     from the file       what is no longer in memory: the log thread reads a piece and passes it on
///
/// `handedOn` is where the next way begins. While a piece is being read nothing else is handed on: it would come too early. While the apply
/// thread is behind nothing is handed on: what memory lets go of meanwhile is read from the file. What is applied while the disk of the tree is
/// full stays in memory until there is room: a little more does no harm, and the rest is in the log.
struct Line {
    /// What waits until the log thread has reported an order.
    struct AfterOrder {
        var messages: [PeerMessage]
        /// Requests that are answered then.
        var answers: [UInt64]
        fileprivate var bytes = 0

        init(messages: [PeerMessage], answers: [UInt64]) {
            self.messages = messages
            self.answers = answers
        }
    }

    /// Entries up to here are applied, on their way to the apply thread, or go there as soon as an order is durable.
    private(set) var handedOn: Index
    /// The end of the piece that the log thread reads from the file.
    private var pieceEnd: Index?
    /// Payloads that were handed on since the disk of the tree is full; nil: it is not.
    private var bytesWithoutRoom: Int?
    private var orders = CircularBuffer<AfterOrder>()
    private var bytesToWrite = 0

    /// Entries that are given at once.
    private static let entriesMax: UInt64 = 4096
    private static let pieceEntriesMax: UInt64 = 2048
    private static let bytesWithoutRoomMax = 16 << 20

    init(applied: Index) {
        handedOn = applied
    }

    // MARK: The log thread

    /// It has nothing to do.
    var isLogIdle: Bool { orders.isEmpty }

    /// Payloads of orders that are not durable: memory that neither a deadline nor a client that leaves gives back.
    var bytesUnwritten: Int { bytesToWrite }

    /// An order goes to the log thread.
    ///
    /// - Returns: what was handed on before; the log thread passes on everything behind it if the order says that durable is committed.
    mutating func order(_ request: PersistRequest, then after: AfterOrder) -> Index {
        var after = after
        for entry in request.entries { after.bytes += entry.payload.size }
        bytesToWrite += after.bytes
        orders.append(after)
        let before = handedOn
        if request.durableIsCommitted, let last = request.entries.last { handedOn = last.index }
        return before
    }

    /// So many orders are durable, the oldest ones.
    mutating func durable(_ count: Int) -> [AfterOrder] {
        var done: [AfterOrder] = []
        for _ in 0..<count {
            guard let order = orders.popFirst() else { break }
            bytesToWrite -= order.bytes
            if !order.messages.isEmpty || !order.answers.isEmpty { done.append(order) }
        }
        return done
    }

    // MARK: The apply thread

    /// Up to where the apply thread should be given entries now, from `handedOn` on; nil: not now.
    ///
    /// - Parameter isBehind: the apply thread has enough.
    func due(committed: Index, isBehind: Bool) -> Index? {
        guard committed > handedOn, pieceEnd == nil, !isBehind, bytesWithoutRoom ?? 0 < Self.bytesWithoutRoomMax else { return nil }
        return min(committed, Index(handedOn.value + Self.entriesMax))
    }

    /// It is given these, from memory.
    mutating func handOn(_ entries: [LogEntry]) {
        guard let last = entries.last?.index else { return }
        if let bytes = bytesWithoutRoom { bytesWithoutRoom = entries.reduce(bytes) { $0 + $1.payload.size + 256 } }
        handedOn = last
    }

    /// Memory does not hold them: the log thread reads a piece.
    ///
    /// - Returns: the piece begins behind the first and ends with the second; nil: not before there is room.
    mutating func handOnPiece(upTo target: Index) -> (after: Index, upTo: Index)? {
        guard bytesWithoutRoom == nil else { return nil }
        let start = handedOn
        handedOn = min(target, Index(start.value + Self.pieceEntriesMax))
        pieceEnd = handedOn
        return (start, handedOn)
    }

    mutating func follow(applied index: Index) {
        if let end = pieceEnd, index >= end { pieceEnd = nil }
    }

    mutating func treeDisk(isFull: Bool) { bytesWithoutRoom = isFull ? bytesWithoutRoom ?? 0 : nil }

    /// A snapshot takes the place of log and tree; what comes next follows it.
    mutating func install(_ index: Index) {
        handedOn = index
        pieceEnd = nil
    }
}
