import ClientAPI
import HTTPTransport
import NIOCore

/// The peer port before the member knows who it is: it is bound early, so that a taken one is found before data is written, and answered when
/// there is something to say. Who asks waits no longer than a request may. Confined to the loop.
final class ReadyGate: HTTPResponder {
    private var inner: (any HTTPResponder)?
    private let held: HeldRequests

    init(loop: any EventLoop, timeoutMilliseconds: Int) { held = HeldRequests(loop: loop, timeoutMilliseconds: timeoutMilliseconds) }

    func open(_ responder: any HTTPResponder) {
        inner = responder
        held.release(to: responder)
    }

    func respond(to request: HTTPRequest, on exchange: HTTPExchange) {
        if let inner { return inner.respond(to: request, on: exchange) }
        held.hold(request, on: exchange) { _ in exchange.respond(.serviceUnavailable, nil) }
    }
}
