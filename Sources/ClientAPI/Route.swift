import HTTPTransport
import Keyspace

/// What a clean path leads to, and the verbs it takes (v2-keys.md §1, server.md §5.1).
enum Route {
    case keys(TreePath)
    case machines
    /// With what follows `/v2/members`, slashes at both ends dropped.
    case members([UInt8])
    case statsSelf, statsLeader, statsStore
    case authEnable
    case authUsers, authRoles
    /// With the name.
    case authUser([UInt8]), authRole([UInt8])
    /// More path below the name of a user or a role.
    case authInvalid
    /// The peer URL of the leader, as in 0.4.
    case leader
    case version, health, metrics, debugVariables, localLog
    case backup

    /// - Parameter path: Decoded and clean.
    init?(_ path: [UInt8], isV2Enabled: Bool) {
        let span = path.span
        if span.starts(with: "/v2/") {
            guard isV2Enabled, let route = Route(v2: path) else { return nil }
            self = route
        } else if span.equals("/version") {
            self = .version
        } else if span.equals("/health") {
            self = .health
        } else if span.equals("/metrics") {
            self = .metrics
        } else if span.equals("/debug/vars") {
            self = .debugVariables
        } else if span.equals("/config/local/log") {
            self = .localLog
        } else if span.equals("/etclite/backup") {
            self = .backup
        } else {
            return nil
        }
    }

    private init?(v2 path: [UInt8]) {
        let span = path.span
        if let rest = Self.rest(of: path, after: "/v2/keys") {
            self = .keys(TreePath(trimming: rest))
        } else if let rest = Self.rest(of: path, after: "/v2/members") {
            self = .members(TreePath(trimming: rest).bytes.dropFirst().map { $0 })
        } else if span.equals("/v2/machines") || span.equals("/v2/peers") {
            self = .machines
        } else if span.equals("/v2/stats/self") {
            self = .statsSelf
        } else if span.equals("/v2/stats/leader") {
            self = .statsLeader
        } else if span.equals("/v2/stats/store") {
            self = .statsStore
        } else if span.equals("/v2/leader") {
            self = .leader
        } else if span.equals("/v2/auth/enable") {
            self = .authEnable
        } else if let rest = Self.rest(of: path, after: "/v2/auth/users") {
            self = Self.entry(rest, all: .authUsers) { .authUser($0) }
        } else if let rest = Self.rest(of: path, after: "/v2/auth/roles") {
            self = Self.entry(rest, all: .authRoles) { .authRole($0) }
        } else {
            return nil
        }
    }

    private static func entry(_ rest: ArraySlice<UInt8>, all: Route, _ one: ([UInt8]) -> Route) -> Route {
        let name = Array(TreePath(trimming: rest).bytes.dropFirst())
        if name.isEmpty { return all }
        return name.contains(UInt8(ascii: "/")) ? .authInvalid : one(name)
    }

    /// What follows `prefix` when that is the whole path or ends at a slash.
    private static func rest(of path: [UInt8], after prefix: StaticString) -> ArraySlice<UInt8>? {
        let length = prefix.utf8CodeUnitCount
        guard path.span.starts(with: prefix), path.count == length || path[length] == UInt8(ascii: "/") else {
            return nil
        }
        return path[length...]
    }

    /// The verbs as `Allow` shows them.
    var allowed: StaticString {
        switch self {
        case .keys: "HEAD,GET,PUT,POST,DELETE"
        case .members: "GET,POST,DELETE,PUT"
        case .machines: "GET,HEAD"
        case .authEnable, .authUser, .authRole, .authInvalid: "GET,PUT,DELETE"
        case .localLog: "PUT"
        case .metrics: "GET,HEAD"
        case .statsSelf, .statsLeader, .statsStore, .authUsers, .authRoles, .leader, .version, .health, .debugVariables, .backup: "GET"
        }
    }

    func takes(_ verb: HTTPVerb) -> Bool {
        // The page of Prometheus' library does not look at the verb.
        if case .metrics = self { return true }
        // What is wrong with the path is said first.
        if case .authInvalid = self { return true }
        switch verb {
        case .options, .other: return false
        case .get: if case .localLog = self { return false } else { return true }
        case .head:
            switch self {
            case .keys, .machines: return true
            default: return false
            }
        case .post:
            switch self {
            case .keys, .members: return true
            default: return false
            }
        case .put:
            switch self {
            case .keys, .members, .authEnable, .authUser, .authRole, .localLog: return true
            default: return false
            }
        case .delete:
            switch self {
            case .keys, .members, .authEnable, .authUser, .authRole: return true
            default: return false
            }
        }
    }
}
