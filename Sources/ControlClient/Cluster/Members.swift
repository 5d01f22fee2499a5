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

    mutating func addMember(peerURLs: [String], before deadline: ContinuousClock.Instant?) async throws -> Member {
        let response = try await response(to: .addMember(peerURLs: peerURLs), before: deadline)
        guard response.status == 201 else { throw Self.refusal(in: response) }
        guard let member = try? JSONDecoder().decode(Member.self, from: Data(response.body)) else { throw AnswerFailure.invalidJSON }
        return member
    }

    /// One that was removed before is as good as removed.
    mutating func removeMember(_ id: String, before deadline: ContinuousClock.Instant?) async throws {
        let response = try await response(to: .removeMember(id), before: deadline)
        guard response.status == 204 || response.status == 410 else { throw Self.refusal(in: response) }
    }

    mutating func updateMember(_ id: String, peerURLs: [String], before deadline: ContinuousClock.Instant?) async throws {
        let response = try await response(to: .updateMember(id, peerURLs: peerURLs), before: deadline)
        guard response.status == 204 else { throw Self.refusal(in: response) }
    }

    private static func refusal(in response: HTTPClientResponse) -> AnswerFailure {
        refusalText(in: response).map { .said($0) } ?? .unexpectedStatus(response.status)
    }

    /// The `message` of a refusal; nil when there is none, or one that says nothing.
    static func refusalText(in response: HTTPClientResponse) -> String? {
        struct Refusal: Decodable { let message: String }
        let message = try? JSONDecoder().decode(Refusal.self, from: Data(response.body)).message
        return message == "Internal Server Error" || message?.isEmpty == true ? nil : message
    }

    /// The refusal is about the change. Otherwise the member could not do it, and another may.
    static func isDecision(_ response: HTTPClientResponse) -> Bool {
        guard let text = refusalText(in: response) else { return false }
        let ofTheMoment = ["request timed out", "request cancelled", "server stopped", "no leader", "no space left", "too many requests"]
        return !ofTheMoment.contains { text.hasPrefix("etcdserver: " + $0) }
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
