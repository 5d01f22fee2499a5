import HTTPTransport
import Keyspace
import NIOCore
import ReplicaHost

/// The client API of one member: gives each request of port 2379 to the endpoint that serves its path.
///
/// Confined to the replica's event loop, on which the listener must run as well.
package final class ClientDoor: HTTPResponder {
    private let configuration: ClientAPIConfiguration
    private let policy: BrowserPolicy
    private let clusterID = ClusterIDField()
    private let replica: any ReplicaDoor
    private let keys: KeysEndpoint
    private let machines: MachinesEndpoint
    private let members: MembersEndpoint
    private let stats: StatsEndpoint
    private let health: HealthProbe
    private let metrics: MetricsPage
    private let debug: DebugEndpoint
    private let backup: BackupEndpoint

    package init(replica: any ReplicaDoor, configuration: ClientAPIConfiguration) {
        self.configuration = configuration
        self.replica = replica
        policy = BrowserPolicy(configuration)
        let requests = RequestMetrics()
        machines = MachinesEndpoint(replica: replica)
        keys = KeysEndpoint(replica: replica, metrics: requests, machines: machines, clusterID: clusterID)
        members = MembersEndpoint(replica: replica, clusterID: clusterID)
        stats = StatsEndpoint(replica: replica)
        health = HealthProbe(replica: replica)
        metrics = MetricsPage(replica: replica, requests: requests, health: health, configuration: configuration)
        debug = DebugEndpoint(replica: replica, configuration: configuration)
        backup = BackupEndpoint(replica: replica)
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
        case .version: VersionPage.respond(configuration, clusterVersion: replica.status.clusterVersion, on: exchange)
        case .health: health.respond(to: request, query: query, on: exchange)
        case .metrics: metrics.respond(on: exchange)
        case .debugVariables: debug.respondWithVariables(on: exchange)
        case .localLog: debug.setLogLevel(request, on: exchange)
        case .backup: backup.respond(on: exchange)
        }
    }
}
