import HTTPTransport
import Keyspace
import NIOCore
import ReplicaHost

/// The client API of one member: gives each request of port 2379 to the endpoint that serves its path.
///
/// Before the member may serve, probes are answered and all others wait at the door. Confined to the replica's event loop, on which the
/// listener must run as well.
package final class ClientDoor: HTTPResponder {
    /// Whose figures `/metrics` shows.
    package weak var listener: Listener? {
        didSet { metrics.listener = listener }
    }

    private let configuration: ClientAPIConfiguration
    private let policy: BrowserPolicy
    private let requests = RequestMetrics()
    private let health = HealthProbe()
    private let metrics: MetricsPage
    private let debug: DebugEndpoint
    private let held: HeldRequests
    private let loop: any EventLoop
    private var replica: (any ReplicaDoor)?
    /// Nil until the member may serve.
    private var endpoints: ReplicaEndpoints?
    private var successor: (any HTTPResponder)?

    package init(configuration: ClientAPIConfiguration, loop: any EventLoop) {
        self.configuration = configuration
        self.loop = loop
        policy = BrowserPolicy(
            origins: configuration.corsOrigins, hosts: configuration.isHostChecked ? configuration.hostWhitelist : [])
        metrics = MetricsPage(requests: requests, health: health, configuration: configuration)
        debug = DebugEndpoint(configuration: configuration)
        held = HeldRequests(
            loop: loop, timeoutMilliseconds: configuration.requestTimeoutMilliseconds, countMax: configuration.heldRequestsMax)
    }

    /// There is a replica, which is not ready to serve: probes tell of it.
    package func show(_ replica: any ReplicaDoor) {
        self.replica = replica
        health.replica = replica
        metrics.replica = replica
    }

    /// The member may serve.
    package func open(_ replica: any ReplicaDoor) {
        show(replica)
        health.isReady = true
        endpoints = ReplicaEndpoints(replica: replica, requests: requests, debug: debug, loop: loop)
        held.release(to: self)
    }

    /// This process will be no member: whoever waits, and all that come, are another's.
    package func handOver(to responder: any HTTPResponder) {
        successor = responder
        held.release(to: responder)
    }

    /// In the order of etcd: path syntax, host, CORS, OPTIONS, redirect, path, verb (v2-keys.md §1, 2; server.md §5.4).
    package func respond(to request: HTTPRequest, on exchange: HTTPExchange) {
        if let successor { return successor.respond(to: request, on: exchange) }
        exchange.setCommonFields(policy.fields(for: request))
        let path = request.withTarget { RequestPath.parse($0) }
        if case .malformed = path {
            // `OPTIONS *` asks about the server as a whole (RFC 9110 §9.3.7).
            let isAboutServer = request.verb == .options && request.target == "*"
            if !isAboutServer { return PlainAnswers.badRequest(exchange) }
        }
        if let host = policy.unknownHost(in: request) { return PlainAnswers.unknownHost(exchange, host: host) }
        if request.verb == .options { return exchange.respond(.ok, nil) }
        switch path {
        case .malformed:
            PlainAnswers.badRequest(exchange)
        case .redirect(let location):
            PlainAnswers.redirect(exchange, verb: request.verb, to: location)
        case .clean(let path, let query):
            guard let route = Route(path, isV2Enabled: configuration.isV2Enabled) else {
                return PlainAnswers.notFound(exchange)
            }
            guard route.takes(request.verb) else {
                return PlainAnswers.methodNotAllowed(exchange, allowed: route.allowed)
            }
            serve(route, request, path, query: query, on: exchange)
        }
    }

    private func serve(_ route: Route, _ request: HTTPRequest, _ path: [UInt8], query: Range<Int>?, on exchange: HTTPExchange) {
        switch route {
        case .version: VersionPage.respond(configuration, clusterVersion: replica?.status.clusterVersion ?? "", on: exchange)
        case .health: health.respond(to: request, query: query, on: exchange)
        case .metrics: metrics.respond(on: exchange)
        case .debugVariables: debug.respondWithVariables(of: replica?.status ?? ReplicaStatus(), on: exchange)
        case .localLog where replica?.isAccessEnabled != true: debug.setLogLevel(request, on: exchange)
        default:
            if let endpoints { return endpoints.serve(route, request, path, query: query, on: exchange) }
            let isOfKeys = if case .keys = route { true } else { false }
            held.hold(request, on: exchange) { Self.refuse($0, isOfKeys: isOfKeys, on: exchange) }
        }
    }

    private static func refuse(_ refusal: HeldRequests.Refusal, isOfKeys: Bool, on exchange: HTTPExchange) {
        let reason: Unavailable =
            switch refusal {
            case .tooMany: .overloaded
            case .timedOut: .timedOut
            case .clientLeft: .noLeader
            }
        let error = V2Error(reason)
        guard isOfKeys else { return PlainAnswers.message(exchange, .serviceUnavailable, error.cause) }
        var body = ByteBuffer()
        error.write(into: &body)
        exchange.respond(error.status, .json, body: body)
    }
}
