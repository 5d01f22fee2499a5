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
    /// Users and roles.
    case authLists
    case authEntry
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
        } else if let rest = Self.rest(of: path, after: "/v2/auth/users") ?? Self.rest(of: path, after: "/v2/auth/roles") {
            self = rest.count <= 1 ? .authLists : .authEntry
        } else {
            return nil
        }
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
        case .authEnable, .authEntry: "GET,PUT,DELETE"
        case .localLog: "PUT"
        case .metrics: "GET,HEAD"
        case .statsSelf, .statsLeader, .statsStore, .authLists, .leader, .version, .health, .debugVariables, .backup: "GET"
        }
    }

    func takes(_ verb: HTTPVerb) -> Bool {
        // The page of Prometheus' library does not look at the verb.
        if case .metrics = self { return true }
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
            case .keys, .members, .authEnable, .authEntry, .localLog: return true
            default: return false
            }
        case .delete:
            switch self {
            case .keys, .members, .authEnable, .authEntry: return true
            default: return false
            }
        }
    }
}
