/// What this build says about itself; the only place where version numbers are written.
package enum BuildVersion {
    /// The etcd release whose API and behaviour we follow; clients and scripts compare it.
    package static let etcdCompatibility = "3.4.23"

    /// The release of this program, `major.minor.patch`.
    package static let etclite = "0.1.0"

    /// Answer to `--version`: four lines, the first one as etcd prints it (server.md §1.1).
    package static var text: String {
        """
        etcd Version: \(etcdCompatibility)
        etclite Version: \(etclite)
        Swift Version: \(swift)
        OS/Arch: \(platform)

        """
    }

    static let platform: String = {
        #if arch(x86_64)
            return "linux/amd64"
        #elseif arch(arm64)
            return "linux/arm64"
        #else
            return "linux/unknown"
        #endif
    }()

    /// The compiler offers comparisons only, no text.
    static let swift: String = {
        #if compiler(>=6.4)
            return "6.4 or later"
        #elseif compiler(>=6.3)
            return "6.3"
        #else
            return "6.2"
        #endif
    }()
}
