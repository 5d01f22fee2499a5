import Foundation
import HTTPTransport

/// A node of the key tree as the server sends it; what is not sent has Go's zero value, because it is printed.
struct KeyNode: Decodable, Equatable, Sendable {
    var key = ""
    var isDirectory = false
    var value = ""
    var nodes: [KeyNode]?
    var createdIndex: UInt64 = 0
    var modifiedIndex: UInt64 = 0
    /// RFC 3339 with fractions, as sent.
    var expiration: String?
    /// Seconds.
    var ttl: Int64 = 0

    private enum Key: String, CodingKey {
        case key, dir, value, nodes, createdIndex, modifiedIndex, expiration, ttl
    }

    init() {}

    init(from decoder: any Decoder) throws {
        let fields = try decoder.container(keyedBy: Key.self)
        key = try fields.decodeIfPresent(String.self, forKey: .key) ?? ""
        isDirectory = try fields.decodeIfPresent(Bool.self, forKey: .dir) ?? false
        value = try fields.decodeIfPresent(String.self, forKey: .value) ?? ""
        nodes = try fields.decodeIfPresent([KeyNode].self, forKey: .nodes)
        createdIndex = try fields.decodeIfPresent(UInt64.self, forKey: .createdIndex) ?? 0
        modifiedIndex = try fields.decodeIfPresent(UInt64.self, forKey: .modifiedIndex) ?? 0
        expiration = try fields.decodeIfPresent(String.self, forKey: .expiration)
        ttl = try fields.decodeIfPresent(Int64.self, forKey: .ttl) ?? 0
    }
}

/// The answer to a request for a key.
struct KeyResponse: Equatable, Sendable {
    let action: String
    let node: KeyNode
    let previous: KeyNode?
    /// `X-Etcd-Index`: where the tree was, 0 when the header is missing.
    let index: UInt64

    init(action: String, node: KeyNode, previous: KeyNode? = nil, index: UInt64) {
        self.action = action
        self.node = node
        self.previous = previous
        self.index = index
    }

    private struct Success: Decodable {
        let action: String
        let node: KeyNode
        let prevNode: KeyNode?
    }

    private struct Refusal: Decodable {
        let errorCode: Int
        let message: String
        let cause: String?
        let index: UInt64?
    }

    /// - Throws: `AnswerFailure`.
    init(_ response: HTTPClientResponse) throws {
        let body = Data(response.body)
        guard response.status == 200 || response.status == 201 else {
            guard let refusal = try? JSONDecoder().decode(Refusal.self, from: body) else {
                throw AnswerFailure.invalidJSON
            }
            throw AnswerFailure.refused(
                code: refusal.errorCode, message: refusal.message, cause: refusal.cause ?? "",
                index: refusal.index ?? 0)
        }
        guard !body.isEmpty else { throw AnswerFailure.emptyBody }
        guard let success = try? JSONDecoder().decode(Success.self, from: body) else {
            throw AnswerFailure.invalidJSON
        }
        let index = response.headers["X-Etcd-Index"].flatMap { UInt64($0) } ?? 0
        self.init(action: success.action, node: success.node, previous: success.prevNode, index: index)
    }
}
