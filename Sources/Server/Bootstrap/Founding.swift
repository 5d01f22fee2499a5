/// The members with which a cluster begins, and which of them this one is (cluster.md §3).
package struct Founding: Equatable, Sendable {
    package struct Member: Equatable, Sendable {
        package let id: UInt64
        package let name: String
        package let peerURLs: [String]
    }

    package let clusterID: UInt64
    /// Identity of this member; one of `members`.
    package let localID: UInt64
    /// Sorted by identity: the order of the first entries of the log.
    package let members: [Member]
    /// The members are those of a running cluster, to which this one was added.
    package var isJoining = false
}

extension ServerConfiguration {
    /// Works out who founds the cluster. To be asked only when the data directory holds no member.
    ///
    /// - Throws: what is wrong with the bootstrap flags.
    package func founding(surroundings: Surroundings = .live) throws(StartupFailure) -> Founding {
        try founding(InitialCluster(parsing: initialCluster), surroundings: surroundings)
    }

    /// What can be known before anybody is asked.
    func verifyFounding(surroundings: Surroundings) throws(StartupFailure) {
        guard discovery.url.isEmpty || initialClusterState == .new else {
            throw .fatal("discovery URL should not be set when joining existing initial cluster")
        }
        // Who the members are is in the records.
        guard discovery.domain.isEmpty else { return }
        _ = try founding(surroundings: surroundings)
    }

    func founding(_ cluster: InitialCluster, surroundings: Surroundings = .live) throws(StartupFailure) -> Founding {
        try cluster.verify(name: name, advertised: initialAdvertisePeerURLs, resolve: surroundings.resolve)
        var members = cluster.members.map { member in
            let urls = member.peerURLs.map(\.text)
            return Founding.Member(
                id: MemberIdentity.member(peerURLs: urls, clusterName: clusterName), name: member.name,
                peerURLs: urls)
        }
        members.sort { $0.id < $1.id }
        guard let local = members.first(where: { $0.name == name }), !members.contains(where: { $0.id == 0 }),
            Set(members.map(\.id)).count == members.count
        else {
            throw .fatal("two members have the same identity; choose another --initial-cluster-token")
        }
        return Founding(
            clusterID: MemberIdentity.cluster(members: members.map(\.id)), localID: local.id, members: members)
    }
}
