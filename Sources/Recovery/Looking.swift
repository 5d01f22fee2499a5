import Glibc
import Storage

/// Opening what is only looked at.
package enum Looking {
    /// The data directory at `path`, if there is one.
    ///
    /// - Throws: `cannotLook` when nothing is there or it may not be read; `refused` when it is something else.
    package static func directory(_ path: String) throws(RecoveryError) -> DataDirectory {
        guard FileOperations.exists(path) else { throw .cannotLook("\(path): \(FileOperations.systemText(errno))") }
        guard FileOperations.isDirectory(path) else { throw .cannotLook("\(path) is not a directory") }
        let directory = DataDirectory(path: path)
        for folder in [path, directory.member] where FileOperations.exists(folder) {
            guard access(folder, R_OK | X_OK) == 0 else {
                throw .cannotLook(
                    "cannot read \(folder): \(FileOperations.systemText(errno)); run this as the user of the server")
            }
        }
        guard FileOperations.kind(directory.log) != nil || FileOperations.kind(directory.tree) != nil else {
            let hint = FileOperations.exists(directory.member + "/wal") ? ": it belongs to etcd" : ": it has no member/log.db"
            throw .refused("\(path) is not a data directory of etclite\(hint)")
        }
        for file in [directory.log, directory.tree] where FileOperations.exists(file) {
            guard access(file, R_OK) == 0 else {
                throw .cannotLook("cannot read \(file): \(FileOperations.systemText(errno)); run this as the user of the server")
            }
        }
        return directory
    }

    static func reader(_ path: String) throws(RecoveryError) -> DirectoryReader {
        let directory = try directory(path)
        return try recovering { () throws(StorageError) in try DirectoryReader(directory) }
    }

    /// A backup file that can be read.
    static func file(_ path: String) throws(RecoveryError) {
        guard FileOperations.exists(path), access(path, R_OK) == 0 else {
            throw .cannotLook("\(path): \(FileOperations.systemText(errno))")
        }
    }
}
