import HTTPTransport
import NIOCore
import ReplicaHost

/// What the peer port tells of the cluster.
package struct PeerPortFacts: Sendable {
    package var clusterID: UInt64
    /// Empty: the cluster has not agreed on one.
    package var clusterVersion: String
    package var members: [MemberRecord]
    /// Nanoseconds since 1970 UTC.
    package var now: Int64

    package init(clusterID: UInt64, clusterVersion: String, members: [MemberRecord], now: Int64) {
        self.clusterID = clusterID
        self.clusterVersion = clusterVersion
        self.members = members
        self.now = now
    }
}

/// What the peer port answers to anyone who asks over HTTP: proxies, joining members and some clients read the members
/// here (cluster.md §4). Confined to the loop of the listener, on which it asks for the facts.
package final class PeerDoor: HTTPResponder {
    private let facts: () -> PeerPortFacts
    private let configuration: ClientAPIConfiguration
    private let clusterID = ClusterIDField()

    package init(configuration: ClientAPIConfiguration, facts: @escaping () -> PeerPortFacts) {
        self.facts = facts
        self.configuration = configuration
    }

    package convenience init(replica: any ReplicaDoor, configuration: ClientAPIConfiguration) {
        self.init(configuration: configuration) {
            let status = replica.status
            return PeerPortFacts(
                clusterID: status.clusterID, clusterVersion: status.clusterVersion, members: replica.members, now: status.now)
        }
    }

    package func respond(to request: HTTPRequest, on exchange: HTTPExchange) {
        switch request.withTarget({ RequestPath.parse($0) }) {
        case .malformed: PlainAnswers.badRequest(exchange)
        case .redirect(let location): PlainAnswers.redirect(exchange, verb: request.verb, to: location)
        case .clean(let path, _): serve(path.span, request, on: exchange)
        }
    }

    private func serve(_ path: Span<UInt8>, _ request: HTTPRequest, on exchange: HTTPExchange) {
        let isMembers = path.equals("/members")
        let isVersion = path.equals("/version")
        guard isMembers || isVersion || path.equals("/raft/probing") else { return PlainAnswers.notFound(exchange) }
        guard request.verb == .get else { return PlainAnswers.methodNotAllowed(exchange, allowed: "GET") }
        if isMembers {
            respondWithMembers(on: exchange)
        } else if isVersion {
            VersionPage.respond(configuration, clusterVersion: facts().clusterVersion, on: exchange)
        } else {
            var body = ByteBuffer(string: "{\"OK\":true,\"Now\":\"")
            body.writeTime(facts().now)
            body.writeStaticString("\"}\n")
            exchange.respond(.ok, .json, body: body)
        }
    }

    /// Unlike on the client port: an array, decimal ids, and what is empty is left out.
    private func respondWithMembers(on exchange: HTTPExchange) {
        var body = ByteBuffer(string: "[")
        let facts = facts()
        for (position, member) in facts.members.sorted(by: { $0.id < $1.id }).enumerated() {
            if position > 0 { body.writeStaticString(",") }
            body.writeStaticString("{\"id\":")
            body.writeDecimal(member.id)
            body.writeStaticString(",\"peerURLs\":")
            body.writeStrings(member.peerURLs)
            if member.isLearner { body.writeStaticString(",\"isLearner\":true") }
            if !member.name.isEmpty {
                body.writeStaticString(",\"name\":")
                body.writeJSONString(member.name)
            }
            if !member.clientURLs.isEmpty {
                body.writeStaticString(",\"clientURLs\":")
                body.writeStrings(member.clientURLs)
            }
            body.writeStaticString("}")
        }
        body.writeStaticString("]\n")
        PlainAnswers.json(exchange, .ok, body, clusterID: clusterID.line(facts.clusterID))
    }
}
