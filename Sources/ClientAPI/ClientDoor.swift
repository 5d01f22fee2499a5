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
    private var replica: (any ReplicaDoor)?
    /// Nil until the member may serve.
    private var endpoints: ReplicaEndpoints?

    package init(configuration: ClientAPIConfiguration, loop: any EventLoop) {
        self.configuration = configuration
        policy = BrowserPolicy(configuration)
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
        endpoints = ReplicaEndpoints(replica: replica, requests: requests)
        held.release(to: self)
    }

    /// In the order of etcd: path syntax, host, CORS, OPTIONS, redirect, path, verb (v2-keys.md §1, 2; server.md §5.4).
    package func respond(to request: HTTPRequest, on exchange: HTTPExchange) {
        exchange.setCommonFields(policy.fields(for: request))
        let path = request.withTarget { RequestPath.parse($0) }
        if case .malformed = path { return PlainAnswers.badRequest(exchange) }
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
            serve(route, request, query: query, on: exchange)
        }
    }

    private func serve(_ route: Route, _ request: HTTPRequest, query: Range<Int>?, on exchange: HTTPExchange) {
        switch route {
        case .version: VersionPage.respond(configuration, clusterVersion: replica?.status.clusterVersion ?? "", on: exchange)
        case .health: health.respond(to: request, query: query, on: exchange)
        case .metrics: metrics.respond(on: exchange)
        case .debugVariables: debug.respondWithVariables(of: replica?.status ?? ReplicaStatus(), on: exchange)
        case .localLog: debug.setLogLevel(request, on: exchange)
        default:
            if let endpoints { return endpoints.serve(route, request, query: query, on: exchange) }
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

/// What needs a replica that serves.
private final class ReplicaEndpoints {
    private let clusterID = ClusterIDField()
    private let replica: any ReplicaDoor
    private let keys: KeysEndpoint
    private let machines: MachinesEndpoint
    private let members: MembersEndpoint
    private let stats: StatsEndpoint
    private let backup: BackupEndpoint

    init(replica: any ReplicaDoor, requests: RequestMetrics) {
        self.replica = replica
        machines = MachinesEndpoint(replica: replica)
        keys = KeysEndpoint(replica: replica, metrics: requests, machines: machines, clusterID: clusterID)
        members = MembersEndpoint(replica: replica, clusterID: clusterID)
        stats = StatsEndpoint(replica: replica)
        backup = BackupEndpoint(replica: replica)
    }

    func serve(_ route: Route, _ request: HTTPRequest, query: Range<Int>?, on exchange: HTTPExchange) {
        switch route {
        case .keys(let path): keys.respond(to: request, path: path, query: query, on: exchange)
        case .machines: machines.respondWithClientURLs(on: exchange)
        case .leader: machines.respondWithLeader(on: exchange)
        case .members(let name): members.respond(to: request, name: name, on: exchange)
        case .statsSelf: stats.respondAboutSelf(on: exchange)
        case .statsLeader: stats.respondAboutLeader(on: exchange)
        case .statsStore: stats.respondAboutStore(on: exchange)
        case .authEnable where request.verb == .get:
            let clusterLine = clusterID.line(replica.status.clusterID)
            PlainAnswers.json(exchange, .ok, ByteBuffer(string: "{\"enabled\":false}\n"), clusterID: clusterLine)
        case .authEnable, .authLists, .authEntry:
            let text = "this version of etclite does not support authentication"
            let clusterLine = clusterID.line(replica.status.clusterID)
            PlainAnswers.message(exchange, .notImplemented, text, clusterID: clusterLine)
        case .backup: backup.respond(on: exchange)
        // The door itself answers these, ready or not.
        case .version, .health, .metrics, .debugVariables, .localLog: PlainAnswers.notFound(exchange)
        }
    }
}
