import Glibc

extension FileOperations {
    package enum Kind: Sendable {
        case file, directory, symbolicLink, other
    }

    /// What is there, links not followed; nil when nothing is.
    package static func kind(_ path: String) -> Kind? {
        if let files = FileSystem.simulated { return files.look(path)?.kind }
        var status = stat()
        guard lstat(path, &status) == 0 else { return nil }
        switch status.st_mode & S_IFMT {
        case S_IFREG: return .file
        case S_IFDIR: return .directory
        case S_IFLNK: return .symbolicLink
        default: return .other
        }
    }

    /// Throws unless `path` is a file that can be read; a pipe or device in its place would be waited for without end.
    package static func requireFile(_ path: String, followLinks: Bool) throws(StorageError) {
        switch kind(path) {
        case .file: break
        case .directory: throw .refused("\(path) is a directory, not a file")
        case .symbolicLink:
            var status = stat()
            guard stat(path, &status) == 0 else { throw .refused("\(path): \(systemText(errno))") }
            guard status.st_mode & S_IFMT == S_IFREG else { throw .refused("\(path) is not a regular file") }
            // SQLite looks for the WAL beside the file that the link leads to, and we beside the link.
            guard followLinks else { throw .refused("\(path) is a symbolic link; name the real directory") }
        case .other: throw .refused("\(path) is not a regular file")
        case nil: throw .refused("\(path): \(systemText(errno))")
        }
        guard FileSystem.simulated != nil || access(path, R_OK) == 0 else {
            throw .refused("cannot read \(path): \(systemText(errno)); run this as the user of the server")
        }
    }

    /// Copies byte by byte to a file that must not exist yet.
    package static func copy(_ old: String, to new: String) throws(StorageError) {
        if let files = FileSystem.simulated {
            guard let bytes = files.read(old, 0, files.look(old)?.size ?? 0), files.append(new, bytes) else {
                throw .failed("cannot copy \(old) to \(new)")
            }
            return
        }
        let source = open(old, O_RDONLY | O_CLOEXEC)
        guard source >= 0 else { throw .failed("cannot open \(old): \(systemText(errno))") }
        defer { close(source) }
        let target = open(new, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard target >= 0 else { throw failure("cannot make \(new)", errno) }
        defer { close(target) }
        var buffer = [UInt8](repeating: 0, count: 1 << 18)
        while true {
            let count = read(source, &buffer, buffer.count)
            guard count >= 0 else { throw .failed("cannot read \(old): \(systemText(errno))") }
            if count == 0 { return }
            try writeAll(buffer[..<count], to: target, name: new)
        }
    }

    /// Writes all of it, however many calls that takes.
    package static func writeAll(_ bytes: ArraySlice<UInt8>, to descriptor: Int32, name: String) throws(StorageError) {
        var rest = bytes
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else {
                throw failure("cannot write \(name)", errno)
            }
            rest = rest.dropFirst(count)
        }
    }

    /// Gives a file or directory its name, unless that name is taken; then makes it durable.
    package static func renameIfFree(_ old: String, to new: String) throws(StorageError) {
        // Two steps: a name that appears between them is replaced when it is a file, and refused when it is a directory
        // with something in it.
        guard kind(new) == nil else { throw .refused("\(new) exists; choose another name") }
        try rename(old, to: new)
    }
}
