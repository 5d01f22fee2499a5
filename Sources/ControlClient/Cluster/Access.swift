import Foundation
import HTTPTransport

/// A user as `/v2/auth/users` describes it.
struct UserRecord: Decodable, Sendable {
    let user: String
    /// What the server sends in full; here the names are enough.
    let roles: [RoleRecord]?
}

/// A role as `/v2/auth/roles` describes it.
struct RoleRecord: Decodable, Sendable {
    struct Permissions: Codable, Sendable {
        struct Patterns: Codable, Sendable {
            var read: [String]?
            var write: [String]?
        }

        var kv = Patterns()
    }

    let role: String
    let permissions: Permissions?
}

/// Changes of users and roles, as they are sent: what is nil is left out.
struct UserChange: Encodable, Sendable {
    let user: String
    var password: String?
    var grant: [String]?
    var revoke: [String]?
}

struct RoleChange: Encodable, Sendable {
    let role: String
    var permissions: RoleRecord.Permissions?
    var grant: RoleRecord.Permissions?
    var revoke: RoleRecord.Permissions?
}

extension ClusterRequest {
    private static let root = "/v2/auth/"

    private static var encoder: JSONEncoder {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return encoder
    }

    static func read(auth path: String) -> ClusterRequest { ClusterRequest(method: "GET", path: root + path, takesReasons: true) }

    static func change(auth path: String, _ change: some Encodable) throws -> ClusterRequest {
        ClusterRequest(
            method: "PUT", path: root + path, json: String(decoding: try encoder.encode(change), as: UTF8.self), takesReasons: true)
    }

    static func enableAuth(_ isEnabled: Bool) -> ClusterRequest {
        ClusterRequest(method: isEnabled ? "PUT" : "DELETE", path: root + "enable", json: isEnabled ? "" : nil, takesReasons: true)
    }

    static func remove(auth path: String) -> ClusterRequest { ClusterRequest(method: "DELETE", path: root + path, takesReasons: true) }
}

extension ClusterClient {
    /// - Throws: `AnswerFailure.said` with the server's words, or `unexpectedStatus`.
    mutating func access(_ request: ClusterRequest, before deadline: ContinuousClock.Instant?) async throws -> HTTPClientResponse {
        let response = try await response(to: request, before: deadline)
        guard response.status / 100 == 2 else {
            throw Self.refusalText(in: response).map { AnswerFailure.said($0) } ?? .unexpectedStatus(response.status)
        }
        return response
    }

    mutating func access<Value: Decodable>(
        _ type: Value.Type, _ request: ClusterRequest, before deadline: ContinuousClock.Instant?
    ) async throws -> Value {
        let response = try await access(request, before: deadline)
        guard let value = try? JSONDecoder().decode(type, from: Data(response.body)) else { throw AnswerFailure.invalidJSON }
        return value
    }
}
