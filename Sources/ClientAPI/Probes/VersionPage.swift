import HTTPTransport
import NIOCore

/// `/version`, on the client and the peer port (v2-keys.md §14).
enum VersionPage {
    static func respond(_ configuration: ClientAPIConfiguration, on exchange: HTTPExchange) {
        var body = ByteBuffer(string: "{\"etcdserver\":")
        body.writeJSONString(configuration.serverVersion)
        body.writeStaticString(",\"etcdcluster\":")
        body.writeJSONString(configuration.clusterVersion)
        body.writeStaticString("}")
        exchange.respond(.ok, .json, body: body)
    }
}
