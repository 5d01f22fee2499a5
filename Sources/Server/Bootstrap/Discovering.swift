import Discovery
import HTTPTransport
import Logging

/// The founders as a discovery URL or DNS tells them.
struct DiscoveredCluster: Sendable {
    let cluster: InitialCluster
    /// This member had taken its place before this process began.
    var wasRegistered = false
}

extension ServerConfiguration {
    /// Who founds the cluster; nil when `--initial-cluster` says it. May wait for days: for the last of the founders, or a service that is
    /// down.
    ///
    /// - Throws: `DiscoveryFailure`, `StartupFailure`, `CancellationError`.
    func discovered(asking ask: PeerQuestions) throws -> DiscoveredCluster? {
        guard discovery.domain.isEmpty else { return DiscoveredCluster(cluster: try recorded(asking: ask)) }
        guard !discovery.url.isEmpty else { return nil }
        let own = try founding()
        let value = try InitialCluster(parsing: initialCluster).text
        let token = try token(asking: ask)
        let founders = try ask.wait { try await token.join(MemberIdentity.text(own.localID), value: value) }
        let cluster = try Self.cluster(of: founders.values)
        let urls = cluster.members.flatMap(\.peerURLs)
        guard Set(urls).count == urls.count else { throw StartupFailure.fatal("discovery cluster \(cluster.text) has duplicate url") }
        return DiscoveredCluster(cluster: cluster, wasRegistered: founders.wasRegistered)
    }

    func token(asking ask: PeerQuestions) throws(DiscoveryFailure) -> DiscoveryToken {
        let log = Logger(label: "discovery")
        return try DiscoveryToken(
            parsing: discovery.url, proxy: discovery.httpProxy, http: HTTPClient(eventLoop: ask.loop)) { log.notice("\($0)") }
    }

    /// - Parameter values: what each has registered.
    static func cluster(of values: [String]) throws(DiscoveryFailure) -> InitialCluster {
        let cluster: InitialCluster
        do throws(StartupFailure) {
            cluster = try InitialCluster(parsing: values.joined(separator: ","))
        } catch {
            throw .invalidURL
        }
        guard cluster.members.count == values.count else { throw .duplicateName }
        return cluster
    }

    /// What etcd says when a token has been used in vain (cluster.md §7.3).
    func explanation(of failure: DiscoveryFailure) -> [Notice] {
        func line(_ level: Logger.Level, _ text: String) -> Notice { Notice(level, "etcdmain", text) }
        return switch failure {
        case .duplicateID: registeredBefore
        case .duplicateName:
            [
                line(.error, "member with duplicated name has registered with discovery service token(\(discovery.url))."),
                line(.error, "please check (cURL) the discovery token for more information."),
                line(.error, "please do not reuse the discovery token and generate a new one to bootstrap the cluster."),
            ]
        case .clusterIsFull, .sizeKeyNotFound, .sizeKeyIsBad, .badEndpoint, .invalidURL, .refused:
            [
                line(.error, "failed to join discovery cluster (\(failure))"),
                line(.info, "discovery token \(discovery.url) was used, but failed to bootstrap the cluster."),
                line(.info, "please generate a new discovery token and try to bootstrap again."),
            ]
        }
    }

    var registeredBefore: [Notice] {
        [
            Notice(.error, "etcdmain", "member \(Quoted.go(name)) has previously registered with discovery service token (\(discovery.url))."),
            Notice(.error, "etcdmain", "But etcd could not find valid cluster configuration in the given data dir (\(dataDirectory))."),
            Notice(.info, "etcdmain", "Please check the given data dir path if the previous bootstrap succeeded"),
            Notice(.info, "etcdmain", "or use a new discovery token if the previous bootstrap failed."),
        ]
    }
}

extension InitialCluster {
    /// Of all members, sorted.
    var peerURLs: [String] { members.flatMap(\.peerURLs).map(\.text).sorted() }
}
