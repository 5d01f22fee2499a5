import Access
import HTTPTransport

/// The bodies of `/v2/auth`, read as etcd reads them: unknown fields are passed over, null is as not given, and a field of a wrong type makes
/// the whole body invalid (v2-keys.md §16).
enum AuthJSON {
    struct WantedUser {
        var name: AccessName
        var password: [UInt8]
        var roles, grant, revoke: [AccessName]

        /// Nothing in it is longer than what would be kept.
        var isBounded: Bool {
            password.count <= AccessLimits.nameBytesMax && AuthJSON.areBounded([[name], roles, grant, revoke])
        }
    }

    struct WantedRole {
        var name: AccessName
        var permissions: Permissions
        var grant, revoke: Permissions?

        var isBounded: Bool {
            AuthJSON.areBounded(
                [[name]] + [permissions, grant, revoke].flatMap { [$0?.read ?? [], $0?.write ?? []] })
        }
    }

    static func user(_ request: HTTPRequest) -> WantedUser? {
        guard let object = object(request), let name = text(object["user"]), let password = text(object["password"]),
            let roles = names(object["roles"]), let grant = names(object["grant"]), let revoke = names(object["revoke"])
        else { return nil }
        return WantedUser(name: name, password: password, roles: roles ?? [], grant: grant ?? [], revoke: revoke ?? [])
    }

    static func role(_ request: HTTPRequest) -> WantedRole? {
        guard let object = object(request), let name = text(object["role"]), let given = permissions(object["permissions"]),
            let grant = permissions(object["grant"]), let revoke = permissions(object["revoke"])
        else { return nil }
        return WantedRole(name: name, permissions: given ?? Permissions(), grant: grant, revoke: revoke)
    }

    private static func object(_ request: HTTPRequest) -> JSONValue? {
        if case .tooLarge = request.bodyState { return nil }
        guard let value = try? JSONValue.parse(request.body.readableBytesUInt8Span.array) else { return nil }
        switch value {
        case .object, .null: return value
        case .bool, .number, .string, .array: return nil
        }
    }

    private static func text(_ value: JSONValue?) -> [UInt8]? {
        switch value {
        case nil, .null: []
        case .string(let text): text
        default: nil
        }
    }

    /// Outer nil: of a wrong type; inner: not given.
    private static func names(_ value: JSONValue?) -> [AccessName]?? {
        switch value {
        case nil, .null: return .some(nil)
        case .array(let values):
            var names: [AccessName] = []
            for value in values {
                guard let name = text(value) else { return nil }
                names.append(name)
            }
            return names
        default: return nil
        }
    }

    private static func permissions(_ value: JSONValue?) -> Permissions?? {
        switch value {
        case nil, .null: return .some(nil)
        case .object:
            switch value?["kv"] {
            case nil, .null: return Permissions()
            case .object(let fields):
                let kv = JSONValue.object(fields)
                guard let read = names(kv["read"]), let write = names(kv["write"]) else { return nil }
                return Permissions(read: read, write: write)
            default: return nil
            }
        default: return nil
        }
    }

    private static func areBounded(_ lists: [[AccessName]]) -> Bool {
        lists.allSatisfy { $0.count <= AccessLimits.grantsMax && $0.allSatisfy { $0.count <= AccessLimits.nameBytesMax } }
    }
}
