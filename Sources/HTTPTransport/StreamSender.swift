import NIOConcurrencyHelpers
import NIOCore
import NIOPosix
import Synchronization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// Sends one chunk each to many sockets. The kernel's work for a packet is most of what an event costs, so when there are very many a
/// second thread takes a share of them while the loop works on the rest and waits for the last.
///
/// `@unchecked Sendable`: `pool`, all that can change, is made and used on the loop only.
final class StreamSender: @unchecked Sendable {
    struct Piece: Sendable {
        var descriptor: CInt
        var bytes: ByteBuffer
    }

    private var pool: NIOThreadPool?

    /// From here on a second thread is worth waking.
    private static let sharedFrom = 256
    /// Pieces that a thread takes at a time.
    private static let share = 16

    /// Never blocks on a socket. Returns the bytes of each piece that the socket took; an error counts as none, the channel will meet it.
    func send(_ pieces: [Piece]) -> [Int] {
        guard pieces.count >= Self.sharedFrom else { return pieces.map(Self.send) }
        let work = Work(pieces)
        let isDone = ConditionLock(value: false)
        helper.submit { _ in
            work.run()
            isDone.lock()
            isDone.unlock(withValue: true)
        }
        work.run()
        isDone.lock(whenValue: true)
        isDone.unlock()
        return work.sent
    }

    func stop() {
        pool?.shutdownGracefully { _ in }
        pool = nil
    }

    private var helper: NIOThreadPool {
        if let pool { return pool }
        let made = NIOThreadPool(numberOfThreads: 1)
        made.start()
        pool = made
        return made
    }

    private static func send(_ piece: Piece) -> Int {
        piece.bytes.withUnsafeReadableBytes { bytes in
            max(0, Glibc.send(piece.descriptor, bytes.baseAddress, bytes.count, CInt(MSG_DONTWAIT | MSG_NOSIGNAL)))
        }
    }

    /// `@unchecked Sendable`: each place of `results` is written by the one thread that has taken it, and read when both are done.
    private final class Work: @unchecked Sendable {
        private let pieces: [Piece]
        private let next = Atomic<Int>(0)
        private let results: UnsafeMutableBufferPointer<Int>

        init(_ pieces: [Piece]) {
            self.pieces = pieces
            results = .allocate(capacity: pieces.count)
            results.initialize(repeating: 0)
        }

        deinit { results.deallocate() }

        var sent: [Int] { Array(results) }

        func run() {
            while true {
                let first = next.wrappingAdd(StreamSender.share, ordering: .relaxed).oldValue
                guard first < pieces.count else { return }
                for place in first..<min(first + StreamSender.share, pieces.count) {
                    results[place] = StreamSender.send(pieces[place])
                }
            }
        }
    }
}
