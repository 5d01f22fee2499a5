import NIOCore
import ReplicaHost

/// What is known of the other members (server.md §7). Nothing of it is written by a member that is alone.
extension MetricsPage {
    func writePeers(into page: inout ByteBuffer) {
        guard let replica else { return }
        let own = "Local=\"\(String(replica.status.memberID, radix: 16))\",Remote="
        let peers = replica.peers.map { (id: String($0.id, radix: 16), figures: $0) }
        guard !peers.isEmpty else { return }
        func write(_ name: String, _ kind: MetricKind, by label: String, _ value: (PeerRecord) -> UInt64) {
            page.writeType(name, kind)
            for peer in peers { page.writeString("\(name){\(label)\"\(peer.id)\"} \(value(peer.figures))\n") }
        }
        func write(_ name: String, by label: String, _ histogram: (PeerRecord) -> DurationFigures) {
            page.writeType(name, .histogram)
            for peer in peers {
                let figures = histogram(peer.figures)
                page.writeHistogram(name, "\(label)\"\(peer.id)\"", figures.bounds, figures.counts, figures.sumNanoseconds)
            }
        }
        write("etcd_network_known_peers", .gauge, by: own) { _ in 1 }
        write("etcd_network_active_peers", .gauge, by: own) { $0.isConnected ? 1 : 0 }
        write("etcd_network_disconnected_peers_total", .counter, by: own, \.disconnects)
        write("etcd_network_peer_sent_bytes_total", .counter, by: "To=", \.bytesSent)
        write("etcd_network_peer_received_bytes_total", .counter, by: "From=", \.bytesReceived)
        write("etcd_network_peer_sent_failures_total", .counter, by: "To=", \.sendFailures)
        write("etcd_network_peer_round_trip_time_seconds", by: "To=", \.roundTrips)
        write("etcd_network_snapshot_send_inflights_total", .gauge, by: "To=", \.snapshots.sending)
        write("etcd_network_snapshot_send_success", .counter, by: "To=", \.snapshots.sent)
        write("etcd_network_snapshot_send_failures", .counter, by: "To=", \.snapshots.sendFailures)
        write("etcd_network_snapshot_send_total_duration_seconds", by: "To=", \.snapshots.sendDurations)
        write("etcd_network_snapshot_receive_inflights_total", .gauge, by: "From=", \.snapshots.receiving)
        write("etcd_network_snapshot_receive_success", .counter, by: "From=", \.snapshots.received)
        write("etcd_network_snapshot_receive_failures", .counter, by: "From=", \.snapshots.receiveFailures)
        write("etcd_network_snapshot_receive_total_duration_seconds", by: "From=", \.snapshots.receiveDurations)
    }
}
