/// What a connection is for, and so how it is opened: every pragma of the program is here, with its reason.
package enum ConnectionProfile: Sendable {
    /// The one connection that writes and checkpoints `log.db`: a commit is durable when it returns.
    case durableWriter
    /// The one connection that writes and checkpoints `tree.db`: a commit needs no fsync, because the log has it all.
    case viewWriter
    /// Read-only beside a writer. Never checkpoints, not on close either (it cannot: it is read-only).
    case reader
    /// Read-only, to copy a whole file with `VACUUM INTO`, which `query_only` would forbid.
    case copier
    /// Read-only, of a file that nobody writes and that has no WAL: a backup file, or a directory on read-only media.
    case immutable
    /// A new file nobody else knows yet: no journal, no fsync; whoever made it syncs it at the end.
    case scratch

    var flagsReadOnly: Bool { self == .reader || self == .copier || self == .immutable }

    /// In order; run on opening.
    var pragmas: [String] {
        // Damage is looked for in every cell that a query touches; the schema of a strange file may not call functions.
        let always = ["PRAGMA cell_size_check=ON", "PRAGMA trusted_schema=OFF", "PRAGMA temp_store=MEMORY", "PRAGMA mmap_size=0"]
        switch self {
        case .durableWriter:
            // Checkpoints are made by hand, between commits: an automatic one would land on a client's commit.
            // FULL syncs the WAL at each commit (sqlite.org/pragma.html#pragma_synchronous).
            // Some builds overwrite what is deleted (SECURE_DELETE); a cut of the log would then write every page that it frees.
            // No size limit: a WAL that keeps its size is overwritten in place, which makes its fsync a third cheaper.
            return always + [
                "PRAGMA secure_delete=OFF", "PRAGMA journal_mode=WAL", "PRAGMA synchronous=FULL", "PRAGMA wal_autocheckpoint=0",
                "PRAGMA journal_size_limit=-1", "PRAGMA cache_size=-2000",
            ]
        case .viewWriter:
            // NORMAL syncs only at checkpoints. A WAL that a long reader made large is cut when it is reset.
            // Before the first table is made: free pages can be given back a few at a time. (Not for the log: nearly each of its commits takes
            // or frees pages, and would have to write where they belong, too.)
            return always + [
                "PRAGMA auto_vacuum=INCREMENTAL", "PRAGMA secure_delete=OFF", "PRAGMA journal_mode=WAL", "PRAGMA synchronous=NORMAL", "PRAGMA wal_autocheckpoint=0",
                "PRAGMA journal_size_limit=67108864", "PRAGMA cache_size=-8000",
            ]
        case .reader: return always + ["PRAGMA query_only=ON", "PRAGMA cache_size=-6000"]
        case .copier: return always
        case .immutable: return always + ["PRAGMA query_only=ON"]
        case .scratch:
            return always + ["PRAGMA journal_mode=OFF", "PRAGMA synchronous=OFF", "PRAGMA cache_size=-16000"]
        }
    }

    /// How long a lock of another connection is waited for. Only a shell that someone left open can hold one.
    var busyTimeoutMilliseconds: Int32 { 5000 }
}
