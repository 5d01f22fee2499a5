import Foundation
import HTTPTransport

/// A member as `/v2/members` describes it.
struct Member: Decodable, Equatable, Sendable {
    let id: String
    let name: String
    let peerURLs: [String]
    let clientURLs: [String]

    private enum Key: String, CodingKey {
        case id, name, peerURLs, clientURLs
    }

    /// A member that has not started has no client URLs, and etcd then sends an empty list or null.
    init(from decoder: any Decoder) throws {
        let fields = try decoder.container(keyedBy: Key.self)
        id = try fields.decode(String.self, forKey: .id)
        name = try fields.decodeIfPresent(String.self, forKey: .name) ?? ""
        peerURLs = try fields.decodeIfPresent([String].self, forKey: .peerURLs) ?? []
        clientURLs = try fields.decodeIfPresent([String].self, forKey: .clientURLs) ?? []
    }
}

extension ClusterClient {
    private struct MemberList: Decodable {
        let members: [Member]?
    }

    mutating func members(before deadline: ContinuousClock.Instant?) async throws -> [Member] {
        let response = try await response(to: .members, before: deadline)
        return try Self.decode(MemberList.self, from: response).members ?? []
    }

    mutating func leader(before deadline: ContinuousClock.Instant?) async throws -> Member {
        let response = try await response(to: .leader, before: deadline)
        return try Self.decode(Member.self, from: response)
    }

    private static func decode<Value: Decodable>(
        _ type: Value.Type, from response: HTTPClientResponse
    ) throws -> Value {
        guard response.status == 200 else { throw AnswerFailure.unexpectedStatus(response.status) }
        guard let value = try? JSONDecoder().decode(type, from: Data(response.body)) else {
            throw AnswerFailure.invalidJSON
        }
        return value
    }
}
