import Foundation
import Synchronization

/// Free TCP ports of 127.0.0.1, each given out once.
///
/// They lie below those that the system gives to outgoing connections: otherwise a client could sit on the port of a server that
/// is being restarted.
enum Ports {
    private static let next = Mutex<UInt16>(UInt16(15_000 + Int(getpid()) * 37 % 16_000))

    static func free() throws -> UInt16 {
        for _ in 0..<1000 {
            let port = next.withLock { next in
                next = next >= 31_999 ? 15_000 : next + 1
                return next
            }
            if let socket = try? Socket(listeningOn: port) {
                socket.close()
                return port
            }
        }
        throw Failure("no free port")
    }
}

/// A blocking TCP socket with time limits.
final class Socket {
    private(set) var descriptor: Int32

    init(connectingTo port: UInt16, timeoutSeconds: Int = 10) throws {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { throw Failure("no socket: errno \(errno)") }
        var time = timeval(tv_sec: timeoutSeconds, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &time, socklen_t(MemoryLayout<timeval>.size))
        setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &time, socklen_t(MemoryLayout<timeval>.size))
        var one: Int32 = 1
        setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &one, socklen_t(MemoryLayout<Int32>.size))
        guard Socket.withAddress(port, { connect(descriptor, $0, $1) }) == 0 else {
            let code = errno
            close()
            throw Failure("connect to \(port): \(String(cString: strerror(code)))")
        }
    }

    init(listeningOn port: UInt16) throws {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { throw Failure("no socket: errno \(errno)") }
        var one: Int32 = 1
        setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &one, socklen_t(MemoryLayout<Int32>.size))
        guard Socket.withAddress(port, { bind(descriptor, $0, $1) }) == 0, listen(descriptor, 16) == 0 else {
            let code = errno
            close()
            throw Failure("listen on \(port): \(String(cString: strerror(code)))")
        }
    }

    private init(_ descriptor: Int32) { self.descriptor = descriptor }

    deinit { close() }

    /// The next connection to this port; nil when there will be none.
    func accept() -> Socket? {
        let accepted = Glibc.accept(descriptor, nil, nil)
        guard accepted >= 0 else { return nil }
        // Children that are started meanwhile would keep it open.
        _ = fcntl(accepted, F_SETFD, FD_CLOEXEC)
        var one: Int32 = 1
        setsockopt(accepted, Int32(IPPROTO_TCP), TCP_NODELAY, &one, socklen_t(MemoryLayout<Int32>.size))
        return Socket(accepted)
    }

    /// Wakes whoever waits for it, and makes nothing come or go any more.
    func end() { if descriptor >= 0 { shutdown(descriptor, Int32(SHUT_RDWR)) } }

    func close() {
        if descriptor >= 0 { _ = Glibc.close(descriptor) }
        descriptor = -1
    }

    func send(_ bytes: [UInt8]) throws {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
            guard count > 0 else { throw Failure("send: \(String(cString: strerror(errno)))") }
            rest = rest.dropFirst(count)
        }
    }

    /// Empty at the end of the stream.
    func receive() throws -> [UInt8] {
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        let count = recv(descriptor, &buffer, buffer.count, 0)
        guard count >= 0 else { throw Failure("receive: \(String(cString: strerror(errno)))") }
        return Array(buffer[..<count])
    }

    /// No more will be sent; answers can still come.
    func finishSending() { shutdown(descriptor, Int32(SHUT_WR)) }

    private static func withAddress<Result>(
        _ port: UInt16, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Result
    ) -> Result {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        return withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, socklen_t(MemoryLayout<sockaddr_in>.size)) }
        }
    }
}
