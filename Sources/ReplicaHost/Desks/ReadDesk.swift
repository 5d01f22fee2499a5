import Keyspace
import NIOCore
import Replica
import Storage

/// Who waits to read what, and what allows it?
///
///     plain        cache, else the apply thread
///     quorum       a majority's word that nothing newer is committed, then as above: `confirm` → `released` → cache or apply thread
///
/// What the loop itself may tell of the tree is no older than what an earlier life of this member has answered once it `hasCaughtUp`.
struct ReadDesk {
    /// A read for the apply thread.
    struct Order {
        let number: UInt64
        let path: TreePath
        let isRecursive: Bool
        let encoder: (any ListingEncoding)?
        /// Said when its client has left.
        let abandonment = Abandonment()
    }

    /// A read that waits for the word of a majority.
    struct Unconfirmed {
        let number: UInt64
        /// Steady nanoseconds.
        let start: Int64
        fileprivate let path: TreePath
        fileprivate let isRecursive: Bool
        fileprivate let encoder: (any ListingEncoding)?
        fileprivate let answer: (ReadResult) -> Void
    }

    enum Released {
        case answered(Delivery)
        case order(Order)
        /// It was the barrier, or its client has left.
        case nobody
    }

    /// Whether clients may be told what is applied here.
    private enum Standing {
        /// A read of this number, asked for at the start, says when.
        case behind(barrier: UInt64?)
        case caughtUp
    }

    private var unconfirmed: ProposalBook<Unconfirmed>
    /// At the apply thread; without an answer when its client has left.
    private var ordered: [UInt64: (path: TreePath, answer: ((ReadResult) -> Void)?, abandonment: Abandonment)] = [:]
    private var cache: ReadCache
    private var standing = Standing.behind(barrier: nil)
    private var lastNumber: UInt64 = 0
    private let waitingMax: Int

    /// - Parameters:
    ///   - waitingMax: reads that may wait for a majority, and as many for the apply thread.
    ///   - cacheBytesMax: of what is kept of the tree.
    init(waitingMax: Int, cacheBytesMax: Int) {
        self.waitingMax = waitingMax
        cache = ReadCache(bytesMax: cacheBytesMax)
        unconfirmed = ProposalBook(pendingMax: waitingMax)
    }

    // MARK: What this member may tell

    var hasCaughtUp: Bool { if case .caughtUp = standing { true } else { false } }

    /// The number of a quorum read that nobody waits for, but this desk: everything that was committed when it was asked is known then.
    mutating func askForBarrier() -> UInt64 {
        let number = newNumber()
        if !hasCaughtUp { standing = .behind(barrier: number) }
        return number
    }

    /// Everything that was ever acknowledged is applied here. False when that was known.
    mutating func catchUp() -> Bool {
        defer { standing = .caughtUp }
        return !hasCaughtUp
    }

    func isBarrier(_ number: UInt64) -> Bool { if case .behind(number) = standing { true } else { false } }

    // MARK: Plain reads

    mutating func cached(_ path: TreePath, recursive: Bool) -> CachedReading? { cache.reading(path, recursive: recursive) }

    /// What the cache knows of a file, as an answer.
    mutating func cachedFile(_ path: TreePath, recursive: Bool) -> Reading? {
        guard case .file(let node) = cache.reading(path, recursive: recursive) else { return nil }
        return .file(node)
    }

    mutating func keep(_ body: ByteBuffer, path: TreePath, recursive: Bool) { cache.keep(body, path: path, recursive: recursive) }

    /// Nil when too many wait.
    mutating func order(
        _ path: TreePath, recursive: Bool, encoder: (any ListingEncoding)? = nil, _ answer: @escaping (ReadResult) -> Void
    ) -> Order? {
        guard ordered.count < waitingMax else { return nil }
        return order(Order(number: newNumber(), path: path, isRecursive: recursive, encoder: encoder), answer)
    }

    private mutating func order(_ order: Order, _ answer: @escaping (ReadResult) -> Void) -> Order {
        ordered[order.number] = (order.path, answer, order.abandonment)
        return order
    }

    /// The apply thread has read. Nil: nobody waits for it any more.
    mutating func finished(_ number: UInt64, _ result: ReadResult) -> Delivery? {
        guard let (path, answer, _) = ordered.removeValue(forKey: number) else { return nil }
        if case .found(.file(let node)) = result.outcome { cache.keep(node, at: path) }
        return answer.map { .read($0, result) }
    }

    // MARK: Quorum reads

    /// The number to ask a majority with; nil when too many wait.
    mutating func confirm(
        _ path: TreePath, recursive: Bool, encoder: (any ListingEncoding)? = nil, start: Int64, patience: Int64,
        _ answer: @escaping (ReadResult) -> Void
    ) -> UInt64? {
        guard !unconfirmed.isFull else { return nil }
        let number = newNumber()
        unconfirmed.add(
            number, deadline: start + patience,
            Unconfirmed(number: number, start: start, path: path, isRecursive: recursive, encoder: encoder, answer: answer))
        return number
    }

    /// Everything that the read had to wait for is applied, and known here.
    ///
    /// - Parameter keysIndex: of what is applied.
    mutating func released(_ number: UInt64, keysIndex: UInt64) -> Released {
        guard let read = unconfirmed.take(number) else { return .nobody }
        if let reading = cachedFile(read.path, recursive: read.isRecursive) {
            return .answered(.read(read.answer, ReadResult(.found(reading), index: keysIndex)))
        }
        // It was admitted already: however many wait for the apply thread, as many may come from here.
        return .order(
            order(Order(number: number, path: read.path, isRecursive: read.isRecursive, encoder: read.encoder), read.answer))
    }

    mutating func fail(_ number: UInt64, _ reason: Unavailable) -> Delivery? {
        unconfirmed.take(number).map { Self.failure(of: $0, reason) }
    }

    /// Those that have waited for too long; each is to be told why by `failure`.
    mutating func takeLate(at now: Int64) -> [Unconfirmed] { unconfirmed.expired(at: now) }

    static func failure(of read: Unconfirmed, _ reason: Unavailable) -> Delivery {
        .read(read.answer, ReadResult(.unavailable(reason), index: 0))
    }

    // MARK: The end of waiting

    /// Its client has left and hears no more. True when a majority need not be asked any more.
    mutating func withdraw(_ number: UInt64) -> Bool {
        if unconfirmed.take(number) != nil { return true }
        ordered[number]?.answer = nil
        ordered[number]?.abandonment.abandon()
        return false
    }

    mutating func failAll(_ reason: Unavailable) -> [Delivery] {
        let result = ReadResult(.unavailable(reason), index: 0)
        let waiting = ordered.sorted { $0.key < $1.key }.compactMap { $0.value.answer }
        ordered = [:]
        return unconfirmed.takeAll().map { .read($0.answer, result) } + waiting.map { .read($0, result) }
    }

    // MARK: The tree changes

    /// - Parameter keeps: take a file that is not known yet: whoever writes it will soon read it.
    mutating func follow(_ event: Event, keeps: Bool) { cache.follow(event, keeps: keeps) }

    /// The tree has jumped over events that nobody here has seen.
    mutating func forgetAll() { cache.removeAll() }

    /// What the cache has forgotten, to be let go of where nobody waits.
    mutating func takeForgotten() -> [any Sendable] { cache.takeForgotten() }

    private mutating func newNumber() -> UInt64 {
        lastNumber += 1
        return lastNumber
    }
}
