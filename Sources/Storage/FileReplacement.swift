/// A new database file takes the place of one that a reader holds on to: the reader keeps the old one, which has no name any more, and the
/// server goes on with a WAL that can be reset.
///
///     X.next.partial   is being made; complete and synced at the end, and without a WAL      crash: thrown away at the start
///     X.next           has its name: it counts from here on, and nothing is written to X     crash: the start goes on
///     -                the WAL of X goes, then X.next becomes X
///
/// SQLite removes a WAL by its name when the last connection to its file ends, and here that may be the reader of the old file. It first
/// looks whether the file still has its name (SQLITE_FCNTL_HAS_MOVED, since 3.16 of 2017), and then leaves the WAL alone.
package enum FileReplacement {
    package static func partial(_ path: String) -> String { path + ".next.partial" }
    private static func next(_ path: String) -> String { path + ".next" }

    /// Removes what was not finished.
    package static func clear(_ path: String) throws(StorageError) {
        for suffix in SnapshotFile.suffixes { try FileOperations.remove(partial(path) + suffix) }
    }

    /// True when the new file counts and has not taken its place yet.
    static func isUnderWay(_ path: String) -> Bool { FileOperations.exists(next(path)) }

    /// The partial file is complete. When this returns, nothing may be written to the old one.
    package static func commit(_ path: String) throws(StorageError) {
        try FileOperations.synchronize(partial(path))
        Failpoint.pass("replace.complete")
        try FileOperations.rename(partial(path), to: next(path))
        Failpoint.pass("replace.committed")
    }

    /// May be repeated. Nobody of this process writes to the old file any more.
    package static func finish(_ path: String) throws(StorageError) {
        guard isUnderWay(path) else { return }
        for suffix in ["-wal", "-shm", "-journal"] { try FileOperations.remove(path + suffix) }
        // The old WAL must be gone for good before the new file is there: SQLite would apply it to whatever it finds.
        try FileOperations.synchronize(FileOperations.directoryOf(path))
        Failpoint.pass("replace.old-removed")
        try FileOperations.rename(next(path), to: path)
        Failpoint.pass("replace.swapped")
    }

    /// At a start, before the file is opened.
    package static func resume(_ path: String) throws(StorageError) {
        try clear(path)
        try finish(path)
    }
}
