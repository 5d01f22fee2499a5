import TLS

/// The flags before the command and their environment variables (ctl.md A1).
struct GlobalOptions: Sendable {
    /// As given, before they are parsed; never empty.
    let endpoints: [String]
    /// Domain whose records tell the endpoints, before those above.
    let discoveryDomain: String?
    let isInsecureDiscoveryAllowed: Bool
    let skipsSync: Bool
    let output: String
    let isDebug: Bool
    /// For the head of each answer; zero waits for ever.
    let requestTimeout: Duration
    /// For a whole command, watches excepted.
    let totalTimeout: Duration
    /// `name[:password]`.
    let username: String?
    /// For endpoints with encryption.
    let tls: TLSPolicy

    static let flags: [Flag] = [
        Flag("debug", kind: .bool, usage: "output cURL commands which can be used to reproduce the request"),
        Flag("no-sync", kind: .bool, usage: "don't synchronize cluster information before sending request"),
        Flag(
            "output", "o", kind: .string(default: "simple"), placeholder: "simple",
            usage: "output response in the given format (simple, `extended` or `json`)"),
        Flag(
            "discovery-srv", "D", kind: .string(),
            usage: "domain name to query for SRV records describing cluster endpoints"),
        Flag(
            "insecure-discovery", kind: .bool,
            usage: "accept insecure SRV records describing cluster endpoints"),
        Flag("peers", "C", kind: .string(), usage: "DEPRECATED - \"--endpoints\" should be used instead"),
        Flag("endpoint", kind: .string(), usage: "DEPRECATED - \"--endpoints\" should be used instead"),
        Flag(
            "endpoints", kind: .string(),
            usage: "a comma-delimited list of machine addresses in the cluster (default: \"\(defaultEndpoints)\")"),
        Flag("cert-file", kind: .string(), usage: "identify HTTPS client using this SSL certificate file"),
        Flag("key-file", kind: .string(), usage: "identify HTTPS client using this SSL key file"),
        Flag(
            "ca-file", kind: .string(),
            usage: "verify certificates of HTTPS-enabled servers using this CA bundle"),
        Flag(
            "username", "u", kind: .string(),
            usage: "provide username[:password] and prompt if password is not supplied."),
        Flag(
            "timeout", kind: .duration(default: 2_000_000_000, text: "2s"),
            usage: "connection timeout per request"),
        Flag(
            "total-timeout", kind: .duration(default: 5_000_000_000, text: "5s"),
            usage: "timeout for the command execution (except watch)"),
    ]

    private static let defaultEndpoints = "http://127.0.0.1:2379,http://127.0.0.1:4001"

    /// - Throws: `CommandFailure` with a sentence for an option that this version does not have.
    init(_ flags: ParsedFlags, environment: [String: String]) throws(CommandFailure) {
        func given(_ texts: String?...) -> String? { texts.compactMap { $0 }.first { !$0.isEmpty } }
        discoveryDomain = given(flags.string("discovery-srv"), environment["ETCDCTL_DISCOVERY_SRV"])
        isInsecureDiscoveryAllowed =
            flags.bool("insecure-discovery") || ["1", "t", "T", "true", "TRUE", "True"].contains(environment["ETCDCTL_INSECURE_DISCOVERY"] ?? "")
        let list =
            given(
                flags.string("endpoints"), flags.string("endpoint"), flags.string("peers"),
                environment["ETCDCTL_ENDPOINTS"], environment["ETCDCTL_ENDPOINT"], environment["ETCDCTL_PEERS"])
            ?? Self.defaultEndpoints
        endpoints = list.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
        skipsSync = flags.bool("no-sync")
        output = flags.string("output")
        isDebug = flags.bool("debug")
        requestTimeout = .nanoseconds(flags.duration("timeout"))
        totalTimeout = .nanoseconds(flags.duration("total-timeout"))
        username = given(flags.string("username"), environment["ETCDCTL_USERNAME"])
        var tls = TLSSettings()
        tls.certificateFile = given(flags.string("cert-file"), environment["ETCDCTL_CERT_FILE"])
        tls.keyFile = given(flags.string("key-file"), environment["ETCDCTL_KEY_FILE"])
        tls.trustedCAFile = given(flags.string("ca-file"), environment["ETCDCTL_CA_FILE"])
        self.tls = try Self.policy(tls)
    }

    private static func policy(_ tls: TLSSettings) throws(CommandFailure) -> TLSPolicy {
        guard (tls.certificateFile == nil) == (tls.keyFile == nil) else {
            throw CommandFailure(
                lines: "KeyFile and CertFile must both be present[key: \(tls.keyFile ?? ""), cert: \(tls.certificateFile ?? "")]")
        }
        do throws(TLSFailure) {
            return tls.isEmpty ? .system : try TLSPolicy(tls)
        } catch {
            throw CommandFailure(lines: error.description)
        }
    }
}
