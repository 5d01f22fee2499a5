import HTTPTransport
import NIOCore

/// `/version`, on the client and the peer port (v2-keys.md §14).
enum VersionPage {
    /// - Parameter clusterVersion: empty: the cluster has not agreed on one yet.
    static func respond(_ configuration: ClientAPIConfiguration, clusterVersion: String, on exchange: HTTPExchange) {
        var body = ByteBuffer(string: "{\"etcdserver\":")
        body.writeJSONString(configuration.serverVersion)
        body.writeStaticString(",\"etcdcluster\":")
        body.writeJSONString(clusterVersion.isEmpty ? "not_decided" : clusterVersion)
        body.writeStaticString("}")
        exchange.respond(.ok, .json, body: body)
    }
}
