import Glibc
import SQLite

/// The system calls on files and directories that the storage makes besides SQLite's own.
package enum FileOperations {
    package static func exists(_ path: String) -> Bool {
        if let files = FileSystem.simulated { return files.look(path) != nil }
        return access(path, F_OK) == 0
    }

    /// Size in bytes; nil when it cannot be looked at.
    package static func size(_ path: String) -> Int? {
        if let files = FileSystem.simulated { return files.look(path)?.size }
        var status = stat()
        return stat(path, &status) == 0 ? Int(status.st_size) : nil
    }

    /// Nil when it cannot be looked at.
    static func inode(_ path: String) -> UInt64? {
        var status = stat()
        return stat(path, &status) == 0 ? UInt64(status.st_ino) : nil
    }

    /// A text that the system makes, such as those in `/proc`; at most 4 MiB of it.
    static func systemFile(_ path: String) -> String? {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        while bytes.count < 1 << 22 {
            let count = read(descriptor, &buffer, buffer.count)
            guard count > 0 else { break }
            bytes += buffer[..<count]
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    package static func isDirectory(_ path: String) -> Bool {
        if let files = FileSystem.simulated { return files.look(path)?.kind == .directory }
        var status = stat()
        return stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
    }

    /// Makes the directory and its missing parents, mode 0700.
    package static func makeDirectories(_ path: String) throws(StorageError) {
        if let files = FileSystem.simulated { return files.makeDirectory(path) }
        var made = path.hasPrefix("/") ? "/" : ""
        for part in path.split(separator: "/") {
            made += (made.isEmpty || made.hasSuffix("/") ? "" : "/") + part
            if mkdir(made, 0o700) != 0, errno != EEXIST {
                throw .refused("cannot access data directory: mkdir \(made): \(systemText(errno))")
            }
        }
        guard isDirectory(path) else { throw .refused("cannot access data directory: \(path) is not a directory") }
    }

    package static func names(in directory: String) -> [String] {
        if let files = FileSystem.simulated { return files.names(directory) }
        guard let handle = opendir(directory) else { return [] }
        defer { closedir(handle) }
        var names: [String] = []
        while let entry = readdir(handle) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name != ".", name != ".." { names.append(name) }
        }
        return names.sorted()
    }

    package static func remove(_ path: String) throws(StorageError) {
        if let files = FileSystem.simulated { return _ = files.remove(path) }
        guard unlink(path) == 0 || errno == ENOENT else {
            throw .failed("cannot remove \(path): \(systemText(errno))")
        }
    }

    /// Renames, and makes the new name durable.
    package static func rename(_ old: String, to new: String) throws(StorageError) {
        let isDone = FileSystem.simulated?.rename(old, new) ?? (Glibc.rename(old, new) == 0)
        guard isDone else { throw failure("cannot rename \(old) to \(new)", errno) }
        try synchronize(directoryOf(new))
    }

    /// fsync of a file or a directory. A failure is never retried.
    package static func synchronize(_ path: String) throws(StorageError) {
        if let files = FileSystem.simulated {
            guard files.synchronize(path) else { throw .failed("fsync of \(path)") }
            return
        }
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw .failed("cannot open \(path): \(systemText(errno))") }
        defer { close(descriptor) }
        guard fsync(descriptor) == 0 else { throw .failed("fsync of \(path): \(systemText(errno))") }
    }

    /// Want of room may pass, anything else is not tried again.
    static func failure(_ what: String, _ code: Int32) -> StorageError {
        SQLiteError.isNoRoom(systemError: code) ? .diskFull(what) : .failed("\(what): \(systemText(code))")
    }

    package static func directoryOf(_ path: String) -> String {
        guard let slash = path.lastIndex(of: "/") else { return "." }
        return slash == path.startIndex ? "/" : String(path[..<slash])
    }

    package static func systemText(_ code: Int32) -> String {
        // Thread-safe in glibc since 2.32. Go's texts, which users of etcd know, begin in lower case.
        String(cString: strerror(code)).lowercased()
    }
}
