import Foundation
import HTTPTransport

/// One request of the API, without the server it goes to.
struct ClusterRequest: Equatable, Sendable {
    let method: String
    /// Not yet percent-encoded.
    let path: String
    var query: [String: String] = [:]
    /// A form body; nil sends none. Values are bytes: stdin may hold anything.
    var form: [String: [UInt8]]?
    /// A JSON body instead of a form.
    var json: String?
    /// A 500 whose body says why is an answer and no failure of the member: etcd's own client takes it for a lost leader.
    var takesReasons = false
    /// Repeating it elsewhere after a failure could do it twice.
    var isOnce = false
    /// Answers when something happens, so only the connection has a deadline.
    var isWait = false

    /// Path and query behind the endpoint's own path, parameters in the order of their names.
    func target(below base: String) -> String {
        let joined = GoText.pathEscaped(path)
        let prefix = base.hasSuffix("/") ? String(base.dropLast()) : base
        let parameters = query.sorted { $0.key < $1.key }
        guard !parameters.isEmpty else { return prefix + joined }
        return prefix + joined + "?"
            + parameters.map { "\($0.key)=\(GoText.queryEscaped($0.value.utf8))" }.joined(separator: "&")
    }

    /// What is sent, form or JSON.
    var bodyText: String? {
        json ?? form.map { fields in
            fields.sorted { $0.key < $1.key }.map { "\($0.key)=\(GoText.queryEscaped($0.value))" }
                .joined(separator: "&")
        }
    }
}

extension ClusterRequest {
    static let members = ClusterRequest(method: "GET", path: "/v2/members")
    static let leader = ClusterRequest(method: "GET", path: "/v2/members/leader")

    static func addMember(peerURLs: [String]) -> ClusterRequest {
        ClusterRequest(method: "POST", path: "/v2/members", json: body(peerURLs), takesReasons: true)
    }

    static func removeMember(_ id: String) -> ClusterRequest {
        ClusterRequest(method: "DELETE", path: "/v2/members/" + id, takesReasons: true)
    }

    static func updateMember(_ id: String, peerURLs: [String]) -> ClusterRequest {
        ClusterRequest(method: "PUT", path: "/v2/members/" + id, json: body(peerURLs), takesReasons: true)
    }

    private static func body(_ peerURLs: [String]) -> String {
        let urls = (try? JSONEncoder().encode(peerURLs)).map { String(decoding: $0, as: UTF8.self) } ?? "[]"
        return "{\"peerURLs\":\(urls.replacing("\\/", with: "/"))}"
    }

    static func get(_ key: String, recursive: Bool = false, sorted: Bool, quorum: Bool) -> ClusterRequest {
        ClusterRequest(
            method: "GET", path: path(of: key),
            query: ["recursive": "\(recursive)", "sorted": "\(sorted)", "quorum": "\(quorum)"])
    }

    /// - Parameter waitIndex: the first index of interest; 0 for the next change.
    static func wait(_ key: String, waitIndex: UInt64, recursive: Bool) -> ClusterRequest {
        ClusterRequest(
            method: "GET", path: path(of: key),
            query: ["wait": "true", "waitIndex": "\(waitIndex)", "recursive": "\(recursive)"], isWait: true)
    }

    static func put(
        _ key: String, form: [String: [UInt8]], query: [String: String] = [:], isOnce: Bool = false
    ) -> ClusterRequest {
        ClusterRequest(method: "PUT", path: path(of: key), query: query, form: form, isOnce: isOnce)
    }

    static func post(_ directory: String, form: [String: [UInt8]]) -> ClusterRequest {
        ClusterRequest(method: "POST", path: path(of: directory), form: form, isOnce: true)
    }

    static func delete(_ key: String, query: [String: String]) -> ClusterRequest {
        ClusterRequest(method: "DELETE", path: path(of: key), query: query, isOnce: true)
    }

    /// The key is cleaned before the prefix is put in front, so that `..` cannot leave the keys.
    private static func path(of key: String) -> String {
        key.isEmpty ? "/v2/keys" : "/v2/keys" + GoText.cleaned(path: key)
    }
}
