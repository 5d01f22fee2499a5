import HTTPTransport
import NIOCore
import NIOPosix

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// Sends a file as the body of an answer, piece by piece: the next is read when the socket has taken the last, on a thread that may wait
/// for the disk.
final class FileTransfer {
    private let descriptor: Int32
    private let size: UInt64
    private let exchange: HTTPExchange
    private let done: () -> Void
    private var sentBytes: UInt64 = 0
    private var isOver = false

    private static let pieceBytes = 256 << 10

    /// - Parameters:
    ///   - descriptor: open for reading until `done` is called, which happens once, whatever becomes of the client.
    ///   - size: of the file, in bytes.
    ///   - exchange: its head is sent, with `size` for its length.
    init(_ descriptor: Int32, size: UInt64, on exchange: HTTPExchange, done: @escaping () -> Void) {
        self.descriptor = descriptor
        self.size = size
        self.exchange = exchange
        self.done = done
    }

    func start() { sendNext() }

    private func sendNext() {
        guard sentBytes < size else {
            exchange.endStream()
            return finish()
        }
        let transfer = NIOLoopBound(self, eventLoop: exchange.eventLoop)
        let (descriptor, offset) = (descriptor, sentBytes)
        let length = Int(min(UInt64(Self.pieceBytes), size - sentBytes))
        NIOThreadPool.singleton.runIfActive(eventLoop: exchange.eventLoop) {
            var piece = ByteBufferAllocator().buffer(capacity: length)
            piece.writeWithUnsafeMutableBytes(minimumWritableBytes: length) { bytes in
                max(0, pread(descriptor, bytes.baseAddress, length, off_t(offset)))
            }
            return piece
        }.whenComplete { result in
            // A pool that has ended reads nothing.
            let piece = (try? result.get()) ?? ByteBuffer()
            transfer.value.send(piece)
        }
    }

    private func send(_ piece: ByteBuffer) {
        guard piece.readableBytes > 0 else {
            // The file is shorter than it was, or unreadable. The client sees an incomplete answer.
            exchange.abort()
            return finish()
        }
        sentBytes += UInt64(piece.readableBytes)
        let transfer = NIOLoopBound(self, eventLoop: exchange.eventLoop)
        exchange.send(piece) { isSent in
            if isSent { transfer.value.sendNext() } else { transfer.value.finish() }
        }
    }

    private func finish() {
        if isOver { return }
        isOver = true
        done()
    }
}
