import Glibc

/// What a start asks of the computer it runs on. Tests answer from memory.
package struct Surroundings: Sendable {
    package enum FileReading: Equatable, Sendable {
        case text(String)
        /// The system's reason in Go's spelling: `no such file or directory`.
        case failed(String)
    }

    package enum DirectoryListing: Equatable, Sendable {
        case missing
        /// Names without `.` and `..`, in no order.
        case names([String])
        case failed(String)
    }

    package var readFile: @Sendable (_ path: String) -> FileReading
    package var list: @Sendable (_ directory: String) -> DirectoryListing
    /// The permission bits; nil when there is no such directory, or it cannot be looked at.
    package var mode: @Sendable (_ directory: String) -> UInt32?
    /// An address of a host name; nil when the name servers know none.
    package var resolve: @Sendable (_ host: String) -> String?
    package var isLocalAddress: @Sendable (_ address: String) -> Bool
    /// The address others most likely reach this computer at; nil without a network.
    package var defaultAddress: @Sendable () -> String?
    package var fileDescriptorLimit: @Sendable () -> UInt64
    /// Wall clock: seconds and microseconds since 1970.
    package var now: @Sendable () -> (seconds: Int64, microseconds: Int64)

    package static let live = Surroundings(
        readFile: System.readFile, list: System.list, mode: System.mode, resolve: System.resolve,
        isLocalAddress: System.isLocalAddress, defaultAddress: System.defaultAddress,
        fileDescriptorLimit: System.fileDescriptorLimit, now: System.now)
}

private enum System {
    @Sendable static func readFile(_ path: String) -> Surroundings.FileReading {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return .failed(reason(errno)) }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 64 << 10)
        while true {
            let count = read(descriptor, &chunk, chunk.count)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { return .failed(reason(errno)) }
            if count == 0 { break }
            bytes.append(contentsOf: chunk.prefix(count))
            guard bytes.count <= ConfigFile.sizeMax else { return .failed("larger than 1 MiB") }
        }
        guard let text = text(bytes) else { return .failed("not UTF-8") }
        return .text(text)
    }

    /// Editors of other systems begin a text with a mark that tells its encoding, and write UTF-16; YAML allows both (YAML 1.2 §5.2).
    private static func text(_ bytes: [UInt8]) -> String? {
        if bytes.starts(with: [0xef, 0xbb, 0xbf]) { return String(validating: bytes.dropFirst(3), as: UTF8.self) }
        let isBigEndian = bytes.starts(with: [0xfe, 0xff])
        guard isBigEndian || bytes.starts(with: [0xff, 0xfe]), bytes.count % 2 == 0 else {
            return String(validating: bytes, as: UTF8.self)
        }
        let units = stride(from: 2, to: bytes.count, by: 2).map { place in
            UInt16(bytes[place]) << (isBigEndian ? 8 : 0) | UInt16(bytes[place + 1]) << (isBigEndian ? 0 : 8)
        }
        return String(validating: units, as: UTF16.self)
    }

    @Sendable static func mode(_ directory: String) -> UInt32? {
        var status = stat()
        guard stat(directory, &status) == 0, status.st_mode & S_IFMT == S_IFDIR else { return nil }
        return UInt32(status.st_mode) & 0o777
    }

    @Sendable static func list(_ directory: String) -> Surroundings.DirectoryListing {
        guard let stream = opendir(directory) else {
            return errno == ENOENT ? .missing : .failed(reason(errno))
        }
        defer { closedir(stream) }
        var names: [String] = []
        while let entry = readdir(stream) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) { tuple in
                tuple.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name != ".", name != ".." { names.append(name) }
        }
        return .names(names)
    }

    @Sendable static func resolve(_ host: String) -> String? {
        var hints = addrinfo()
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        var result: UnsafeMutablePointer<addrinfo>?
        guard getaddrinfo(host, nil, &hints, &result) == 0, let first = result else { return nil }
        defer { freeaddrinfo(first) }
        return numeric(first.pointee.ai_addr, first.pointee.ai_addrlen)
    }

    @Sendable static func isLocalAddress(_ address: String) -> Bool {
        withSocket(to: address, port: "0") { descriptor, target in
            bind(descriptor, target.ai_addr, target.ai_addrlen) == 0
        } ?? false
    }

    /// Connecting a datagram socket sends nothing; it only makes the kernel choose a route and a source
    /// address. The target is an address reserved for documentation (RFC 5737).
    @Sendable static func defaultAddress() -> String? {
        withSocket(to: "192.0.2.1", port: "9") { descriptor, target -> String? in
            guard connect(descriptor, target.ai_addr, target.ai_addrlen) == 0 else { return nil }
            var storage = sockaddr_storage()
            var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
            return withUnsafeMutablePointer(to: &storage) { pointer in
                pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                    getsockname(descriptor, address, &length) == 0 ? numeric(address, length) : nil
                }
            }
        } ?? nil
    }

    @Sendable static func fileDescriptorLimit() -> UInt64 {
        var limit = rlimit()
        return getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 ? UInt64(limit.rlim_cur) : .max
    }

    @Sendable static func now() -> (seconds: Int64, microseconds: Int64) {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return (Int64(time.tv_sec), Int64(time.tv_nsec) / 1000)
    }

    private static func withSocket<Value>(
        to address: String, port: String, _ body: (Int32, addrinfo) -> Value
    ) -> Value? {
        var hints = addrinfo()
        hints.ai_flags = AI_NUMERICHOST
        hints.ai_socktype = Int32(SOCK_DGRAM.rawValue)
        var result: UnsafeMutablePointer<addrinfo>?
        guard getaddrinfo(address, port, &hints, &result) == 0, let first = result else { return nil }
        defer { freeaddrinfo(first) }
        let descriptor = socket(first.pointee.ai_family, Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        return body(descriptor, first.pointee)
    }

    private static func numeric(_ address: UnsafeMutablePointer<sockaddr>?, _ length: socklen_t) -> String? {
        var text = [CChar](repeating: 0, count: Int(NI_MAXHOST))
        guard getnameinfo(address, length, &text, socklen_t(text.count), nil, 0, NI_NUMERICHOST) == 0 else {
            return nil
        }
        return text.withUnsafeBufferPointer { buffer in buffer.baseAddress.map { String(cString: $0) } }
    }

    private static func reason(_ code: Int32) -> String {
        let text = String(cString: strerror(code))
        return text.prefix(1).lowercased() + text.dropFirst()
    }
}
