import HTTPTransport
import NIOCore
import ReplicaHost

/// `/metrics` in the text format of Prometheus, with etcd's names (server.md §7).
///
/// Of etcd's names these are missing because there is nothing here that they could count: those of its second store, its leases, its gRPC
/// server and Go's runtime (`etcd_mvcc_*` but for the size, `etcd_debugging_mvcc_*`, `etcd_debugging_lease_*`, `etcd_network_client_grpc_*`,
/// `grpc_*`, `go_*`), its quota and defragmentation (`etcd_server_quota_backend_bytes`, `etcd_disk_backend_defrag_duration_seconds`,
/// `etcd_mvcc_db_total_size_in_use_in_bytes`), errors of a receiving stream (`etcd_network_peer_received_failures_total`: a stream that is
/// broken is closed, which `etcd_network_disconnected_peers_total` counts), and files that snapshots are staged in (`etcd_snap_*`).
final class MetricsPage {
    /// Nil before there is one: then its figures are zero.
    var replica: (any ReplicaDoor)?
    weak var listener: Listener?
    let requests: RequestMetrics
    let health: HealthProbe
    let configuration: ClientAPIConfiguration

    init(requests: RequestMetrics, health: HealthProbe, configuration: ClientAPIConfiguration) {
        self.requests = requests
        self.health = health
        self.configuration = configuration
    }

    private static let requestBounds = [
        "0.0005", "0.001", "0.002", "0.004", "0.008", "0.016", "0.032", "0.064", "0.128", "0.256", "0.512", "1.024",
        "2.048",
    ]

    func respond(on exchange: HTTPExchange) {
        var page = ByteBuffer()
        writeServer(into: &page)
        writeDisk(into: &page)
        writeRequests(into: &page)
        writePeers(into: &page)
        writeConnections(into: &page)
        writeCertificates(into: &page)
        writeStore(into: &page)
        writeProcess(into: &page)
        exchange.respond(.ok, .prometheus, body: page)
    }

    private func writeServer(into page: inout ByteBuffer) {
        let status = replica?.status ?? ReplicaStatus()
        let counters = replica?.counters ?? ReplicaCounters()
        let isLearner = replica?.members.first { $0.id == status.memberID }?.isLearner ?? false
        page.writeMetric("etcd_server_has_leader", .gauge, status.leader == 0 ? 0 : 1)
        page.writeMetric("etcd_server_is_leader", .gauge, status.isLeader ? 1 : 0)
        page.writeMetric("etcd_server_is_learner", .gauge, isLearner ? 1 : 0)
        page.writeMetric("etcd_server_id", .gauge, [("server_id", String(status.memberID, radix: 16), "1")])
        page.writeMetric("etcd_server_leader_changes_seen_total", .counter, counters.leaderChanges)
        page.writeMetric("etcd_server_proposals_committed_total", .gauge, status.commitIndex)
        page.writeMetric("etcd_server_proposals_applied_total", .gauge, status.appliedIndex)
        page.writeMetric("etcd_server_proposals_pending", .gauge, counters.proposalsPending)
        page.writeMetric("etcd_server_proposals_failed_total", .counter, counters.proposalsFailed)
        // Those that waited in vain for a majority, which is the only way in which they fail.
        page.writeMetric("etcd_server_slow_read_indexes_total", .counter, counters.readsFailed)
        page.writeMetric("etcd_server_read_indexes_failed_total", .counter, counters.readsFailed)
        page.writeMetric("etcd_server_heartbeat_send_failures_total", .counter, counters.lateHeartbeats)
        page.writeMetric("etcd_server_slow_apply_total", .counter, counters.slowApplies)
        page.writeMetric("etcd_server_snapshot_apply_in_progress_total", .gauge, counters.isInstalling ? 1 : 0)
        page.writeMetric("etcd_server_health_success", .counter, health.successes)
        page.writeMetric("etcd_server_health_failures", .counter, health.failures)
        page.writeMetric("etcd_server_version", .gauge, [("server_version", configuration.serverVersion, "1")])
        if !status.clusterVersion.isEmpty {
            page.writeMetric("etcd_cluster_version", .gauge, [("cluster_version", status.clusterVersion, "1")])
        }
        page.writeMetric("etclite_version", .gauge, [("version", configuration.productVersion, "1")])
    }

    private func writeDisk(into page: inout ByteBuffer) {
        let counters = replica?.counters ?? ReplicaCounters()
        for (name, labels, histogram) in [
            ("etcd_disk_wal_fsync_duration_seconds", "", counters.logCommits),
            ("etcd_disk_backend_commit_duration_seconds", "", counters.treeCommits),
            ("etcd_disk_backend_snapshot_duration_seconds", "", counters.copies),
            ("etcd_server_apply_duration_seconds", "version=\"v2\"", counters.applies),
        ] {
            page.writeType(name, .histogram)
            page.writeHistogram(name, labels, histogram.bounds, histogram.counts, histogram.sumNanoseconds)
        }
        page.writeMetric("etcd_disk_wal_write_bytes_total", .counter, counters.logBytesWritten)
        page.writeMetric("etcd_mvcc_db_total_size_in_bytes", .gauge, counters.treeBytes)
    }

    private func writeRequests(into page: inout ByteBuffer) {
        let methods = RequestMetrics.Method.allCases.map { ($0.name, requests.figures[$0.rawValue]) }
            .filter { $0.1.received > 0 }
        page.writeMetric(
            "etcd_http_received_total", .counter, methods.map { ("method", $0.0, String($0.1.received)) })
        page.writeType("etcd_http_failed_total", .counter)
        for (name, figures) in methods {
            for failure in figures.failed {
                page.writeString("etcd_http_failed_total{code=\"\(failure.code)\",method=\"\(name)\"} \(failure.count)\n")
            }
        }
        page.writeType("etcd_http_successful_duration_seconds", .histogram)
        for (name, figures) in methods {
            page.writeHistogram(
                "etcd_http_successful_duration_seconds", "method=\"\(name)\"", Self.requestBounds, figures.durations,
                figures.nanoseconds)
        }
    }

    private func writeConnections(into page: inout ByteBuffer) {
        guard let listener else { return }
        page.writeMetric("etclite_client_connections", .gauge, UInt64(listener.connectionCount))
        page.writeMetric("etclite_client_connections_max", .gauge, UInt64(listener.limits.connectionsMax))
        page.writeMetric("etclite_client_connections_refused_total", .counter, listener.refusedConnectionsTotal)
        page.writeMetric("etclite_client_connections_cut_total", .counter, listener.relievedConnectionsTotal)
        page.writeMetric("etclite_client_held_bytes", .gauge, UInt64(max(0, listener.heldBytes)))
    }

    /// Nothing of this without encryption.
    private func writeCertificates(into page: inout ByteBuffer) {
        let figures = configuration.certificates()
        guard !figures.isEmpty else { return }
        let now = ProcessFigures.secondsNow()
        page.writeType("etclite_tls_days_until_expiry", .gauge)
        for one in figures {
            for (kind, expires) in [("certificate", one.certificateExpires), ("authority", one.authorityExpires)] {
                guard let expires else { continue }
                let days = Double(expires - now) / 86_400
                page.writeString("etclite_tls_days_until_expiry{port=\"\(one.port)\",kind=\"\(kind)\"} \(days)\n")
            }
        }
        page.writeMetric("etclite_tls_renewals_total", .counter, figures.map { ("port", $0.port, String($0.renewals)) })
        page.writeMetric("etclite_tls_renewal_failures_total", .counter, figures.map { ("port", $0.port, String($0.failures)) })
        if let listener {
            page.writeMetric("etclite_client_handshakes_rejected_total", .counter, listener.rejectedHandshakesTotal)
            page.writeMetric("etclite_client_handshakes_unfinished", .gauge, UInt64(listener.unfinishedHandshakes))
        }
    }

    private func writeStore(into page: inout ByteBuffer) {
        let store = replica?.storeStatistics ?? StoreStatistics()
        page.writeMetric(
            "etcd_debugging_store_reads_total", .counter, [("action", "get", String(store.gets.success))])
        page.writeMetric(
            "etcd_debugging_store_writes_total", .counter,
            [
                ("action", "set", String(store.sets.success)), ("action", "create", String(store.creates.success)),
                ("action", "update", String(store.updates.success)),
                ("action", "compareAndSwap", String(store.compareAndSwaps.success)),
                ("action", "delete", String(store.deletes.success)),
                ("action", "compareAndDelete", String(store.compareAndDeletes.success)),
            ])
        page.writeMetric("etcd_debugging_store_expires_total", .counter, store.expires)
        page.writeMetric("etcd_debugging_store_watch_requests_total", .counter, replica?.counters.watchRequests ?? 0)
        page.writeMetric("etcd_debugging_store_watchers", .gauge, store.watchers)
    }

    private func writeProcess(into page: inout ByteBuffer) {
        let figures = ProcessFigures()
        page.writeMetric("process_resident_memory_bytes", .gauge, figures.residentBytes)
        page.writeMetric("process_virtual_memory_bytes", .gauge, figures.virtualBytes)
        page.writeMetric("process_open_fds", .gauge, figures.openDescriptors)
        page.writeMetric("process_max_fds", .gauge, figures.descriptorLimit)
        page.writeType("process_cpu_seconds_total", .counter)
        page.writeString("process_cpu_seconds_total \(Double(figures.cpuMicroseconds) / 1e6)\n")
        guard let replica else { return }
        page.writeType("process_start_time_seconds", .gauge)
        page.writeString("process_start_time_seconds \(Double(replica.status.startTime) / 1e9)\n")
    }
}
