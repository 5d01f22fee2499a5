/// What stands in for the system's files while a simulation runs: `FileOperations` and `WALFile` ask it first. SQLite's files are
/// replaced by a VFS of their own; both must show the same disk.
///
/// Not replaced is what no simulation does: the lock of a data directory, and the tools' looks around.
package struct FileSystem: Sendable {
    /// What is there, with its size in bytes; nil when nothing is.
    package var look: @Sendable (String) -> (kind: FileOperations.Kind, size: Int)?
    package var makeDirectory: @Sendable (String) -> Void
    /// Of the files in a directory, in order.
    package var names: @Sendable (String) -> [String]
    /// These return false when there is no such file, or the disk fails.
    package var remove: @Sendable (String) -> Bool
    package var rename: @Sendable (String, String) -> Bool
    package var synchronize: @Sendable (String) -> Bool
    /// Path, offset, count; fewer bytes at the end of the file, nil when it is missing.
    package var read: @Sendable (String, Int, Int) -> [UInt8]?
    /// Makes a missing file.
    package var append: @Sendable (String, [UInt8]) -> Bool
    /// What the WAL of `log.db` is grown to, more than 64 frames. A short run would never see a large one begin anew.
    package var logFrames = 2048

    package init(
        look: @escaping @Sendable (String) -> (kind: FileOperations.Kind, size: Int)?,
        makeDirectory: @escaping @Sendable (String) -> Void, names: @escaping @Sendable (String) -> [String],
        remove: @escaping @Sendable (String) -> Bool, rename: @escaping @Sendable (String, String) -> Bool,
        synchronize: @escaping @Sendable (String) -> Bool, read: @escaping @Sendable (String, Int, Int) -> [UInt8]?,
        append: @escaping @Sendable (String, [UInt8]) -> Bool
    ) {
        self.look = look
        self.makeDirectory = makeDirectory
        self.names = names
        self.remove = remove
        self.rename = rename
        self.synchronize = synchronize
        self.read = read
        self.append = append
    }

    /// Nil: the system's.
    @TaskLocal package static var simulated: FileSystem?
}
