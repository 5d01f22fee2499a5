import Glibc
import NIOCore
import Wire

/// A file operation that failed: what, where, why.
struct FileFailure: Error, CustomStringConvertible {
    var description: String

    init(_ operation: String, _ path: String, _ code: Int32) {
        description = "\(operation) \(path): \(String(cString: strerror(code)))"
    }

    init(_ description: String) { self.description = description }
}

/// A snapshot that is read to be sent.
///
/// `@unchecked Sendable`: its owner on the loop asks for one thing at a time, and the thread that does it is the only one to
/// touch the fields until the answer is back on the loop.
final class OutgoingFile: @unchecked Sendable {
    private let path: String
    private var descriptor: Int32 = -1
    private var size: UInt64 = 0
    private var offset: UInt64 = 0
    private var checksum = CRC32C()

    enum Piece: Sendable {
        /// A whole frame.
        case chunk(ByteBuffer)
        case end(SnapshotEnd)
    }

    init(path: String) { self.path = path }

    deinit { if descriptor >= 0 { close(descriptor) } }

    /// - Returns: The bytes of the file.
    func open() throws -> UInt64 {
        descriptor = Glibc.open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw FileFailure("open", path, errno) }
        var status = stat()
        guard fstat(descriptor, &status) == 0, status.st_size >= 0 else { throw FileFailure("stat", path, errno) }
        size = UInt64(status.st_size)
        return size
    }

    func next(bytesMax: Int) throws -> Piece {
        let count = Int(min(UInt64(bytesMax), size - offset))
        guard count > 0 else { return .end(SnapshotEnd(bytes: size, checksum: checksum.value)) }
        var body = [UInt8](repeating: 0, count: 1 + count)
        body[0] = FrameKind.snapshotChunk.rawValue
        let start = offset
        try body.withUnsafeMutableBytes { bytes in
            var done = 0
            while done < count {
                let place = UnsafeMutableRawBufferPointer(rebasing: bytes[(1 + done)...])
                let result = pread(descriptor, place.baseAddress, place.count, off_t(start) + off_t(done))
                if result < 0, errno == EINTR { continue }
                guard result >= 0 else { throw FileFailure("read", path, errno) }
                guard result > 0 else { throw FileFailure("read \(path): it has become shorter") }
                done += result
            }
            checksum.update(UnsafeRawBufferPointer(rebasing: bytes[1...]))
        }
        offset += UInt64(count)
        return .chunk(Frame.wrap(body))
    }
}

/// A snapshot that is being received.
///
/// `@unchecked Sendable`: for the same reason as `OutgoingFile`.
final class IncomingFile: @unchecked Sendable {
    private let partial: String
    private let complete: String
    private var descriptor: Int32 = -1
    private var bytes: UInt64 = 0
    private var checksum = CRC32C()
    /// `partial` is there, and ours.
    private var isMade = false

    /// - Parameter name: unlike that of any other file there.
    init(directory: String, name: String) {
        partial = "\(directory)/\(name).partial"
        complete = "\(directory)/\(name).complete"
    }

    deinit { if descriptor >= 0 { close(descriptor) } }

    func create() throws {
        descriptor = open(partial, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw FileFailure("create", partial, errno) }
        isMade = true
    }

    /// - Parameter frame: a chunk's body, kind included.
    func write(_ frame: [UInt8]) throws {
        try frame.withUnsafeBytes { all in
            var rest = UnsafeRawBufferPointer(rebasing: all[1...])
            checksum.update(rest)
            bytes += UInt64(rest.count)
            while !rest.isEmpty {
                let result = Glibc.write(descriptor, rest.baseAddress, rest.count)
                if result < 0, errno == EINTR { continue }
                guard result > 0 else { throw FileFailure("write", partial, errno) }
                rest = UnsafeRawBufferPointer(rebasing: rest[result...])
            }
        }
    }

    /// Compares, syncs, and gives the file the name under which it is handed on.
    func finish(_ end: SnapshotEnd) throws -> String {
        guard bytes == end.bytes else { throw FileFailure("\(bytes) bytes came of \(end.bytes)") }
        guard checksum.value == end.checksum else { throw FileFailure("checksum of the whole snapshot does not match") }
        guard fsync(descriptor) == 0 else { throw FileFailure("sync", partial, errno) }
        let result = close(descriptor)
        descriptor = -1
        guard result == 0 else { throw FileFailure("close", partial, errno) }
        guard rename(partial, complete) == 0 else { throw FileFailure("rename", partial, errno) }
        isMade = false
        return complete
    }

    /// Removes what was made here, if anything was.
    func discard() {
        if descriptor >= 0 { close(descriptor) }
        descriptor = -1
        if isMade { unlink(partial) }
        isMade = false
    }

    static func remove(_ path: String) { unlink(path) }
}
