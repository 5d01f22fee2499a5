/// Why the server does not start. The four shapes are etcd's, with its exit codes (server.md §1.1).
package enum StartupFailure: Error, Equatable, Sendable {
    /// A command line that cannot be read: the sentence, then the usage; exit code 2.
    case usage(String)
    /// Flags that do not fit together: an error line `error verifying flags, …`, then further lines; exit code 1.
    case verification(String, further: [String] = [])
    /// A sentence without time and level, as etcd prints for bad URLs in a config file; exit code 1.
    case plain(String)
    /// A critical line; exit code 1.
    case fatal(String)

    package var exitCode: Int32 {
        switch self {
        case .usage: 2
        case .verification, .plain, .fatal: 1
        }
    }

    static func unsupported(_ what: String) -> StartupFailure {
        .verification("\(what) is not supported by this version of etclite")
    }
}
