import Glibc
import NIOSSL

/// Files of certificates and keys: read whole, with a bound, and watched for changes.
enum SecretFile {
    /// Bytes of a certificate with its chain, or of a key.
    static let bytesMax = 1 << 20
    /// A bundle of all public authorities has a twentieth of it.
    static let authoritiesBytesMax = 4 << 20
    /// Some 400,000 certificates that were taken back.
    static let revocationsBytesMax = 16 << 20

    /// What changes when a file is written anew, replaced by another, or reached by a link that now leads elsewhere.
    struct Stamp: Equatable, Sendable {
        var device: UInt64
        var number: UInt64
        var size: Int64
        var seconds: Int
        var nanoseconds: Int
        var changedSeconds: Int
        var changedNanoseconds: Int
    }

    /// Nil when there is no such file, or it cannot be looked at.
    static func stamp(_ path: String) -> Stamp? {
        var status = stat()
        guard stat(path, &status) == 0 else { return nil }
        return Stamp(
            device: UInt64(status.st_dev), number: UInt64(status.st_ino), size: Int64(status.st_size), seconds: status.st_mtim.tv_sec,
            nanoseconds: status.st_mtim.tv_nsec, changedSeconds: status.st_ctim.tv_sec, changedNanoseconds: status.st_ctim.tv_nsec)
    }

    /// - Throws: the system's reason in Go's spelling: `open /x.pem: no such file or directory`.
    static func read(_ path: String, bytesMax: Int) throws(TLSFailure) -> [UInt8] {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw TLSFailure("open \(path): \(reason(errno))") }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 16 << 10)
        while true {
            let count = Glibc.read(descriptor, &chunk, chunk.count)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw TLSFailure("read \(path): \(reason(errno))") }
            if count == 0 { return bytes }
            bytes.append(contentsOf: chunk.prefix(count))
            guard bytes.count <= bytesMax else { throw TLSFailure("\(path) is larger than \(bytesMax) bytes: more than is read of such a file") }
        }
    }

    /// PEM; at least one.
    static func certificates(in file: String, bytesMax: Int) throws(TLSFailure) -> [NIOSSLCertificate] {
        let bytes = try read(file, bytesMax: bytesMax)
        let certificates: [NIOSSLCertificate]
        do {
            certificates = try NIOSSLCertificate.fromPEMBytes(bytes)
        } catch {
            throw TLSFailure("\(file) holds no certificate that can be read (PEM is expected)")
        }
        guard !certificates.isEmpty else { throw TLSFailure("\(file) holds no certificate (PEM is expected)") }
        return certificates
    }

    /// Writes a new file that only its owner may read; gives it its name when it is complete.
    static func write(_ text: String, to path: String) throws(TLSFailure) {
        let incomplete = path + ".new"
        unlink(incomplete)
        let descriptor = open(incomplete, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw TLSFailure("open \(incomplete): \(reason(errno))") }
        var rest = Array(text.utf8)[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else {
                let failure = TLSFailure("write \(incomplete): \(reason(errno))")
                close(descriptor)
                throw failure
            }
            rest = rest.dropFirst(count)
        }
        fsync(descriptor)
        close(descriptor)
        guard rename(incomplete, path) == 0 else { throw TLSFailure("rename \(incomplete): \(reason(errno))") }
    }

    /// Makes the directory and those above it, for the owner alone.
    static func makeDirectory(_ path: String) throws(TLSFailure) {
        var made = path.hasPrefix("/") ? "/" : ""
        for part in path.split(separator: "/") {
            made += (made.isEmpty || made == "/" ? "" : "/") + part
            guard mkdir(made, 0o700) == 0 || errno == EEXIST else { throw TLSFailure("mkdir \(made): \(reason(errno))") }
        }
    }

    private static func reason(_ code: Int32) -> String {
        let text = String(cString: strerror(code))
        return text.prefix(1).lowercased() + text.dropFirst()
    }
}

/// Moments as certificates have them.
enum Moment {
    /// `2026-11-28T13:00:00Z`.
    static func text(_ seconds: Int) -> String {
        var time = time_t(seconds)
        var parts = tm()
        guard gmtime_r(&time, &parts) != nil else { return "\(seconds)" }
        let digits = { (number: Int32, width: Int) in
            let text = String(number)
            return String(repeating: "0", count: max(0, width - text.count)) + text
        }
        return "\(digits(parts.tm_year + 1900, 4))-\(digits(parts.tm_mon + 1, 2))-\(digits(parts.tm_mday, 2))T"
            + "\(digits(parts.tm_hour, 2)):\(digits(parts.tm_min, 2)):\(digits(parts.tm_sec, 2))Z"
    }

    static func now() -> Int {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return time.tv_sec
    }
}
