import NIOCore
import PeerTransport
import Raft
import Replica
import Storage
import Wire

/// The version of the cluster (cluster.md §10): that of its oldest member, decided by the leader, so that nobody is sent what it
/// cannot read while servers are replaced one by one.
extension ReplicaService {
    /// How long a leader without a version waits for founders that start a little later. The version would be the lowest, and
    /// raised a moment after.
    private static let graceNanoseconds: Int64 = 2_000_000_000
    /// How long clients wait for a version.
    private static let clientWaitNanoseconds: Int64 = 250_000_000

    /// Proposes a version if the leader and another one is due.
    func decideClusterVersion() {
        guard machine.core.role == .leader, hasCaughtUp, !isStopping else { return }
        let now = WallClock.steady
        var members = currentMembers.filter { !$0.isRemoved }.map(\.id)
        if !members.contains(identity.member) { members.append(identity.member) }
        let versions = members.map(serverVersion)
        if clusterVersion.isEmpty, versions.contains(nil), now - leaderSinceSteady < Self.graceNanoseconds { return }
        guard let version = ClusterVersion.decide(members: versions, present: clusterVersion) else { return }
        if let versionProposed, versionProposed.version == version,
            now - versionProposed.at < configuration.requestTimeoutNanoseconds
        { return }
        versionProposed = (version, now)
        gather(MembershipCodec.encode(.clusterVersion(version.text), time: clock.now, request: newRequest()))
    }

    /// Nil when it is not connected: whoever starts there next may be another.
    private func serverVersion(of member: MemberID) -> String? {
        if member == identity.member { return configuration.serverVersion }
        return links?.isConnected(member) == true ? peerVersions[member] : nil
    }

    /// False for a moment in a new cluster, so that what clients write comes behind what the cluster writes of itself.
    var isVersionWaitedFor: Bool {
        !clusterVersion.isEmpty || (leaderKnown != .none && WallClock.steady - leaderSinceSteady > Self.clientWaitNanoseconds)
    }

    func take(clusterVersion version: String) {
        notice(.clusterVersionSet(version, before: clusterVersion))
        clusterVersion = version
        versionProposed = nil
        if let reason = configuration.refusal(ofClusterVersion: version) { fail(.refused(reason)) }
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
