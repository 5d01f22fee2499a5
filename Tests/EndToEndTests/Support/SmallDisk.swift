import Foundation

/// A file system of its own in memory, unmounted at the end.
final class SmallDisk {
    let path: String

    /// Nil where tests may not mount anything.
    init?(_ path: String, megabytes: Int) throws {
        self.path = path
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        guard geteuid() == 0, Program.isInstalled("mount") else { return nil }
        let mount = try Run("mount", ["-t", "tmpfs", "-o", "size=\(megabytes)m", "tmpfs", path])
        guard mount.isClean else { return nil }
    }

    deinit { _ = try? Run("umount", ["-l", path]) }

    /// Writes until there is no room for a single byte more.
    func fill(_ name: String) throws {
        let descriptor = open(path + "/" + name, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw Failure("cannot make the file that fills the disk") }
        defer { close(descriptor) }
        for size in [1 << 20, 4096, 1] {
            let block = [UInt8](repeating: 1, count: size)
            while write(descriptor, block, size) > 0 {}
        }
    }
}
