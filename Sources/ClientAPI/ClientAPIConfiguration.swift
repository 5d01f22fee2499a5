/// What the operator chose about the client API.
package struct ClientAPIConfiguration: Sendable {
    /// Origins that browsers may call from; `*` stands for all (server.md §5.4).
    package var corsOrigins = ["*"]
    /// Names a client may use in `Host`; `*` stands for all. Not checked on TLS (server.md §5.4).
    package var hostWhitelist = ["*"]
    package var isHostChecked = true
    /// False: each path below `/v2` is 404.
    package var isV2Enabled = true
    /// What `/version` shows: the etcd release whose API this is.
    package var serverVersion = "3.4.23"
    /// The release of this program, for `/metrics`.
    package var productVersion = "0.0.0"
    /// How long a request waits for a member that cannot serve yet: what a write may take (server.md §12).
    package var requestTimeoutMilliseconds = 7000
    /// So many requests wait for it at most.
    package var heldRequestsMax = 1024
    /// The arguments of the process, for `/debug/vars`.
    package var commandLine: [String] = []
    /// Sets the log level of the process by its name in upper case; false when there is none of that name.
    package var setLogLevel: @Sendable (String) -> Bool = { _ in false }
    /// The certificates of this process as they are now.
    package var certificates: @Sendable () -> [CertificateFigures] = { [] }

    package init() {}
}

/// What `/metrics` tells of the certificates of one kind of port.
package struct CertificateFigures: Sendable {
    /// `client` or `peer`.
    package var port: String
    /// Seconds since 1970; nil without one.
    package var certificateExpires: Int?
    /// Of the authority that expires first; nil when the system's are trusted.
    package var authorityExpires: Int?
    package var renewals: Int
    /// New files that were of no use.
    package var failures: Int

    package init(port: String, certificateExpires: Int?, authorityExpires: Int?, renewals: Int, failures: Int) {
        self.port = port
        self.certificateExpires = certificateExpires
        self.authorityExpires = authorityExpires
        self.renewals = renewals
        self.failures = failures
    }
}
