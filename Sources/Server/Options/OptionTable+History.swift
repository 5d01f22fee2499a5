/// Rows that nobody writes in a new configuration: experiments, unsafe switches and etcd 0.4.6.
extension OptionTable {
    // server.md §2.5 (experimental-*), §2.1 and §2.2 (unsafe)
    static let experimental: [Option] = [
        Option(
            "force-new-cluster", .boolean, "false", in: .experimental,
            "Make this member the only one of its cluster, keep its data; for one start, when the majority is lost."),
        Option("unsafe-no-fsync", .boolean, "false", .refused, in: .experimental, "Do not wait for the disk."),
        Option("experimental-enable-v2v3", .text, "", .refused, in: .experimental, "Keep v2 keys in the v3 store."),
        inert("experimental-initial-corrupt-check", .boolean, "false"),
        inert("experimental-corrupt-check-time", .duration, "0s"),
        inert("experimental-backend-bbolt-freelist-type", .text, "array"),
        inert("experimental-enable-lease-checkpoint", .boolean, "false"),
        inert("experimental-enable-lease-checkpoint-persist", .boolean, "false"),
        inert("experimental-compaction-batch-limit", .signed, "1000"),
        Option(
            "experimental-peer-skip-client-san-verification", .boolean, "false", in: .experimental,
            "Take peers from addresses that their certificates do not name."),
        inert("experimental-watch-progress-notify-interval", .duration, "10m"),
        inert("experimental-warning-apply-duration", .duration, "100ms"),
        inert("experimental-memory-mlock", .boolean, "false"),
        inert("experimental-txn-mode-write-with-shared-buffer", .boolean, "true"),
        inert("experimental-bootstrap-defrag-threshold-megabytes", .unsigned(.uint), "0"),
        inert("experimental-max-learners", .signed, "1"),
        inert("experimental-downgrade-check-time", .duration, "5s"),
        inert("experimental-wait-cluster-ready-timeout", .duration, "5s"),
        inert("experimental-enable-distributed-tracing", .boolean, "false"),
        inert("experimental-distributed-tracing-address", .text, "localhost:4317"),
        inert("experimental-distributed-tracing-service-name", .text, "etcd"),
        inert("experimental-distributed-tracing-instance-id", .text, ""),
    ]

    // server.md §2.6
    static let legacy: [Option] = [
        Option("addr", .address, "", in: .legacy, "Advertised client address, and where to listen."),
        Option("bind-addr", .bindAddress, "", in: .legacy, "Where to listen for clients."),
        Option("peer-addr", .address, "", in: .legacy, "Advertised peer address, and where to listen."),
        Option("peer-bind-addr", .bindAddress, "", in: .legacy, "Where to listen for peers."),
        Option("peers", .text, "", .honouredAtFounding, in: .legacy, "Join the cluster of these peers."),
        Option("peers-file", .path, "", .honouredAtFounding, in: .legacy, "The same list from a file."),
        retired("peer-heartbeat-interval"), retired("peer-election-timeout"),
        retired("cluster-active-size"), retired("cluster-remove-delay"), retired("cluster-sync-interval"),
        retired("config"), retired("max-result-buffer"), retired("max-retry-attempts"), retired("retry-interval"),
        retired("cpuprofile"), retired("trace"), retired("graphite-host"),
        retired("http-read-timeout"), retired("http-write-timeout"),
        retired("force", .boolean), retired("f", .boolean), retired("snapshot", .boolean),
        retired("v", .boolean), retired("vv", .boolean), retired("vvv", .boolean),
    ]

    /// Other names of flags: 3.3's, and the short ones that 0.4.6 already called deprecated.
    static let aliases: [String: String] = [
        "log-output": "log-outputs",
        "C": "peers", "CF": "peers-file", "n": "name", "c": "addr", "cl": "bind-addr", "s": "peer-addr",
        "sl": "peer-bind-addr", "d": "data-dir", "m": "max-result-buffer", "r": "max-retry-attempts",
        "maxsize": "cluster-active-size", "snapshotCount": "snapshot-count", "clientCAFile": "ca-file",
        "clientCert": "cert-file", "clientKey": "key-file", "serverCAFile": "peer-ca-file",
        "serverCert": "peer-cert-file", "serverKey": "peer-key-file",
    ]

    private static func inert(_ name: String, _ kind: Option.Kind, _ standard: String) -> Option {
        Option(name, kind, standard, .inert, in: .experimental, "No effect.")
    }

    private static func retired(_ name: String, _ kind: Option.Kind = .text) -> Option {
        Option(name, kind, kind == .boolean ? "false" : "", .retired, in: .legacy, "No effect.")
    }
}
