import CSimulatedDisk
import Storage

/// The disks of all simulated machines, for the thread that made it; what they can do and forget is said in `simulated_disk.h`.
package final class SimulatedDisk {
    private let disk: OpaquePointer

    /// From now on this thread's paths below `/sim/` lie on it.
    package init(seed: UInt64) {
        // SQLITE_OK is 0; without a VFS nothing at all would work.
        precondition(etclite_disk_register() == 0, "simulation: SQLite has no file system")
        disk = etclite_disk_make(seed)
        etclite_disk_use(disk)
    }

    /// - Precondition: every connection to it is closed.
    deinit { etclite_disk_free(disk) }

    package func setTime(milliseconds: Int64) { etclite_disk_set_time(milliseconds) }

    /// How much of what was not synced survives a loss of power.
    package enum Keep: Int32, CaseIterable, Sendable {
        case nothing = 0
        case prefix = 1
        case subset = 2
        case everything = 3
        /// Drawn for each file.
        case any = -1
    }

    package func kill(_ volume: String) { etclite_disk_kill(volume) }
    package func crash(_ volume: String, seed: UInt64, keep: Keep = .any) { etclite_disk_crash(volume, seed, keep.rawValue) }

    /// In the middle of the `count`-th write, sync or truncation from now; 0 takes it back.
    package func crash(_ volume: String, afterCalls count: UInt64, seed: UInt64, keep: Keep = .any) {
        etclite_disk_crash_after(volume, count, seed, keep.rawValue)
    }

    package func hasCrashed(_ volume: String) -> Bool { etclite_disk_has_crashed(volume) != 0 }

    package enum Call: Int32, Sendable {
        case read = 1
        case write = 2
        case sync = 4
    }

    /// `SQLITE_IOERR_READ`, `_WRITE` and `_FSYNC`; 0 takes it back.
    package func fail(_ volume: String, _ call: Call, afterCalls count: UInt64) {
        let code: Int32 = switch call {
        case .read: 10 | 1 << 8
        case .write: 10 | 3 << 8
        case .sync: 10 | 4 << 8
        }
        etclite_disk_fail_after(volume, call.rawValue, count, code)
    }

    /// True once that has happened; asking resets it.
    package func hasFailed(_ volume: String) -> Bool { etclite_disk_has_failed(volume) != 0 }

    package func setFull(_ volume: String, _ isFull: Bool) { etclite_disk_set_full(volume, isFull ? 1 : 0) }
    package func wipe(_ volume: String) { etclite_disk_wipe(volume) }
    package func calls(_ volume: String) -> UInt64 { etclite_disk_calls(volume) }
    /// False when the file is not that long.
    package func flip(_ path: String, at offset: Int, bit: Int) -> Bool {
        etclite_disk_flip(path, Int64(offset), Int32(bit)) == 0
    }

    /// A disk as it is now, to be put back later.
    package final class Image {
        fileprivate let image: OpaquePointer

        fileprivate init(_ image: OpaquePointer) { self.image = image }

        deinit { etclite_disk_image_free(image) }
    }

    package func save(_ volume: String) -> Image { Image(etclite_disk_save(volume)) }
    package func restore(_ volume: String, _ image: Image) { etclite_disk_restore(volume, image.image) }

    /// What the storage takes for the system's files.
    package static let files = FileSystem(
        look: { path in
            switch etclite_disk_kind(path) {
            case 1: (.file, Int(etclite_disk_size(path)))
            case 2: (.directory, 0)
            default: nil
            }
        },
        makeDirectory: { etclite_disk_make_directory($0) },
        names: { directory in
            var names: [String] = []
            while let name = etclite_disk_name_in(directory, Int32(names.count)) { names.append(String(cString: name)) }
            return names
        },
        remove: { etclite_disk_remove($0) == 0 },
        rename: { etclite_disk_rename($0, $1) == 0 },
        synchronize: { etclite_disk_sync($0) == 0 },
        read: { path, offset, count in
            var read: Int64 = -1
            let bytes = [UInt8](unsafeUninitializedCapacity: max(count, 1)) { buffer, initialised in
                read = etclite_disk_read(path, Int64(offset), buffer.baseAddress, Int64(count))
                initialised = Int(max(read, 0))
            }
            return read < 0 ? nil : bytes
        },
        append: { path, bytes in bytes.withUnsafeBytes { etclite_disk_append(path, $0.baseAddress, Int64($0.count)) == 0 } })
}
