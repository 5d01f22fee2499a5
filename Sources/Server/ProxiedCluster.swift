import Logging
import Synchronization

/// The cluster that a proxy forwards to: who its members are, remembered in the proxy's directory.
final class ProxiedCluster: Sendable {
    private struct State {
        /// To be asked next time.
        var peers: [String]
        var isSilent = false
    }

    private let state: Mutex<State>
    private let file: ProxyClusterFile
    private let ask: PeerQuestions
    private let log = Logger(label: "etcdmain")

    private static let askSeconds = 10

    /// - Parameter peers: peer URLs of any of its members.
    init(_ peers: [String], file: ProxyClusterFile, ask: PeerQuestions) {
        state = Mutex(State(peers: peers))
        self.file = file
        self.ask = ask
    }

    /// Those of all members, sorted, as one of them tells; nil when nobody answers.
    func clientURLs() async -> [String]? {
        let (peers, wasSilent) = state.withLock { ($0.peers, $0.isSilent) }
        for url in peers {
            do {
                let cluster = try await ask.cluster(at: url, seconds: Self.askSeconds)
                remember(cluster.members.flatMap(\.peerURLs).sorted(), instead: peers)
                return cluster.members.flatMap { $0.clientURLs ?? [] }.sorted()
            } catch {
                if !wasSilent { log.warning("could not get cluster response from \(url): Get \"\(url)/members\": \(error)") }
            }
        }
        // Once, not with each attempt.
        if !wasSilent { log.warning("proxy: could not retrieve cluster information from the given URLs") }
        state.withLock { $0.isSilent = true }
        return nil
    }

    private func remember(_ peers: [String], instead old: [String]) {
        state.withLock { $0 = State(peers: peers) }
        do {
            guard try file.read() != peers else { return }
            try file.write(peers)
        } catch {
            log.error("proxy: \(error)")
        }
        if peers != old {
            log.info(
                "proxy: updated peer urls in cluster file from [\(old.joined(separator: " "))] to [\(peers.joined(separator: " "))]")
        }
    }
}
