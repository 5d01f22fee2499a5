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

    package init() {}
}
