import Glibc
import SQLite

extension DataDirectory {
    /// Who holds the lock of a directory.
    package enum Holder: Equatable, Sendable {
        case nobody
        /// A running server; nil when its pid cannot be read.
        case process(Int?)
        /// The system does not say.
        case unknown
    }

    /// Looks the lock up in the system's list instead of trying it: a try would turn away a server that starts just then.
    package var holder: Holder {
        let path = member + "/lock"
        var status = stat()
        guard stat(path, &status) == 0 else { return .nobody }
        guard let list = FileOperations.systemFile("/proc/locks") else { return .unknown }
        // `3: FLOCK  ADVISORY  WRITE 4409 fe:00:16220347 0 EOF`. The device is left out: layered file systems show another.
        let isHeld = list.split(separator: "\n").contains { line in
            let words = line.split(separator: " ")
            return words.contains("FLOCK") && words.contains { $0.hasSuffix(":\(status.st_ino)") }
        }
        guard isHeld else { return .nobody }
        return .process(FileOperations.systemFile(path).flatMap { Int($0.prefix { $0.isNumber }) })
    }

    /// `mayLackPageChecksums` for whoever only looks, and so does not take the lock.
    var mayLackPageChecksumsUnlocked: Bool {
        holder == .nobody && (FileOperations.size(lockFile) ?? 0) > 0 && treeMayBeAnothers
    }

    /// How a file of this directory is opened to look at it.
    ///
    /// A WAL wants its `-shm` file beside it. Where that cannot be made, a database without a WAL can still be read.
    func readingProfile(_ file: String) -> ConnectionProfile {
        guard access(member, W_OK) != 0 else { return .reader }
        return (FileOperations.size(file + "-wal") ?? 0) == 0 ? .immutable : .reader
    }

    /// Opens a file to look at it, and holds one moment of it. Its schema is ours.
    func openToLook(_ file: String, _ catalogue: [Migration]) throws(StorageError) -> Connection {
        try FileOperations.requireFile(file, followLinks: false)
        guard !FileReplacement.isUnderWay(file) else {
            throw .refused("\(file) was being replaced by a copy when the server died; start it once, so that it finishes that")
        }
        let wal = file + "-wal"
        if FileOperations.kind(wal) != nil { try FileOperations.requireFile(wal, followLinks: false) }
        let connection: Connection
        let mayLackChecksums = file == tree && mayLackPageChecksumsUnlocked
        do {
            let profile = readingProfile(file)
            connection =
                mayLackChecksums
                ? try PageChecksums.tolerated { () throws(SQLiteError) in try Connection(file, as: profile) }
                : try Connection(file, as: profile)
            try connection.execute("BEGIN")
            // The moment is that of the first read.
            _ = try connection.integer("SELECT count(*) FROM sqlite_schema")
        } catch {
            // SQLITE_CANTOPEN
            guard error.code == 14, access(member, W_OK) != 0 else { throw StorageError(error) }
            throw .refused("\(file) has a WAL, and \(member) cannot be written to: copy the directory elsewhere and look there")
        }
        try Schema.require(connection, catalogue)
        if mayLackChecksums {
            let reader = try TreeReader(connection)
            try TreeSummary(reader).require(reader.state(), file: file)
        }
        return connection
    }
}
