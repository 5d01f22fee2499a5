import HTTPTransport
import Logging
import NIOCore

/// Hands requests on to a cluster of which this process is no member (server.md §9.1). Knows nothing of what is asked there. Confined to its
/// loop, on which the listeners run as well.
package final class ProxyDoor: HTTPResponder {
    package let endpoints: ProxyEndpoints
    let connections: MemberConnections
    let metrics = ProxyMetrics()
    private let configuration: ProxyConfiguration
    private let policy: BrowserPolicy
    private let process: (inout ByteBuffer) -> Void
    private let loop: any EventLoop
    private let fetch: @Sendable () async -> [String]?
    private var isClosed = false

    private static let etcdInterval = TimeAmount.seconds(30)

    /// - Parameters:
    ///   - http: dials the members.
    ///   - process: writes the figures of this process for `/metrics`.
    ///   - fetch: asks the cluster for all client URLs; nil when nobody answers. The next question waits for its answer.
    package init(
        _ configuration: ProxyConfiguration, policy: BrowserPolicy, http: HTTPClient, log: Logger, loop: any EventLoop,
        process: @escaping (inout ByteBuffer) -> Void, fetch: @escaping @Sendable () async -> [String]?
    ) {
        self.configuration = configuration
        self.policy = policy
        self.process = process
        self.loop = loop
        self.fetch = fetch
        endpoints = ProxyEndpoints(failureWait: configuration.failureWait, log: log)
        connections = MemberConnections(configuration, http: http, loop: loop)
    }

    /// Looks who the members are, now and from time to time.
    package func start() {
        guard !isClosed else { return }
        let door = NIOLoopBound(self, eventLoop: loop)
        let fetch = fetch
        loop.makeFutureWithTask { await fetch() }.whenComplete { result in
            // The task does not fail.
            let urls = (try? result.get()) ?? nil
            door.value.learned(urls)
        }
    }

    package func close() {
        isClosed = true
        connections.close()
    }

    private func learned(_ urls: [String]?) {
        guard !isClosed else { return }
        // While nobody answers, those that were there may still serve.
        if let urls {
            endpoints.replace(urls)
            connections.keep(only: urls)
        }
        let isHungry = endpoints.all.isEmpty && configuration.refreshInterval >= Self.etcdInterval
        let door = NIOLoopBound(self, eventLoop: loop)
        loop.scheduleTask(in: isHungry ? .seconds(1) : configuration.refreshInterval) { door.value.start() }
    }

    package func respond(to request: HTTPRequest, on exchange: HTTPExchange) {
        exchange.setCommonFields(policy.fields(for: request))
        let path = String(request.target.prefix { $0 != "?" })
        if path == "/metrics" { return respondWithMetrics(on: exchange) }
        if request.verb == .options { return exchange.respond(.ok, nil) }
        guard !configuration.isReadOnly || request.verb == .get else { return exchange.respond(.notImplemented, nil) }
        // A way through to somewhere else, of which a member knows nothing either.
        if request.method == "CONNECT" {
            return exchange.respond(.notFound, .text, body: ByteBuffer(string: "404 page not found\n")) {
                $0.writeStaticString("X-Content-Type-Options: nosniff\r\n")
            }
        }
        if path == "/v2/config/local/proxy" { return respondWithEndpoints(to: request, on: exchange) }
        metrics.came(request.verb)
        if request.bodyState == .tooLarge {
            return Self.refuse(exchange, .payloadTooLarge, "failed to read request body: it is too large")
        }
        let urls = endpoints.available()
        guard !urls.isEmpty else {
            metrics.dropped(request.verb, .zeroEndpoints)
            return Self.refuse(exchange, .serviceUnavailable, "zero endpoints currently available")
        }
        Forwarding(request, on: exchange, to: urls, door: self).begin()
    }

    /// - Parameter reason: our own words: nothing in it needs escaping.
    static func refuse(_ exchange: HTTPExchange, _ status: HTTPStatus, _ reason: String) {
        exchange.respond(status, .json, body: ByteBuffer(string: "{\"message\":\"httpproxy: \(reason)\"}"))
    }

    private func respondWithMetrics(on exchange: HTTPExchange) {
        var page = ByteBuffer()
        metrics.write(into: &page)
        process(&page)
        exchange.respond(.ok, .prometheus, body: page)
    }

    private func respondWithEndpoints(to request: HTTPRequest, on exchange: HTTPExchange) {
        guard request.verb == .get else {
            return exchange.respond(.methodNotAllowed, .text, body: ByteBuffer(string: "Method Not Allowed\n")) { fields in
                fields.writeStaticString("Allow: GET\r\nX-Content-Type-Options: nosniff\r\n")
            }
        }
        // Texts of URLs that were parsed: no quotes, no control characters.
        let list = endpoints.available().map { "\"\($0.text)\"" }.joined(separator: ",")
        exchange.respond(.ok, .text, body: ByteBuffer(string: "{\"endpoints\":[\(list)]}\n"))
    }
}
