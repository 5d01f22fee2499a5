import TLS

/// Everything the server was told, typed and checked; made by `launch` (server.md §1 to §3).
package struct ServerConfiguration: Equatable, Sendable {
    package enum ClusterState: String, Sendable {
        case new, existing
    }

    package enum LogLevel: String, CaseIterable, Sendable {
        case debug, info, warn, error, panic, fatal
    }

    package enum LogOutput: Equatable, Sendable {
        case standardError, standardOutput
        /// Opened anew when SIGHUP comes.
        case file(String)
    }

    package var name = "default"
    /// As given, or `<name>.etcd`; relative to the working directory.
    package var dataDirectory = "default.etcd"
    package var listenClientURLs: [EndpointURL] = []
    package var listenPeerURLs: [EndpointURL] = []
    package var listenMetricsURLs: [EndpointURL] = []
    package var advertiseClientURLs: [EndpointURL] = []
    package var initialAdvertisePeerURLs: [EndpointURL] = []
    /// Unparsed: only founding reads it, a stored member wins over it. See `founding(surroundings:)`.
    package var initialCluster = ""
    package var initialClusterState = ClusterState.new
    package var initialClusterToken = "etcd-cluster"
    /// Peers that shall add this member to their cluster, as etcd 0.4.6 had it; empty: none.
    package var joinPeers: [EndpointURL] = []
    /// Where the founders find each other; empty: `initialCluster` names them.
    package var discovery = DiscoverySettings()
    package var proxy = ProxySettings()
    /// Applied entries between two snapshots; never 0.
    package var snapshotCount: UInt64 = 100_000
    package var heartbeatMilliseconds = 100
    package var electionMilliseconds = 1000
    package var strictReconfigCheck = true
    /// Removes all other members at the start.
    package var forceNewCluster = false
    package var enableV2 = true
    /// `*` for all, else origins such as `http://example.com:80`.
    package var corsOrigins = ["*"]
    /// `*` for all, else host names.
    package var hostWhitelist = ["*"]
    /// Accepted for v3; v2 requests obey `limits.requestBodyBytesMax`.
    package var requestBytesMax: UInt64 = 1_572_864
    package var logLevel = LogLevel.info
    /// Each line goes to all of them; never empty.
    package var logOutputs = [LogOutput.standardError]
    package var logFormat = LogFormat.text
    /// Past events kept for watches.
    package var historyEvents = 1000
    package var limits = ConnectionLimits()
    package var clientTLS = TLSSettings()
    package var peerTLS = TLSSettings()
    /// Certificates that this member makes for itself.
    package var clientAutoTLS = false
    package var peerAutoTLS = false
    package var autoTLSYears = 1
}

/// How the founders find each other (cluster.md §7, §8).
package struct DiscoverySettings: Equatable, Sendable {
    /// URL of a token; empty: none.
    package var url = ""
    /// HTTP proxy by which the URL is asked; empty: none.
    package var httpProxy = ""
    /// A member for whom there is no place becomes a proxy; otherwise it ends.
    package var fallsBackToProxy = true
    /// DNS domain of the SRV records; empty: none.
    package var domain = ""
    /// Suffix of the service's name in them.
    package var serviceName = ""
}

/// Whether and how this process forwards to a cluster instead of being a member (server.md §2.3).
package struct ProxySettings: Equatable, Sendable {
    package enum Mode: String, Sendable {
        case off, readonly, on
    }

    package var mode = Mode.off
    /// The data directory is a proxy's, whatever the mode says.
    package var isStored = false
    package var failureWaitMilliseconds = 5000
    package var refreshIntervalMilliseconds = 30_000
    package var dialTimeoutMilliseconds = 1000
    package var writeTimeoutMilliseconds = 5000
    /// 0: none.
    package var readTimeoutMilliseconds = 0
}

/// Bounds on what clients may send and hold; each is at least 1.
package struct ConnectionLimits: Equatable, Sendable {
    package var connectionsMax = 16384
    package var requestBodyBytesMax = 10_485_760
    package var headerBytesMax = 1_048_576
    package var headersMax = 256
    package var headerTimeoutMilliseconds = 10_000
    package var bodyTimeoutMilliseconds = 60_000
    package var idleTimeoutMilliseconds = 300_000
    package var pendingProposalsMax = 16384

    package init() {}
}

extension ServerConfiguration {
    /// The member directory that etcd's log lines name.
    package var memberDirectory: String { dataDirectory + "/member" }

    /// Time a write, quorum read or member change may take: 5 s and two election timeouts (server.md §12).
    package var requestTimeoutMilliseconds: Int { 5000 + 2 * electionMilliseconds }

    /// This process starts as a proxy; a member for whom a discovered cluster has no place may become one later.
    package var isProxy: Bool { proxy.mode != .off || proxy.isStored }

    /// Tells clusters with the same URLs apart: part of all identities (cluster.md §2).
    var clusterName: String { discovery.url.isEmpty ? initialClusterToken : discovery.url }

    /// - Precondition: `settings` passed `StartupChecks.verify`, so that every value parses and is in bounds.
    init(_ settings: Settings, surroundings: Surroundings) {
        let text = { (name: String) in
            settings.isGiven(name) ? settings.text(name) : OptionTable.option(name)?.standard ?? ""
        }
        let urls = { (name: String) in (try? EndpointURL.list(text(name))) ?? [] }
        let count = { (name: String) in Int(clamping: settings.unsigned(name)) }
        name = text("name")
        dataDirectory = settings.isGiven("data-dir") ? text("data-dir") : name + ".etcd"
        listenClientURLs = urls("listen-client-urls")
        listenPeerURLs = urls("listen-peer-urls")
        listenMetricsURLs = urls("listen-metrics-urls")
        advertiseClientURLs = Self.advertised(
            urls("advertise-client-urls"), standard: "advertise-client-urls", listening: listenClientURLs, surroundings)
        initialAdvertisePeerURLs = Self.advertised(
            urls("initial-advertise-peer-urls"), standard: "initial-advertise-peer-urls", listening: listenPeerURLs,
            surroundings)
        // The default follows the name and the URLs; etcd 0.5 forgot that (server.md §3.1).
        initialCluster =
            settings.isGiven("initial-cluster")
            ? text("initial-cluster") : initialAdvertisePeerURLs.map { "\(name)=\($0.text)" }.joined(separator: ",")
        initialClusterState = ClusterState(rawValue: text("initial-cluster-state")) ?? .new
        // An empty token is a token: it gives other identities (cluster.md §2).
        initialClusterToken = settings.text("initial-cluster-token")
        discovery.url = text("discovery")
        discovery.httpProxy = text("discovery-proxy")
        discovery.fallsBackToProxy = text("discovery-fallback") == "proxy"
        discovery.domain = text("discovery-srv")
        discovery.serviceName = text("discovery-srv-name")
        proxy.mode = ProxySettings.Mode(rawValue: text("proxy")) ?? .off
        proxy.failureWaitMilliseconds = count("proxy-failure-wait")
        proxy.refreshIntervalMilliseconds = count("proxy-refresh-interval")
        proxy.dialTimeoutMilliseconds = count("proxy-dial-timeout")
        proxy.writeTimeoutMilliseconds = count("proxy-write-timeout")
        proxy.readTimeoutMilliseconds = count("proxy-read-timeout")
        // 0 means the default to etcd.
        snapshotCount = settings.unsigned("snapshot-count") == 0 ? 100_000 : settings.unsigned("snapshot-count")
        heartbeatMilliseconds = count("heartbeat-interval")
        electionMilliseconds = count("election-timeout")
        strictReconfigCheck = settings.boolean("strict-reconfig-check")
        forceNewCluster = settings.boolean("force-new-cluster")
        enableV2 = settings.boolean("enable-v2")
        corsOrigins = text("cors") == "*" ? ["*"] : urls("cors").map(\.text)
        hostWhitelist = Blanks.items(text("host-whitelist"))
        requestBytesMax = settings.unsigned("max-request-bytes")
        logLevel = settings.boolean("debug") ? .debug : LogLevel(rawValue: text("log-level")) ?? .info
        logOutputs = Self.logOutputs(Blanks.items(text("log-outputs")))
        logFormat = Self.logFormat(settings)
        historyEvents = count("history-events")
        limits.connectionsMax = count("max-connections")
        limits.requestBodyBytesMax = count("max-request-body-bytes")
        limits.headerBytesMax = count("max-header-bytes")
        limits.headersMax = count("max-headers")
        limits.headerTimeoutMilliseconds = count("header-timeout")
        limits.bodyTimeoutMilliseconds = count("body-timeout")
        limits.idleTimeoutMilliseconds = count("idle-timeout")
        limits.pendingProposalsMax = count("max-pending-proposals")
        (clientTLS, clientAutoTLS) = (TLSOptions.clients(settings), TLSOptions.isAutomatic("", settings))
        (peerTLS, peerAutoTLS) = (TLSOptions.peers(settings), TLSOptions.isAutomatic("peer-", settings))
        autoTLSYears = max(1, count("self-signed-cert-validity"))
    }

    /// `console` is what zap calls text; whoever asks for zap expects its objects.
    static func logFormat(_ settings: Settings) -> LogFormat {
        let word = settings.isGiven("log-format") ? settings.text("log-format") : settings.text("logger") == "zap" ? "json" : "text"
        return word == "json" ? .json : .text
    }

    private static func logOutputs(_ items: [String]) -> [LogOutput] {
        var outputs: [LogOutput] = []
        for item in items.isEmpty ? ["default"] : items {
            let output: LogOutput = item == "stdout" ? .standardOutput : item.contains("/") ? .file(item) : .standardError
            if !outputs.contains(output) { outputs.append(output) }
        }
        return outputs
    }

    /// Listening on every interface while advertising the default `localhost` would lead other computers
    /// to themselves; etcd then advertises its own address (server.md §3.1).
    private static func advertised(
        _ urls: [EndpointURL], standard option: String, listening: [EndpointURL], _ surroundings: Surroundings
    ) -> [EndpointURL] {
        guard urls.map(\.text) == [OptionTable.option(option)?.standard], let first = listening.first,
            first.host == "0.0.0.0", let address = surroundings.defaultAddress(),
            let url = try? EndpointURL(parsing: "http://\(HostAndPort.bracketed(address)):\(first.port)")
        else { return urls }
        return [url]
    }
}
