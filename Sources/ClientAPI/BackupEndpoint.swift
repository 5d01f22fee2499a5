import HTTPTransport
import NIOCore
import NIOPosix
import ReplicaHost

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// `GET /etclite/backup`: a hot backup as one file.
final class BackupEndpoint {
    private let replica: any ReplicaDoor

    init(replica: any ReplicaDoor) { self.replica = replica }

    func respond(on exchange: HTTPExchange) {
        let token = replica.backup { result in
            switch result {
            case .failure(let reason):
                let error = V2Error(reason)
                PlainAnswers.message(exchange, .serviceUnavailable, error.cause)
            case .success(let copy):
                guard exchange.isOpen else { return copy.done() }
                BackupTransfer(copy, on: exchange).start()
            }
        }
        // Who leaves ends the copy that is being made.
        exchange.onClose { [self] in replica.withdraw(token) }
    }
}

/// Sends one backup file piece by piece: the next is read when the socket has taken the last, on a thread that may wait
/// for the disk.
private final class BackupTransfer {
    private let copy: BackupCopy
    private let exchange: HTTPExchange
    private var descriptor: Int32 = -1
    private var sentBytes: UInt64 = 0
    private var isOver = false

    private static let pieceBytes = 256 << 10

    init(_ copy: BackupCopy, on exchange: HTTPExchange) {
        self.copy = copy
        self.exchange = exchange
    }

    func start() {
        descriptor = open(copy.path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else {
            PlainAnswers.message(exchange, .internalServerError, "cannot open the backup: errno \(errno)")
            return finish()
        }
        exchange.startStream(.ok, .octetStream, contentLength: copy.size) { fields in
            fields.writeString("X-Etclite-State-Hash: \(copy.stateHash)\r\n")
        }
        sendNext()
    }

    private func sendNext() {
        guard sentBytes < copy.size else {
            exchange.endStream()
            return finish()
        }
        let transfer = NIOLoopBound(self, eventLoop: exchange.eventLoop)
        let (descriptor, offset) = (descriptor, sentBytes)
        let length = Int(min(UInt64(Self.pieceBytes), copy.size - sentBytes))
        NIOThreadPool.singleton.runIfActive(eventLoop: exchange.eventLoop) {
            var piece = ByteBufferAllocator().buffer(capacity: length)
            piece.writeWithUnsafeMutableBytes(minimumWritableBytes: length) { bytes in
                max(0, pread(descriptor, bytes.baseAddress, length, off_t(offset)))
            }
            return piece
        }.whenComplete { result in
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
        if descriptor >= 0 { close(descriptor) }
        copy.done()
    }
}
