import Foundation
import HTTPTransport
import Logging
import TLS

/// The certificates of this process, and their renewal: one policy for the client ports, one for the peer ports and for what goes out to peers.
final class Certificates: Sendable {
    /// Nil: client ports are clear.
    let clients: TLSPolicy?
    /// Also for connections to peers; without options, trusts the system's authorities.
    let peers: TLSPolicy
    private let isPeerSet: Bool
    private let log = Logger(label: "embed")

    /// How often the files are looked at.
    private static let lookSeconds = 1.0
    private static let warnSecondsAhead = 14 * 86_400
    private static let looksBetweenWarnings = 86_400

    /// Reads all files, before anything else is done.
    ///
    /// - Throws: `.fatal` with one sentence that names the file.
    init(_ configuration: ServerConfiguration) throws(StartupFailure) {
        do throws(TLSFailure) {
            var (clients, peers) = (configuration.clientTLS, configuration.peerTLS)
            if configuration.clientAutoTLS {
                (clients.certificateFile, clients.keyFile) = try Self.made(
                    "client", for: configuration.listenClientURLs + configuration.listenMetricsURLs, configuration)
            }
            if configuration.peerAutoTLS {
                (peers.certificateFile, peers.keyFile) = try Self.made("peer", for: configuration.listenPeerURLs, configuration)
            }
            isPeerSet = !peers.isEmpty
            self.clients = clients.isEmpty ? nil : try TLSPolicy(clients)
            self.peers = isPeerSet ? try TLSPolicy(peers) : .system
        } catch {
            throw .fatal(error.description)
        }
    }

    /// Nil where the scheme needs none.
    func security(of urls: [EndpointURL], _ policy: TLSPolicy?) -> PortSecurity {
        guard urls.contains(where: \.scheme.isEncrypted), let policy else { return .clear }
        return urls.allSatisfy(\.scheme.isEncrypted) ? .encrypted(policy) : .both(policy)
    }

    private static func made(
        _ kind: String, for urls: [EndpointURL], _ configuration: ServerConfiguration
    ) throws(TLSFailure) -> (String?, String?) {
        guard urls.contains(where: \.scheme.isEncrypted) else { return (nil, nil) }
        let hosts = urls.filter(\.scheme.isEncrypted).map { $0.scheme.isSocketFile || $0.host.isEmpty ? "localhost" : $0.host }
        let paths = try AutoCertificate.ensure(
            in: "\(configuration.dataDirectory)/fixtures/\(kind)", hosts: hosts, years: configuration.autoTLSYears)
        return (paths.certificate, paths.key)
    }

    // MARK: Renewal

    private var policies: [(name: String, policy: TLSPolicy)] {
        (clients.map { [("client", $0)] } ?? []) + (isPeerSet ? [("peer", peers)] : [])
    }

    /// Looks at the files from now on, again and again, on a thread of its own: reading may block.
    func watch() {
        guard !policies.isEmpty else { return }
        warn()
        Thread.detachNewThread { [weak self] in
            var looks = 0
            while true {
                Thread.sleep(forTimeInterval: Self.lookSeconds)
                guard let self else { return }
                looks += 1
                self.look(isWarningDue: looks % Self.looksBetweenWarnings == 0)
            }
        }
    }

    private func look(isWarningDue: Bool) {
        for (name, policy) in policies { tell(policy.poll(), of: name) }
        if isWarningDue { warn() }
    }

    /// Reads the files now. May block; for any thread but the loop.
    func reload() {
        for (name, policy) in policies { tell(policy.reload(), of: name) }
        warn()
    }

    private func tell(_ outcome: TLSPolicy.Outcome, of name: String) {
        if let what = outcome.renewed { log.notice("new \(name) certificates are used for new connections: \(what)") }
        if let reason = outcome.kept { log.error("new \(name) certificates cannot be used, the old ones are kept: \(reason)") }
    }

    private func warn() {
        for (_, policy) in policies {
            for warning in policy.dateWarnings(secondsAhead: Self.warnSecondsAhead) { log.error("\(warning)") }
        }
    }

    // MARK: Figures

    /// For `/metrics`.
    func figures() -> [(kind: String, figures: TLSPolicy.Figures)] { policies.map { ($0.name, $0.policy.figures) } }
}
