import Discovery
import HTTPTransport

/// What a command finds around it. Tests put other things here.
struct ControlContext: Sendable {
    let environment: [String: String]
    let console: Console
    let http: HTTPClient
    /// From here on Ctrl-C is the normal end and the exit status is 0.
    let exitOnInterrupt: @Sendable () -> Void
    /// The servers that a domain offers to clients. Blocks.
    var findTargets: @Sendable (_ domain: String) throws -> [ServiceDiscovery.Target] = {
        try ServiceDiscovery.targets("etcd-client", suffix: "", domain: $0)
    }
}
