import Raft

/// Who leads, since when, and may it be said of a request that waited too long that this was why?
struct LeaderDesk {
    private(set) var known: MemberID = .none
    /// When it became known; nanoseconds since 1970 UTC.
    private(set) var since: Int64 = 0
    /// The same on the steady clock.
    private(set) var sinceSteady: Int64 = 0

    /// False when it was known.
    mutating func note(_ leader: MemberID, wall: Int64, steady: Int64) -> Bool {
        guard leader != known else { return false }
        (known, since, sinceSteady) = (leader, wall, steady)
        return true
    }

    /// As etcd tells a time-out of one kind from another (cluster.md §9).
    ///
    /// - Parameters:
    ///   - start: of the request, steady nanoseconds, as `now`.
    ///   - election: nanoseconds of an election timeout.
    ///   - connections: nanoseconds for which each other member has been connected without a break.
    func whyLate(
        since start: Int64, at now: Int64, own: MemberID, election: Int64, configuration: Configuration, connections: [MemberID: Int64]
    ) -> Unavailable {
        guard known != .none else { return .timedOut }
        if start > sinceSteady - 2 * election, start < sinceSteady { return .timedOutLeaderLost }
        let isConnected = { (member: MemberID) in connections[member].map { $0 >= now - start } ?? false }
        guard known == own else { return isConnected(known) ? .timedOut : .timedOutConnectionLost }
        let connected = configuration.voters.count { $0 == own || isConnected($0) }
        return connected < configuration.quorum ? .timedOutConnectionLost : .timedOut
    }
}
