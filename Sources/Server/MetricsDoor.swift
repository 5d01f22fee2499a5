import HTTPTransport
import NIOCore

/// The listeners of `--listen-metrics-urls`: `/metrics` and `/health`, and nothing else (server.md §2.1).
final class MetricsDoor: HTTPResponder {
    private let clients: any HTTPResponder

    init(_ clients: any HTTPResponder) { self.clients = clients }

    func respond(to request: HTTPRequest, on exchange: HTTPExchange) {
        let isServed = request.withTarget { target in
            MetricsDoor.paths.contains { path in
                guard target.count >= path.count, path.indices.allSatisfy({ target[$0] == path[$0] }) else { return false }
                return target.count == path.count || target[path.count] == UInt8(ascii: "?")
            }
        }
        if isServed {
            clients.respond(to: request, on: exchange)
        } else {
            exchange.respond(.notFound, .text, body: .init(string: "404 page not found\n"))
        }
    }

    private static let paths = [Array("/metrics".utf8), Array("/health".utf8)]
}
