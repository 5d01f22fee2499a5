import ClientAPI
import Glibc
import HTTPTransport
import ReplicaHost

/// Answers on the peer port until a member that joins knows who it is: whoever asks shall not wait for it.
final class FoundingDoor: HTTPResponder {
    func respond(to request: HTTPRequest, on exchange: HTTPExchange) { exchange.respond(.serviceUnavailable, nil) }
}

extension PeerDoor {
    /// For a founder that waits for the others: it shows the members to be, and no client URLs (cluster.md §3).
    convenience init(_ founding: Founding, configuration: ClientAPIConfiguration) {
        let members = founding.members.map { MemberRecord(id: $0.id, name: $0.name, peerURLs: $0.peerURLs, clientURLs: []) }
        self.init(configuration: configuration) {
            var time = timespec()
            clock_gettime(CLOCK_REALTIME, &time)
            let now = Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
            return PeerPortFacts(clusterID: founding.clusterID, clusterVersion: "", members: members, now: now)
        }
    }
}
