import Glibc
import Storage

/// Backups of a directory: one file that plain `sqlite3` opens.
package enum Backup {
    /// Copies the tree of a directory, with what its log has beyond it, to a new file. A server may be running there.
    package static func make(
        of path: String, to file: String, progress: ProgressReport? = nil
    ) throws(RecoveryError) -> BackupManifest {
        let directory = try Looking.directory(path)
        return try recovering { () throws(StorageError) in
            try BackupFile.make(of: directory, to: file, progress: progress)
        }
    }
}

/// A backup that arrives in pieces from a running server: written beside its final name, verified, and then renamed.
package final class IncomingBackup {
    private let path: String
    private let partial: String
    private var descriptor: Int32

    package init(to path: String) throws(RecoveryError) {
        self.path = path
        partial = path + ".partial"
        guard FileOperations.kind(path) == nil else { throw .refused("\(path) exists; choose another name") }
        let partial = partial
        try recovering { () throws(StorageError) in try FileOperations.remove(partial) }
        descriptor = open(partial, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw .cannotLook("cannot make \(partial): \(FileOperations.systemText(errno))") }
    }

    deinit { abandon() }

    package func append(_ bytes: [UInt8]) throws(RecoveryError) {
        try recovering { () throws(StorageError) in
            try FileOperations.writeAll(bytes[...], to: descriptor, name: partial)
        }
    }

    /// - Parameter stateHash: what the server said; nil when it did not.
    package func finish(stateHash: String? = nil) throws(RecoveryError) -> BackupManifest {
        close(descriptor)
        descriptor = -1
        do {
            let manifest = try BackupFile.accept(partial, as: path)
            guard stateHash == nil || stateHash == manifest.stateHash else {
                try FileOperations.remove(path)
                throw StorageError.damaged(
                    file: path, place: "backup.state_hash", reason: "the server announced \(stateHash ?? "")")
            }
            return manifest
        } catch let error as StorageError {
            try? FileOperations.remove(partial)
            throw RecoveryError(error)
        } catch {
            throw .cannotLook("\(error)")
        }
    }

    /// Leaves nothing behind, unless it is finished.
    package func abandon() {
        guard descriptor >= 0 else { return }
        close(descriptor)
        descriptor = -1
        try? FileOperations.remove(partial)
    }
}
