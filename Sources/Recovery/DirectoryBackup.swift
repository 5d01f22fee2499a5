import Storage

extension Restore {
    /// A backup of a data directory, on which a server may be running, as a directory of one new member that a server starts from.
    package static func backUp(
        _ directory: String, into path: String, progress: ProgressReport? = nil
    ) throws(RecoveryError) -> Report {
        let between = try FileBetween(beside: path)
        defer { between.remove() }
        _ = try Backup.make(of: directory, to: between.path, progress: progress)
        return try aNewMember().run(between.path, into: path)
    }

    /// The same of a server that sends its backup: `receive` puts the pieces into the file and returns the state hash that was announced.
    package static func backUp(
        into path: String, _ receive: (IncomingBackup) async throws -> String?
    ) async throws -> Report {
        let between = try FileBetween(beside: path)
        defer { between.remove() }
        let incoming = try IncomingBackup(to: between.path)
        defer { incoming.abandon() }
        let hash = try await receive(incoming)
        _ = try incoming.finish(stateHash: hash)
        return try aNewMember().run(between.path, into: path)
    }

    /// As `etcdctl backup` leaves it: ids drawn anew, no name, and the peer URL that a lone member has by default (cluster.md §12).
    private static func aNewMember() -> Restore {
        Restore(name: "", peerURLs: ["http://localhost:2380"], token: String(UInt64.random(in: 0...UInt64.max), radix: 16))
    }
}

/// The backup file that stands beside a directory while that is made.
private struct FileBetween {
    let path: String

    init(beside directory: String) throws(RecoveryError) {
        let directory = DataDirectory(path: directory).path
        // Before much is read.
        guard NewDirectory.isFree(directory) else { throw .refused("\(directory) exists and is not empty; choose another directory") }
        path = directory + ".backup-" + String(UInt64.random(in: 0...UInt64.max), radix: 16)
        let path = path
        try recovering { () throws(StorageError) in
            let parent = FileOperations.directoryOf(path)
            if !FileOperations.isDirectory(parent) { try FileOperations.makeDirectories(parent) }
        }
    }

    /// What stays behind is in nobody's way but on the disk.
    func remove() { try? FileOperations.remove(path) }
}
