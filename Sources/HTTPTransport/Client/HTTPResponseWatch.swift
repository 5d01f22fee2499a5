import NIOCore
import NIOHTTP1
import NIOPosix
import NIOTLS
import TLS

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// Turns everything that can go wrong while an answer is awaited into one `HTTPClientError`: deadlines, an early
/// close, a broken connection, bytes that are not HTTP. It sits behind the decoder, and the reader sees its error.
final class HTTPResponseWatch: ChannelInboundHandler {
    typealias InboundIn = HTTPClientResponsePart
    typealias InboundOut = HTTPClientResponsePart

    struct Deadlines: Sendable {
        let head: NIODeadline?
        let total: NIODeadline?
        /// Nil for a connection in clear.
        let handshake: NIODeadline?
        /// For the error's text.
        let address: String
    }

    private enum State {
        case handshaking, awaitingHead, inBody, finished
    }

    private let deadlines: Deadlines
    private var state: State
    private var headTimer: Scheduled<Void>?
    private var totalTimer: Scheduled<Void>?
    private var handshakeTimer: Scheduled<Void>?

    init(_ deadlines: Deadlines) {
        self.deadlines = deadlines
        state = deadlines.handshake == nil ? .awaitingHead : .handshaking
    }

    func channelActive(context: ChannelHandlerContext) {
        headTimer = schedule(.head, at: deadlines.head, context: context)
        totalTimer = schedule(.total, at: deadlines.total, context: context)
        handshakeTimer = schedule(.connect, at: deadlines.handshake, context: context)
        context.fireChannelActive()
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case .handshaking = state, case .handshakeCompleted = event as? TLSUserEvent {
            handshakeTimer?.cancel()
            state = .awaitingHead
        }
        context.fireUserInboundEventTriggered(event)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head:
            state = .inBody
            headTimer?.cancel()
        case .body: break
        case .end: finish()
        }
        context.fireChannelRead(data)
    }

    func channelInactive(context: ChannelHandlerContext) {
        fail(state == .handshaking ? notConnected("EOF") : .closedEarly(headReceived: state == .inBody), context: context)
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        if let error = error as? HTTPClientError { return fail(error, context: context) }
        let reason = TLSErrorText.text(error)
        switch state {
        case .handshaking: fail(reason.map(notConnected) ?? HTTPClientError(reading: error, headReceived: false), context: context)
        // Without the farewell of the encryption anybody may have cut the answer off.
        case .awaitingHead where TLSErrorText.isCutOff(error), .inBody where TLSErrorText.isCutOff(error):
            fail(.closedEarly(headReceived: state == .inBody), context: context)
        case .awaitingHead, .inBody, .finished:
            fail(reason.map { .connectionBroken(reason: $0) } ?? HTTPClientError(reading: error, headReceived: state == .inBody), context: context)
        }
    }

    /// No byte of the request has been sent.
    private func notConnected(_ reason: String) -> HTTPClientError { .handshakeFailed(address: deadlines.address, reason: reason) }

    private func schedule(
        _ phase: HTTPClientError.Phase, at deadline: NIODeadline?, context: ChannelHandlerContext
    ) -> Scheduled<Void>? {
        guard let deadline else { return nil }
        return context.eventLoop.assumeIsolated().scheduleTask(deadline: deadline) {
            self.fail(.timedOut(phase, address: self.deadlines.address), context: context)
        }
    }

    private func fail(_ error: HTTPClientError, context: ChannelHandlerContext) {
        guard state != .finished else { return }
        finish()
        context.fireErrorCaught(error)
        context.close(promise: nil)
    }

    private func finish() {
        state = .finished
        headTimer?.cancel()
        totalTimer?.cancel()
        handshakeTimer?.cancel()
    }
}

extension HTTPURL.Address: CustomStringConvertible {
    /// `host:port` with brackets where they are needed, or the path.
    package var description: String {
        switch self {
        case .host(let host, let port): host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
        case .unixSocket(let path): path
        }
    }
}

extension HTTPClientError {
    /// A failure after the connection was made.
    init(reading error: any Error, headReceived: Bool) {
        switch error {
        case HTTPParserError.invalidEOFState: self = .closedEarly(headReceived: headReceived)
        case let error as HTTPParserError: self = .malformed(reason: String(describing: error))
        case let error as IOError: self = .connectionBroken(reason: "read: \(Self.text(ofErrno: error.errnoCode))")
        default: self = .malformed(reason: String(describing: error))
        }
    }

    /// A failure to connect. `phase` names the deadline that was the nearest one.
    init(connecting error: any Error, to address: HTTPURL.Address, limitedBy phase: Phase) {
        switch error {
        case ChannelError.connectTimeout: self = .timedOut(phase, address: address.description)
        case let error as NIOConnectionError:
            if let first = error.connectionErrors.first {
                self.init(connecting: first.error, to: Self.address(of: first.target) ?? address, limitedBy: phase)
            } else {
                self = .connectFailed(address: "", reason: "lookup \(error.host): no such host")
            }
        case let error as IOError:
            let reason = "connect: \(Self.text(ofErrno: error.errnoCode))"
            self = .connectFailed(address: address.description, reason: reason)
        default: self = .connectFailed(address: address.description, reason: String(describing: error))
        }
    }

    private static func address(of target: SocketAddress) -> HTTPURL.Address? {
        guard let host = target.ipAddress, let port = target.port else { return nil }
        return .host(host, port: port)
    }

    /// The system's words, which Go prints in lower case.
    private static func text(ofErrno code: CInt) -> String {
        String(cString: strerror(code)).lowercased()
    }
}
