import HTTPTransport

/// Answers on the peer port until the member knows who it is: other founders that ask at the same time must not wait for each other.
final class FoundingDoor: HTTPResponder {
    func respond(to request: HTTPRequest, on exchange: HTTPExchange) { exchange.respond(.serviceUnavailable, nil) }
}
