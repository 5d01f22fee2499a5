import Glibc

/// How the file descriptors of the process are shared out, so that clients can take neither those of the members nor those of the files.
struct Descriptors: Equatable {
    /// Connections on the peer port, of members and of whoever asks there.
    let peers: Int
    /// Connections on the ports for metrics.
    let metrics: Int
    /// Connections on the client ports.
    let clients: Int

    /// - Parameter limit: of the process. Up to 150 it does not start (server.md §3).
    init(limit: UInt64) {
        let limit = Int(clamping: limit)
        // Files, own dials, a snapshot each way, a backup: some thirty in a cluster of three, and three more for each further member. etcd
        // sets 150 aside for all of these and the peers.
        let own = min(max(limit / 3, 60), 150)
        peers = min(max(limit / 8, 20), 1024)
        metrics = min(max(limit / 32, 5), 256)
        clients = max(limit - own - peers - metrics, 8)
    }

    /// Of a proxy, of which each client may need a connection to a member.
    static func ofProxy(limit: UInt64) -> Descriptors {
        let all = Descriptors(limit: limit)
        return Descriptors(peers: 0, metrics: all.metrics, clients: max(all.clients / 2, 4))
    }

    private init(peers: Int, metrics: Int, clients: Int) { (self.peers, self.metrics, self.clients) = (peers, metrics, clients) }

    /// Connections to members that a proxy may have beside those of its clients.
    static func forwarded(limit: UInt64, clients: Int) -> Int { max(Int(clamping: limit) - clients - 100, 4) }

    /// Makes the soft limit what the hard one allows; where that is refused, it stays.
    static func raiseLimit() {
        let resource = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
        var limit = rlimit()
        guard getrlimit(resource, &limit) == 0, limit.rlim_cur < limit.rlim_max else { return }
        limit.rlim_cur = limit.rlim_max
        setrlimit(resource, &limit)
    }
}
