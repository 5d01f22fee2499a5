import Discovery
import HTTPTransport
import TLS

/// What a command finds around it. Tests put other things here.
struct ControlContext: Sendable {
    let environment: [String: String]
    let console: Console
    private(set) var http: HTTPClient
    /// From here on Ctrl-C is the normal end and the exit status is 0.
    let exitOnInterrupt: @Sendable () -> Void
    /// The servers that a domain offers to clients. Blocks.
    var findTargets: @Sendable (_ domain: String) throws -> [ServiceDiscovery.Target] = {
        try ServiceDiscovery.targets("etcd-client", suffix: "", domain: $0)
    }

    /// For endpoints with encryption: whom to trust, and what to show.
    func trusting(_ tls: TLSPolicy) -> ControlContext {
        var context = self
        context.http = http.with(tls)
        return context
    }
}
