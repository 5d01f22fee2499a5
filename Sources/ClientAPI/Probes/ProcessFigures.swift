#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// What the system says about this process: `/proc` and `getrusage`. What cannot be read is zero.
struct ProcessFigures {
    private(set) var residentBytes: UInt64 = 0
    private(set) var virtualBytes: UInt64 = 0
    private(set) var cpuMicroseconds: UInt64 = 0
    private(set) var openDescriptors: UInt64 = 0
    private(set) var descriptorLimit: UInt64 = 0

    init() {
        let pageBytes = UInt64(max(0, sysconf(Int32(_SC_PAGESIZE))))
        let pages = Self.read("/proc/self/statm").split(separator: UInt8(ascii: " ")).prefix(2).map {
            UInt64(String(decoding: $0, as: UTF8.self)) ?? 0
        }
        virtualBytes = (pages.first ?? 0) &* pageBytes
        residentBytes = (pages.dropFirst().first ?? 0) &* pageBytes

        var usage = rusage()
        if getrusage(RUSAGE_SELF.rawValue, &usage) == 0 {
            for time in [usage.ru_utime, usage.ru_stime] {
                cpuMicroseconds += UInt64(max(0, Int64(time.tv_sec) * 1_000_000 + Int64(time.tv_usec)))
            }
        }
        var limit = rlimit()
        if getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 { descriptorLimit = UInt64(limit.rlim_cur) }
        openDescriptors = Self.countDescriptors()
    }

    /// Seconds since 1970.
    static func secondsNow() -> Int {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return time.tv_sec
    }

    private static func countDescriptors() -> UInt64 {
        guard let directory = opendir("/proc/self/fd") else { return 0 }
        defer { closedir(directory) }
        var count: UInt64 = 0
        while readdir(directory) != nil { count += 1 }
        // Not `.`, `..` and the one that is counting.
        return count > 3 ? count - 3 : 0
    }

    /// The first bytes of a file of the system, which is memory and never waits.
    private static func read(_ path: String) -> [UInt8] {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return [] }
        defer { close(descriptor) }
        return [UInt8](unsafeUninitializedCapacity: 256) { bytes, count in
            count = max(0, pread(descriptor, bytes.baseAddress, bytes.count, 0))
        }
    }
}
