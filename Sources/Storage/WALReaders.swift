import Glibc

/// Who is in the way of a checkpoint. SQLite does not tell; the system's list of locks does: a reader in WAL mode holds one of five bytes of
/// the `-shm` file for as long as its transaction lasts (sqlite.org/walformat.html#wal_locks).
package enum WALReaders {
    package struct Holder: Equatable, Sendable, CustomStringConvertible {
        package let pid: Int
        /// As `ps` shows it; empty when the process is gone or another's.
        package let name: String

        package var description: String { name.isEmpty ? "process \(pid)" : "process \(pid) (\(name))" }
    }

    /// Bytes 120 to 127 are write, checkpoint, recover and the five of readers.
    private static let readerBytes = 123...127

    /// Other processes that read `database` just now; empty as well when the system does not tell, as for one in another container.
    package static func find(of database: String) -> [Holder] {
        guard let inode = FileOperations.inode(database + "-shm") else { return [] }
        let own = Int(getpid())
        var pids: [Int] = []
        for lock in locks() ?? [] where lock.inode == inode && lock.pid != own && !pids.contains(lock.pid) {
            if lock.bytes.overlaps(readerBytes) { pids.append(lock.pid) }
        }
        return pids.map { Holder(pid: $0, name: name(of: $0)) }
    }

    private struct Lock {
        var pid: Int
        var inode: UInt64
        var bytes: ClosedRange<Int>
    }

    /// `3: POSIX  ADVISORY  READ 4409 fe:00:16220347 124 124`. The device is left out: layered file systems show another.
    private static func locks() -> [Lock]? {
        guard let list = FileOperations.systemFile("/proc/locks") else { return nil }
        return list.split(separator: "\n").compactMap { line in
            let words = line.split(separator: " ")
            guard words.count >= 8, words[1] == "POSIX", let pid = Int(words[4]), let number = words[5].split(separator: ":").last,
                let inode = UInt64(number), let first = Int(words[6])
            else { return nil }
            return Lock(pid: pid, inode: inode, bytes: first...max(first, Int(words[7]) ?? .max))
        }
    }

    private static func name(of pid: Int) -> String {
        String((FileOperations.systemFile("/proc/\(pid)/comm") ?? "").prefix { $0 != "\n" })
    }
}
