/// Why there is no answer. The texts are those of Go's `net` and `net/http`, which users and scripts of etcdctl know
/// (ctl.md A1).
package enum HTTPClientError: Error, Equatable, Sendable, CustomStringConvertible {
    package enum Phase: Equatable, Sendable {
        /// The connection was not there in time.
        case connect
        /// The head of the answer was not there in time.
        case head
        /// The whole answer was not there in time.
        case total
    }

    case malformedURL(String, reason: String)
    case unsupportedScheme(String)
    /// No connection: the address that was tried (empty when the name did not resolve) and the system's reason.
    case connectFailed(address: String, reason: String)
    /// There is a connection, and no agreement on its encryption; nothing of the request was sent.
    case handshakeFailed(address: String, reason: String)
    case timedOut(Phase, address: String)
    /// The server closed the connection before its answer was complete.
    case closedEarly(headReceived: Bool)
    /// The connection broke while it was in use.
    case connectionBroken(reason: String)
    /// What came is not HTTP/1, or is longer than the limits allow.
    case malformed(reason: String)
    case bodyTooLarge(bytesMax: Int)

    /// No byte of the request can have reached a server.
    package var isConnectFailure: Bool {
        switch self {
        case .connectFailed, .handshakeFailed, .timedOut(.connect, _), .malformedURL, .unsupportedScheme: true
        case .timedOut, .closedEarly, .connectionBroken, .malformed, .bodyTooLarge: false
        }
    }

    package var description: String {
        switch self {
        case .malformedURL(let url, let reason): "parse \"\(url)\": \(reason)"
        case .unsupportedScheme(let scheme): "unsupported protocol scheme \"\(scheme)\""
        case .connectFailed(let address, let reason): "dial tcp\(address.isEmpty ? "" : " " + address): \(reason)"
        case .handshakeFailed(_, let reason): reason
        case .timedOut(.connect, let address): "dial tcp \(address): i/o timeout"
        case .timedOut(.head, _): "net/http: timeout awaiting response headers"
        case .timedOut(.total, _): "context deadline exceeded"
        case .closedEarly(let headReceived): headReceived ? "unexpected EOF" : "EOF"
        case .connectionBroken(let reason): reason
        case .malformed(let reason): "net/http: HTTP/1.x transport connection broken: \(reason)"
        case .bodyTooLarge(let bytesMax): "response body is longer than \(bytesMax) bytes"
        }
    }
}
