import HTTPTransport
import NIOCore
import ReplicaHost

/// What the peer port answers to anyone who asks over HTTP: proxies, joining members and some clients read the members
/// here (cluster.md §4).
package final class PeerDoor: HTTPResponder {
    private let replica: any ReplicaDoor
    private let configuration: ClientAPIConfiguration
    private let clusterID = ClusterIDField()

    package init(replica: any ReplicaDoor, configuration: ClientAPIConfiguration) {
        self.replica = replica
        self.configuration = configuration
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
            VersionPage.respond(configuration, clusterVersion: replica.status.clusterVersion, on: exchange)
        } else {
            var body = ByteBuffer(string: "{\"OK\":true,\"Now\":\"")
            body.writeTime(replica.status.now)
            body.writeStaticString("\"}\n")
            exchange.respond(.ok, .json, body: body)
        }
    }

    /// Unlike on the client port: an array, decimal ids, and what is empty is left out.
    private func respondWithMembers(on exchange: HTTPExchange) {
        var body = ByteBuffer(string: "[")
        for (position, member) in replica.members.sorted(by: { $0.id < $1.id }).enumerated() {
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
        PlainAnswers.json(exchange, .ok, body, clusterID: clusterID.line(replica.status.clusterID))
    }
}
