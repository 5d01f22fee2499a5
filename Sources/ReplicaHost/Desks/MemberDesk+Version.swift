import PeerTransport
import Raft
import Wire

/// The version of the cluster (cluster.md §10): that of its oldest member, decided by the leader, so that nobody is sent what it
/// cannot read while servers are replaced one by one.
extension MemberDesk {
    /// How long a leader without a version waits for founders that start a little later. The version would be the lowest, and
    /// raised a moment after.
    private static let graceNanoseconds: Int64 = 2_000_000_000

    /// What a leader is to propose; nil: none is due.
    ///
    /// - Parameters:
    ///   - leadingSince: steady nanoseconds, as `now`.
    ///   - connected: who can be asked now: elsewhere another may have started by now.
    mutating func versionDue(leadingSince: Int64, at now: Int64, connected: some Collection<MemberID>) -> ClusterVersion? {
        var members = present.map(\.id)
        if !members.contains(own) { members.append(own) }
        let versions = members.map { member -> String? in
            if member == own { return configuration.serverVersion }
            return connected.contains(member) ? serverVersions[member] : nil
        }
        if clusterVersion.isEmpty, versions.contains(nil), now - leadingSince < Self.graceNanoseconds { return nil }
        guard let version = ClusterVersion.decide(members: versions, present: clusterVersion) else { return nil }
        if let versionProposed, versionProposed.version == version,
            now - versionProposed.at < configuration.requestTimeoutNanoseconds
        { return nil }
        versionProposed = (version, now)
        return version
    }

    /// - Returns: why this server cannot go on, if so.
    mutating func take(clusterVersion version: String) -> String? {
        clusterVersion = version
        versionProposed = nil
        return configuration.refusal(ofClusterVersion: version)
    }

    /// Either side may be too old for the other.
    func refusalOfVersion(_ hello: Hello) -> HelloRefusal? {
        func isTooOld(_ server: String, _ minimum: String) -> Bool {
            guard let server = ClusterVersion(server), let minimum = ClusterVersion(minimum) else { return true }
            return server < minimum
        }
        guard isTooOld(hello.serverVersion, configuration.minimumClusterVersion)
            || isTooOld(configuration.serverVersion, hello.minimumVersion)
        else { return nil }
        return HelloRefusal(
            .incompatibleVersion, "incompatible version: server \(hello.serverVersion), here \(configuration.serverVersion)")
    }
}

extension ReplicaConfiguration {
    /// Nil when this server is new enough for a cluster of that version. Empty: it has not decided.
    func refusal(ofClusterVersion version: String) -> String? {
        guard let cluster = ClusterVersion(version), let server = ClusterVersion(serverVersion), server < cluster else { return nil }
        return "cluster cannot be downgraded (current version: \(serverVersion) is lower than determined cluster version: "
            + "\(cluster.major).\(cluster.minor))."
    }
}
