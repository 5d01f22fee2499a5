import PeerTransport

/// What etcd verifies before it starts, in its order and words (server.md §3).
enum StartupChecks {
    /// Places that the log goes to; each has a thread.
    private static let logOutputsMax = 8
    /// Longest election timeout in milliseconds.
    private static let electionMax: UInt64 = 50_000

    /// - Throws: the first thing that is wrong.
    static func verify(_ settings: Settings) throws(StartupFailure) {
        try verifyLogging(settings)
        for name in ["listen-peer-urls", "listen-client-urls", "listen-metrics-urls"] {
            for url in settings.urls(name) where !url.isBindable {
                throw .verification("expected IP in URL for binding (\(url.text))")
            }
        }
        for name in ["initial-advertise-peer-urls", "advertise-client-urls"] {
            let urls = settings.urls(name)
            if let url = urls.first(where: { $0.host.isEmpty && !$0.scheme.isSocketFile }) {
                let all = urls.map(\.text).joined(separator: ",")
                throw .verification(
                    "--\(name) \(Quoted.go(all)) must be \"host:port\" (unexpected empty host (\(url.text)))")
            }
        }
        if ["initial-cluster", "discovery", "discovery-srv"].count(where: { settings.isGiven($0) }) > 1 {
            throw .verification(
                "multiple discovery or bootstrap flags are set. "
                    + "Choose one of \"initial-cluster\", \"discovery\" or \"discovery-srv\"")
        }
        try verifyTiming(settings)
        try verifyAdvertising(settings)
        let mode = settings.text("auto-compaction-mode")
        guard ["periodic", "revision", ""].contains(mode) else {
            throw .verification("unknown auto-compaction-mode \(Quoted.go(mode))")
        }
        try verifyLimits(settings)
    }

    private static func verifyLogging(_ settings: Settings) throws(StartupFailure) {
        let logger = settings.text("logger")
        guard ["capnslog", "zap", ""].contains(logger) else {
            throw .verification("unknown logger option \(Quoted.go(logger))")
        }
        let outputs = Blanks.items(settings.text("log-outputs"))
        for output in outputs where !["default", "stderr", "stdout"].contains(output) && !output.contains("/") {
            throw .verification(
                "unknown log-output \(Quoted.go(output)) (only supports \"default\", \"stderr\", \"stdout\")")
        }
        guard Set(outputs).count <= 1 || !outputs.contains("default") else {
            throw .verification("multi logoutput for \(Quoted.go("default")) is not supported yet")
        }
        guard outputs.count <= logOutputsMax else {
            throw .verification("--log-outputs names \(outputs.count) places, and \(logOutputsMax) are possible")
        }
        let level = settings.text("log-level")
        guard level.isEmpty || ServerConfiguration.LogLevel(rawValue: level) != nil else {
            let known = ServerConfiguration.LogLevel.allCases.map { Quoted.go($0.rawValue) }.joined(separator: ", ")
            throw .verification("unknown log-level \(Quoted.go(level)) (only supports \(known))")
        }
    }

    private static func verifyTiming(_ settings: Settings) throws(StartupFailure) {
        let heartbeat = settings.unsigned("heartbeat-interval")
        let election = settings.unsigned("election-timeout")
        if heartbeat == 0 { throw .verification("--heartbeat-interval must be >0 (set to 0ms)") }
        if election == 0 { throw .verification("--election-timeout must be >0 (set to 0ms)") }
        let least = heartbeat.multipliedReportingOverflow(by: 5)
        if least.overflow || least.partialValue > election {
            throw .verification(
                "--election-timeout[\(election)ms] should be at least as 5 times as --heartbeat-interval[\(heartbeat)ms]"
            )
        }
        if election > electionMax {
            throw .verification(
                "--election-timeout[\(election)ms] is too long, and should be set less than \(electionMax)ms")
        }
    }

    /// A proxy advertises nothing, and who may become one need not.
    private static func verifyAdvertising(_ settings: Settings) throws(StartupFailure) {
        let mayBeProxy =
            !["off", ""].contains(settings.text("proxy"))
            || settings.isGiven("discovery") && settings.text("discovery-fallback") != "exit"
        guard settings.isGiven("listen-client-urls"), !settings.isGiven("advertise-client-urls"), !mayBeProxy else { return }
        throw .verification(
            "--advertise-client-urls is required when --listen-client-urls is set explicitly",
            further: [
                "When listening on specific address(es), this etcd process must advertise accessible url(s) to each connected client."
            ])
    }

    private static func verifyLimits(_ settings: Settings) throws(StartupFailure) {
        let bounds: [(name: String, values: ClosedRange<UInt64>)] = [
            ("history-events", 1...100_000_000),
            ("max-connections", 1...1_000_000),
            ("max-request-body-bytes", 1...(1 << 30)),
            ("max-header-bytes", 1024...(1 << 26)),
            ("max-headers", 1...65_536),
            ("header-timeout", 1...86_400_000),
            ("body-timeout", 1...86_400_000),
            ("idle-timeout", 1...86_400_000),
            ("max-pending-proposals", 1...1_000_000),
            ("proxy-failure-wait", 0...86_400_000),
            ("proxy-refresh-interval", 1...86_400_000),
            ("proxy-dial-timeout", 1...86_400_000),
            ("proxy-write-timeout", 1...86_400_000),
            ("proxy-read-timeout", 0...86_400_000),
        ]
        for (name, values) in bounds where !values.contains(settings.unsigned(name)) {
            throw .verification(
                "--\(name) must be between \(values.lowerBound) and \(values.upperBound) (set to \(settings.unsigned(name)))"
            )
        }
        try verifyEntrySize(settings)
    }

    /// Of an entry: besides what the request gave, such as the address of the client.
    private static let entryExtrasMax = 4096

    /// A write that no other member could be sent would be tried for ever.
    private static func verifyEntrySize(_ settings: Settings) throws(StartupFailure) {
        // A key and values may come in the head and in the body.
        let body = settings.unsigned("max-request-body-bytes")
        let head = settings.unsigned("max-header-bytes")
        let most = UInt64(PeerLimits().entryBytesMax - entryExtrasMax)
        guard body + head > most else { return }
        throw .verification(
            "--max-request-body-bytes (\(body)) and --max-header-bytes (\(head)) allow a write of \(body + head) bytes, "
                + "and members can send each other \(most) at most")
    }

    /// Checks that come after the flags themselves are in order: features of later versions, encryption,
    /// the process's limits.
    ///
    /// - Parameter isFounding: false when the data directory already holds a member.
    /// - Returns: warnings about options without effect.
    static func verifySupport(
        _ settings: Settings, isFounding: Bool, memberDirectory: String, surroundings: Surroundings
    ) throws(StartupFailure) -> [Notice] {
        var notices: [Notice] = []
        for option in settings.departures {
            switch option.support {
            case .honoured, .retired:
                break
            case .inert:
                notices.append(
                    Notice(.warning, "etcdmain", "--\(option.name) has no effect in this version of etclite"))
            case .refused:
                throw .unsupported("--\(option.name)")
            case .honouredAtFounding:
                if !isFounding { notices.append(ignored(option, memberDirectory)) }
            }
        }
        for name in ["peers", "peers-file"] where isFounding && settings.isGiven(name) {
            for other in ["initial-cluster", "discovery", "discovery-srv"] where settings.isGiven(other) {
                throw .verification("Set only one of flags -\(name) and -\(other)")
            }
        }
        try verifyCompaction(settings)
        try TLSOptions.verify(settings)
        notices += TLSOptions.notices(settings)
        let descriptors = surroundings.fileDescriptorLimit()
        guard descriptors > 150 else {
            throw .fatal(
                "file descriptor limit[\(descriptors)] of etcd process is too low, "
                    + "and should be set higher than 150 to ensure internal usage")
        }
        return notices
    }

    private static func ignored(_ option: Option, _ memberDirectory: String) -> Notice {
        let what = option.name == "discovery" ? "discovery token" : "--\(option.name)"
        return Notice(
            .warning, "etcdserver",
            "\(what) ignored since a cluster has already been initialized. "
                + "Valid log found at \(Quoted.go(memberDirectory))")
    }

    private static func verifyCompaction(_ settings: Settings) throws(StartupFailure) {
        let retention = settings.text("auto-compaction-retention")
        let isNumber = OptionValue.problem(retention, .signed) == nil
        if settings.text("auto-compaction-mode") == "revision" {
            guard isNumber || retention.isEmpty else {
                throw .fatal(
                    "error parsing CompactionRetention: strconv.ParseInt: parsing \(Quoted.go(retention)): invalid syntax"
                )
            }
        } else if !isNumber, !retention.isEmpty, !OptionValue.isDuration(retention) {
            throw .fatal("error parsing CompactionRetention: time: invalid duration \(Quoted.go(retention))")
        }
    }
}
