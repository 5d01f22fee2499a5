import HTTPTransport

/// Holds client requests until the member may serve: ports are bound early, so that a taken one is found before data is
/// written, and answered late (server.md §3). Confined to the loop.
final class ReadyGate: HTTPResponder {
    private var inner: (any HTTPResponder)?
    /// One a connection at most: a connection's next request is not handed over before this one is answered.
    private var waiting: [(HTTPRequest, HTTPExchange)] = []

    func open(_ responder: any HTTPResponder) {
        inner = responder
        let held = waiting
        waiting = []
        for (request, exchange) in held { responder.respond(to: request, on: exchange) }
    }

    func respond(to request: HTTPRequest, on exchange: HTTPExchange) {
        if let inner { inner.respond(to: request, on: exchange) } else { waiting.append((request, exchange)) }
    }
}
