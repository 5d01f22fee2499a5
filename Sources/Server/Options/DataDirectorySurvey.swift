/// What lies in a data directory before anything is opened (server.md §3, §3.2 and §4).
struct DataDirectorySurvey {
    /// Whether a member lives there; it then wins over every bootstrap flag.
    let holdsMember: Bool
    /// Whether a proxy has been here; it goes on as one, whatever the flags say.
    let holdsProxy: Bool
    let notices: [Notice]

    /// - Throws: `.fatal` for a directory that cannot be a member's of this version.
    init(_ directory: String, surroundings: Surroundings) throws(StartupFailure) {
        let names = try Self.names(in: directory, surroundings)
        let strangers = names.filter { !["member", "proxy", "fixtures"].contains($0) }.sorted()
        notices =
            Self.permissions(of: [directory, directory + "/member"], surroundings)
            + strangers.map {
                Notice(
                    .warning, "etcdmain",
                    "found invalid file/dir \($0) under data dir \(directory) (Ignore this if you are upgrading etcd)")
            }
        let files = names.contains("member") ? try Self.names(in: directory + "/member", surroundings) : []
        holdsProxy = names.contains("proxy")
        if holdsProxy {
            // etcd leaves a directory without a log behind when it falls back to a proxy, and refuses to start there ever after.
            guard !files.contains("log.db"), !files.contains("wal") else {
                throw .fatal("invalid datadir. Both member and proxy directories exist.")
            }
            holdsMember = false
            return
        }
        holdsMember = files.contains("log.db")
        if !holdsMember, files.contains("wal") || files.contains("snap") {
            throw .fatal(
                "data dir \(directory) holds files of etcd (member/wal, member/snap), which etclite does not read; "
                    + "choose another --data-dir")
        }
    }

    /// A warning about each that others may look into: whoever set it so may have had a reason, and it stays (server.md §4).
    private static func permissions(of directories: [String], _ surroundings: Surroundings) -> [Notice] {
        directories.compactMap { directory in
            guard let mode = surroundings.mode(directory), mode & 0o077 != 0 else { return nil }
            return Notice(
                .warning, "pkg/fileutil",
                "check file permission: directory \(Quoted.go(directory)) exist, but the permission is \"d\(Self.text(mode))\". "
                    + "The recommended permission is \"-rwx------\" to prevent possible unprivileged access to the data.")
        }
    }

    /// `rwxr-x---`.
    private static func text(_ mode: UInt32) -> String {
        String("rwxrwxrwx".enumerated().map { place, letter in mode >> UInt32(8 - place) & 1 == 1 ? letter : "-" })
    }

    private static func names(in directory: String, _ surroundings: Surroundings) throws(StartupFailure) -> [String] {
        switch surroundings.list(directory) {
        case .missing: return []
        case .names(let names): return names
        case .failed(let reason): throw .fatal("cannot access data directory: open \(directory): \(reason)")
        }
    }
}
