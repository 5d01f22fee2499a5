import NIOCore
import ReplicaHost

extension ServerConfiguration {
    /// The URLs of the other members, sorted.
    private func otherURLs(_ cluster: InitialCluster) -> [String] {
        cluster.members.filter { $0.name != name }.flatMap(\.peerURLs).map(\.text).sorted()
    }

    /// Takes over the identities of a running cluster to which this member was added (cluster.md §6.1).
    ///
    /// - Parameter discovered: the members, when `--initial-cluster` does not name them.
    func joining(
        _ discovered: InitialCluster? = nil, asking ask: PeerQuestions, surroundings: Surroundings = .live,
        said: @escaping @Sendable (String) -> Void
    ) throws -> Founding {
        let cluster = try discovered ?? InitialCluster(parsing: initialCluster)
        try cluster.verify(name: name, advertised: initialAdvertisePeerURLs, resolve: surroundings.resolve)
        let urls = otherURLs(cluster)
        let found = try ask.wait { () async -> RunningCluster? in
            for url in urls {
                do {
                    var found = try await ask.cluster(at: url, seconds: 10)
                    found.version = await ask.clusterVersion(at: url, seconds: 10)
                    return found
                } catch {
                    said("could not get cluster response from \(url): Get \"\(url)/members\": \(error)")
                }
            }
            return nil
        }
        guard let found else {
            throw StartupFailure.fatal(
                "cannot fetch cluster info from peer urls: could not retrieve cluster information from the given URLs")
        }
        return try joining(found, cluster, surroundings)
    }

    func joining(
        _ running: RunningCluster, _ cluster: InitialCluster, _ surroundings: Surroundings
    ) throws(StartupFailure) -> Founding {
        guard running.members.count == cluster.members.count else {
            throw .fatal("error validating peerURLs \(running.text): member count is unequal")
        }
        var unmatched = cluster.members
        var members: [Founding.Member] = []
        var local: RunningCluster.Member?
        for member in running.members.sorted(by: { $0.id < $1.id }) {
            let urls = member.peerURLs.compactMap { try? EndpointURL(parsing: $0[...]) }.sorted { $0.text < $1.text }
            var last = ""
            let place = unmatched.firstIndex { candidate in
                guard let difference = InitialCluster.difference(urls, candidate.peerURLs, resolve: surroundings.resolve) else {
                    return true
                }
                last = difference
                return false
            }
            guard let place else {
                throw .fatal(
                    "error validating peerURLs \(running.text): PeerURLs: no match found for existing member "
                        + "(\(MemberIdentity.text(member.id)), [\(member.peerURLs.joined(separator: " "))]), "
                        + "last resolver error (\(last))")
            }
            let matched = unmatched.remove(at: place)
            if matched.name == name { local = member }
            members.append(Founding.Member(id: member.id, name: matched.name, peerURLs: member.peerURLs))
        }
        guard let local else {
            throw .fatal("couldn't find local name \(Quoted.go(name)) in the initial cluster configuration")
        }
        try Self.requireUnpublished(local)
        guard ClusterVersion.accepts(running.version, server: BuildVersion.etcdCompatibility) else {
            throw .fatal(
                "incompatible with current running cluster (its version is \(running.version ?? ""), "
                    + "this server's is \(BuildVersion.etcdCompatibility))")
        }
        return Founding(clusterID: running.clusterID, localID: local.id, members: members, isJoining: true)
    }

    /// With an empty data directory a member that has been one would vote a second time under its old identity. etcd lets it.
    static func requireUnpublished(_ local: RunningCluster.Member) throws(StartupFailure) {
        guard local.isPublished else { return }
        let id = MemberIdentity.text(local.id)
        throw .fatal(
            "member \(id) has already been bootstrapped, and its data directory is empty; "
                + "remove it with 'etcdctl member remove \(id)', add it again and start it then")
    }
}

extension ClusterVersion {
    /// Whether a server may join a cluster of this version: not older than what it can work with, not newer than itself
    /// (cluster.md §10). A cluster that has not decided takes anyone.
    static func accepts(_ running: String?, server: String) -> Bool {
        guard let running else { return true }
        guard let running = ClusterVersion(running), let own = ClusterVersion(server) else { return false }
        return .minimum <= running && running <= own
    }
}
