import Access
import HTTPTransport
import NIOCore
import ReplicaHost

/// What needs a replica that serves, behind the rights of whoever asks (v2-keys.md §16).
final class ReplicaEndpoints {
    private let clusterID = ClusterIDField()
    private let replica: any ReplicaDoor
    private let keys: KeysEndpoint
    private let machines: MachinesEndpoint
    private let members: MembersEndpoint
    private let stats: StatsEndpoint
    private let debug: DebugEndpoint
    private let backup: BackupEndpoint
    private let auth: AuthEndpoint
    private let authenticator: Authenticator
    private let watches = WatchGuard()
    /// Of the users, as last seen: whoever has the old one of a user may not go on watching.
    private var passwords: [AccessName: AccessName] = [:]

    /// - Parameter loop: the replica's.
    init(replica: any ReplicaDoor, requests: RequestMetrics, debug: DebugEndpoint, loop: any EventLoop) {
        self.replica = replica
        self.debug = debug
        machines = MachinesEndpoint(replica: replica)
        authenticator = Authenticator(replica: replica, loop: loop)
        auth = AuthEndpoint(replica: replica, clusterID: clusterID, authenticator: authenticator)
        keys = KeysEndpoint(
            replica: replica, metrics: requests, machines: machines, clusterID: clusterID, authenticator: authenticator, watches: watches)
        members = MembersEndpoint(replica: replica, clusterID: clusterID)
        stats = StatsEndpoint(replica: replica)
        backup = BackupEndpoint(replica: replica)
        follow()
        replica.onAccessChange = { [weak self] in self?.follow() }
    }

    /// - Parameter path: the whole path as it was sent, decoded.
    func serve(_ route: Route, _ request: HTTPRequest, _ path: [UInt8], query: Range<Int>?, on exchange: HTTPExchange) {
        switch route {
        case .keys(let key):
            keys.respond(to: request, path: key, sent: path.dropFirst(KeysEndpoint.prefixBytes), query: query, on: exchange)
        case .machines: machines.respondWithClientURLs(on: exchange)
        case .leader: machines.respondWithLeader(on: exchange)
        case .members(let name) where request.verb == .get: members.respond(to: request, name: name, on: exchange)
        case .members(let name):
            asRoot(request, on: exchange) { [members] _ in members.respond(to: request, name: name, on: exchange) }
        case .statsSelf: stats.respondAboutSelf(on: exchange)
        case .statsLeader: stats.respondAboutLeader(on: exchange)
        case .statsStore: stats.respondAboutStore(on: exchange)
        case .authEnable where request.verb == .get: auth.respondAboutEnabling(request, by: nil, on: exchange)
        case .authEnable:
            asRoot(request, on: exchange) { [auth] user in auth.respondAboutEnabling(request, by: user, on: exchange) }
        case .authUsers: asRoot(request, on: exchange) { [auth] _ in auth.listUsers(on: exchange) }
        case .authRoles: asRoot(request, on: exchange) { [auth] _ in auth.listRoles(on: exchange) }
        case .authUser(let name):
            asRoot(request, on: exchange) { [auth] user in auth.respond(aboutUser: name, request, by: user, on: exchange) }
        case .authRole(let name):
            asRoot(request, on: exchange) { [auth] user in auth.respond(aboutRole: name, request, by: user, on: exchange) }
        case .authInvalid: PlainAnswers.message(exchange, .badRequest, "Invalid path")
        case .backup: asRoot(request, on: exchange) { [backup] _ in backup.respond(on: exchange) }
        case .localLog: asRoot(request, on: exchange) { [debug] _ in debug.setLogLevel(request, on: exchange) }
        // The door itself answers these, ready or not.
        case .version, .health, .metrics, .debugVariables: PlainAnswers.notFound(exchange)
        }
    }

    /// Goes on when the request comes from a user with the role root, or when users do not count.
    private func asRoot(_ request: HTTPRequest, on exchange: HTTPExchange, _ body: @escaping (AccessName?) -> Void) {
        guard replica.isAccessEnabled else { return body(nil) }
        authenticator.authenticate(request, on: exchange) { [replica] verdict in
            guard exchange.isOpen else { return }
            switch verdict {
            case .user(let user) where replica.access.isRoot(user): body(user)
            case .busy: PlainAnswers.message(exchange, .serviceUnavailable, V2Error(.overloaded).cause)
            case .user, .guest, .refused: PlainAnswers.insufficientCredentials(exchange)
            }
        }
    }

    /// Users or roles have changed.
    private func follow() {
        let access = replica.access
        let now = Dictionary(access.users.map { ($0.name, $0.password) }) { first, _ in first }
        let changed = Set(passwords.filter { now[$0.key] != $0.value }.keys)
        passwords = now
        watches.check(access, changedUsers: changed)
    }
}
