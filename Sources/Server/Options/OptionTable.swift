/// Every flag the server knows: one row each, all of etcd's generations and our own (server.md §2).
enum OptionTable {
    static let all: [Option] = member + clustering + limits + security + logging + proxy + experimental + legacy

    private static let byName: [String: Option] = Dictionary(
        all.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })

    /// Looks up a flag by its name without dashes; also finds the other names of etcd's generations.
    static func option(_ name: String) -> Option? {
        byName[name] ?? aliases[name].flatMap { byName[$0] }
    }

    // server.md §2.1
    private static let member: [Option] = [
        Option("name", .text, "default", in: .member, "Name of this member, unique in its cluster."),
        Option("data-dir", .path, "", in: .member, "Directory of this member's data; by default <name>.etcd here."),
        Option("wal-dir", .path, "", .refused, in: .member, "Separate directory for the log."),
        Option("snapshot-count", .unsigned(.uint64), "100000", in: .member, "Applied entries between two snapshots."),
        Option(
            "heartbeat-interval", .unsigned(.uint), "100", in: .member, "Milliseconds between a leader's heartbeats."),
        Option(
            "election-timeout", .unsigned(.uint), "1000", in: .member,
            "Milliseconds without a leader before an election; at least five heartbeats."),
        Option(
            "initial-election-tick-advance", .boolean, "true", .inert, in: .member,
            "Shorten the first election wait after a start."),
        Option(
            "listen-peer-urls", .urls, "http://localhost:2380", in: .member, "Where to listen for other members."),
        Option("listen-client-urls", .urls, "http://localhost:2379", in: .member, "Where to listen for clients."),
        Option("listen-metrics-urls", .urls, "", in: .member, "Further listeners for /metrics and /health only."),
        Option("history-events", .unsigned(.uint), "1000", in: .member, "Past events kept for watches with waitIndex."),
        Option("max-snapshots", .unsigned(.uint), "5", .inert, in: .member, "Snapshot files to keep."),
        Option("max-wals", .unsigned(.uint), "5", .inert, in: .member, "Log files to keep."),
        Option("quota-backend-bytes", .signed, "0", .inert, in: .member, "Size limit of the v3 store."),
        Option("backend-batch-interval", .duration, "", .inert, in: .member, "Longest wait before a backend commit."),
        Option("backend-batch-limit", .signed, "0", .inert, in: .member, "Most operations in a backend commit."),
        Option("max-txn-ops", .unsigned(.uint), "128", .inert, in: .member, "Operations in a v3 transaction."),
        Option(
            "max-concurrent-streams", .unsigned(.uint32), "4294967295", .inert, in: .member, "HTTP/2 streams a client."),
        Option("grpc-keepalive-min-time", .duration, "5s", .inert, in: .member, "Shortest time between client pings."),
        Option("grpc-keepalive-interval", .duration, "2h", .inert, in: .member, "Time between pings to clients."),
        Option("grpc-keepalive-timeout", .duration, "20s", .inert, in: .member, "Wait for the answer to a ping."),
        Option("socket-reuse-port", .boolean, "false", .inert, in: .member, "Set SO_REUSEPORT on listeners."),
        Option("socket-reuse-address", .boolean, "false", .inert, in: .member, "Set SO_REUSEADDR on listeners."),
        Option("enable-v2", .boolean, "true", in: .member, "Serve the v2 API."),
        Option("config-file", .path, "", in: .member, "YAML file with these options; flags and variables win over it."),
        Option("version", .boolean, "false", in: .member, "Print the version and exit."),
        Option("help", .boolean, "false", in: .member, "Print this text and exit."),
    ]

    // server.md §2.2
    private static let clustering: [Option] = [
        Option(
            "initial-advertise-peer-urls", .urls, "http://localhost:2380", in: .clustering,
            "This member's peer URLs, as the other members reach them."),
        Option(
            "initial-cluster", .text, "", in: .clustering,
            "Founding members, name=url comma separated; by default this member alone."),
        Option(
            "initial-cluster-state", .choice(["new", "existing"]), "new", in: .clustering,
            "Whether to found a cluster (new) or join one (existing)."),
        Option(
            "initial-cluster-token", .text, "etcd-cluster", in: .clustering,
            "Tells clusters with the same URLs apart."),
        Option(
            "advertise-client-urls", .urls, "http://localhost:2379", in: .clustering,
            "This member's client URLs, as clients reach them."),
        Option("discovery", .text, "", .honouredAtFounding, in: .clustering, "URL of a discovery token."),
        Option(
            "discovery-fallback", .choice(["proxy", "exit"]), "proxy", in: .clustering,
            "What to do when the discovered cluster is full."),
        Option("discovery-proxy", .text, "", in: .clustering, "HTTP proxy to reach the discovery URL."),
        Option(
            "discovery-srv", .text, "", .honouredAtFounding, in: .clustering, "DNS domain with the members' SRV records."
        ),
        Option("discovery-srv-name", .text, "", in: .clustering, "Suffix of the SRV service names."),
        Option(
            "strict-reconfig-check", .boolean, "true", in: .clustering,
            "Refuse membership changes that would lose the quorum."),
        Option("pre-vote", .boolean, "false", .inert, in: .clustering, "Ask before campaigning."),
        Option("auto-compaction-retention", .text, "0", .inert, in: .clustering, "v3 history to keep."),
        Option(
            "auto-compaction-mode", .text, "periodic", .inert, in: .clustering, "Meaning of the retention."),
        Option(
            "v2-deprecation", .choice(["not-yet", "write-only", "write-only-drop-data", "gone"]), "not-yet", .inert,
            in: .clustering, "Phase of v2 removal in etcd 3.5."),
    ]

    // Our own, but for max-request-bytes (server.md §12 and §2.1).
    private static let limits: [Option] = [
        Option("max-request-bytes", .unsigned(.uint), "1572864", in: .limits, "Size of a v3 request."),
        Option("max-connections", .unsigned(.uint), "16384", in: .limits, "Client connections at a time."),
        Option("max-request-body-bytes", .unsigned(.uint), "10485760", in: .limits, "Size of a v2 request's body."),
        Option("max-header-bytes", .unsigned(.uint), "1048576", in: .limits, "Size of a request's head."),
        Option("max-headers", .unsigned(.uint), "256", in: .limits, "Header lines of a request."),
        Option(
            "header-timeout", .unsigned(.uint), "10000", in: .limits, "Milliseconds for a request's head to arrive."),
        Option("body-timeout", .unsigned(.uint), "60000", in: .limits, "Milliseconds for a request's body to arrive."),
        Option("idle-timeout", .unsigned(.uint), "300000", in: .limits, "Milliseconds an idle connection is kept."),
        Option("max-pending-proposals", .unsigned(.uint), "16384", in: .limits, "Writes waiting at a time."),
    ]

    // server.md §2.4, and cors and host-whitelist of §2.1
    private static let security: [Option] = [
        Option("cors", .origins, "*", in: .security, "Origins that browsers may call from; * for all."),
        Option("host-whitelist", .list, "*", in: .security, "Host names accepted over plain HTTP; * for all."),
        Option("cert-file", .path, "", in: .security, "Certificate for clients."),
        Option("key-file", .path, "", in: .security, "Key of the certificate for clients."),
        Option("trusted-ca-file", .path, "", in: .security, "CA that signs client certificates."),
        Option("ca-file", .path, "", in: .security, "The same, with client certificates required."),
        Option("client-cert-auth", .boolean, "false", in: .security, "Require client certificates."),
        Option("client-crl-file", .path, "", in: .security, "Revoked client certificates."),
        Option(
            "client-cert-allowed-hostname", .text, "", in: .security, "Required name in client certificates."),
        Option("auto-tls", .boolean, "false", in: .security, "Generate a certificate for clients."),
        Option("peer-cert-file", .path, "", in: .security, "Certificate for peers."),
        Option("peer-key-file", .path, "", in: .security, "Key of the certificate for peers."),
        Option("peer-trusted-ca-file", .path, "", in: .security, "CA that signs peer certificates."),
        Option("peer-ca-file", .path, "", in: .security, "The same, with peer certificates required."),
        Option("peer-client-cert-auth", .boolean, "false", in: .security, "Require peer certificates."),
        Option("peer-crl-file", .path, "", in: .security, "Revoked peer certificates."),
        Option("peer-cert-allowed-cn", .text, "", in: .security, "Required common name of peers."),
        Option("peer-cert-allowed-hostname", .text, "", in: .security, "Required name in peer certificates."),
        Option("peer-auto-tls", .boolean, "false", in: .security, "Generate a certificate for peers."),
        Option(
            "self-signed-cert-validity", .unsigned(.uint), "1", in: .security,
            "Years of a generated certificate."),
        Option("cipher-suites", .list, "", in: .security, "TLS 1.2 cipher suites to offer, by their names in Go."),
        Option("tls-min-version", .choice(["TLS1.2", "TLS1.3"]), "TLS1.2", in: .security, "Oldest version of TLS."),
        Option("tls-max-version", .choice(["TLS1.2", "TLS1.3"]), "TLS1.3", in: .security, "Newest version of TLS."),
        Option("auth-token", .text, "simple", .inert, in: .security, "Token type of v3 authentication."),
        Option("auth-token-ttl", .unsigned(.uint), "300", .inert, in: .security, "Seconds a v3 token lives."),
        Option("bcrypt-cost", .unsigned(.uint), "10", .inert, in: .security, "Cost of hashing v3 passwords."),
    ]

    // server.md §2.5
    private static let logging: [Option] = [
        Option("log-level", .text, "info", in: .logging, "debug, info, warn, error, panic or fatal."),
        Option("debug", .boolean, "false", in: .logging, "The same as --log-level=debug."),
        Option("log-outputs", .list, "default", in: .logging, "default (stderr), or one or more of stderr, stdout and files with a slash in their names, opened anew at SIGHUP."),
        Option("logger", .text, "capnslog", in: .logging, "capnslog, or zap: the same as --log-format=json."),
        Option("log-package-levels", .text, "", .inert, in: .logging, "Log levels for single packages."),
        Option(
            "log-format", .choice(["text", "console", "json"]), "text", in: .logging,
            "Lines as etcd's classic ones (text, or console), or JSON objects."),
        Option("enable-log-rotation", .boolean, "false", .inert, in: .logging, "Rotate log files."),
        Option("log-rotation-config-json", .text, "", .inert, in: .logging, "How to rotate them."),
        Option("enable-pprof", .boolean, "false", .inert, in: .logging, "Serve Go's profiler."),
        Option("metrics", .text, "basic", .inert, in: .logging, "basic or extensive."),
        Option("enable-grpc-gateway", .boolean, "true", .inert, in: .logging, "Serve v3 as JSON."),
    ]

    // server.md §2.3
    private static let proxy: [Option] = [
        Option("proxy", .choice(["off", "readonly", "on"]), "off", in: .proxy, "Forward to a cluster."),
        Option(
            "proxy-failure-wait", .unsigned(.uint), "5000", in: .proxy,
            "Milliseconds to avoid a failed endpoint."),
        Option(
            "proxy-refresh-interval", .unsigned(.uint), "30000", in: .proxy, "Milliseconds between refreshes."),
        Option("proxy-dial-timeout", .unsigned(.uint), "1000", in: .proxy, "Milliseconds to connect."),
        Option("proxy-write-timeout", .unsigned(.uint), "5000", in: .proxy, "Milliseconds to send a request."),
        Option("proxy-read-timeout", .unsigned(.uint), "0", in: .proxy, "Milliseconds to read an answer."),
    ]
}
