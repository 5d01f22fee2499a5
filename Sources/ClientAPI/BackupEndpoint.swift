import HTTPTransport
import NIOCore
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
                Self.send(copy, on: exchange)
            }
        }
        // Who leaves ends the copy that is being made.
        exchange.onClose { [self] in replica.withdraw(token) }
    }

    private static func send(_ copy: BackupCopy, on exchange: HTTPExchange) {
        let descriptor = open(copy.path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else {
            PlainAnswers.message(exchange, .internalServerError, "cannot open the backup: errno \(errno)")
            return copy.done()
        }
        exchange.startStream(.ok, .octetStream, contentLength: copy.size) { fields in
            fields.writeString("X-Etclite-State-Hash: \(copy.stateHash)\r\n")
        }
        FileTransfer(descriptor, size: copy.size, on: exchange) {
            close(descriptor)
            copy.done()
        }.start()
    }
}
