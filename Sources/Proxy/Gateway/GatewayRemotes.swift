import HTTPTransport
import Logging
import NIOCore

/// The endpoints behind a gateway and which of them are taken to be there: one after the other gets the next connection (server.md §9.2).
/// Confined to the gateway's loop.
final class GatewayRemotes {
    struct Remote: Equatable, Sendable {
        let host: String
        let port: Int
        var text: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }
    }

    private var all: [(remote: Remote, isActive: Bool)]
    private var next = 0
    private let log: Logger
    private let retryDelay: TimeAmount

    init(_ remotes: [Remote], retryDelay: TimeAmount, log: Logger) {
        all = remotes.map { ($0, true) }
        self.retryDelay = retryDelay
        self.log = log
    }

    var inactive: [Remote] { all.filter { !$0.isActive }.map(\.remote) }

    /// Nil when all are taken to be gone.
    func pick() -> Remote? {
        for _ in all {
            next = (next + 1) % all.count
            if all[next].isActive { return all[next].remote }
        }
        return nil
    }

    func deactivate(_ remote: Remote, because reason: String) {
        guard let place = all.firstIndex(where: { $0.remote == remote && $0.isActive }) else { return }
        all[place].isActive = false
        log.warning("deactivated endpoint [\(remote.text)] due to \(reason) for \(retryDelay.nanoseconds / 1_000_000) ms")
    }

    func activate(_ remote: Remote) {
        guard let place = all.firstIndex(where: { $0.remote == remote && !$0.isActive }) else { return }
        all[place].isActive = true
        log.info("activated \(remote.text)")
    }
}
