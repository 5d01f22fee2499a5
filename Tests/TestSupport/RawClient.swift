import Glibc

/// A socket that sends and expects bytes, blocking, with a time limit on everything.
package final class RawClient {
    package struct Failure: Error {
        package let text: String

        package init(text: String) { self.text = text }
    }

    private var descriptor: Int32
    package private(set) var received: [UInt8] = []

    /// - Parameter isIPv6: to `::1`.
    package init(port: Int, seconds: Int = 10, isIPv6: Bool = false) throws {
        // Children that are started meanwhile would keep it open.
        descriptor = socket(isIPv6 ? AF_INET6 : AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        var limit = timeval(tv_sec: seconds, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        let result: Int32
        if isIPv6 {
            var address = sockaddr_in6()
            address.sin6_family = sa_family_t(AF_INET6)
            address.sin6_port = in_port_t(port).bigEndian
            address.sin6_addr = in6addr_loopback
            result = Self.connect(descriptor, &address)
        } else {
            var address = sockaddr_in()
            address.sin_family = sa_family_t(AF_INET)
            address.sin_port = in_port_t(port).bigEndian
            address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
            result = Self.connect(descriptor, &address)
        }
        if result != 0 { throw Failure(text: "connect: errno \(errno)") }
    }

    private static func connect<Address>(_ descriptor: Int32, _ address: inout Address) -> Int32 {
        withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                Glibc.connect(descriptor, $0, socklen_t(MemoryLayout<Address>.size))
            }
        }
    }

    /// One that was accepted.
    package init(descriptor: Int32) {
        self.descriptor = descriptor
        var limit = timeval(tv_sec: 20, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
    }

    /// Closes now, without sending what is left.
    package func hangUp() { shutdown(descriptor, Int32(SHUT_RDWR)) }

    /// As a process that is killed with bytes unread: the other side hears that there is nobody any more.
    package func reset() {
        var now = linger(l_onoff: 1, l_linger: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &now, socklen_t(MemoryLayout<linger>.size))
        close(descriptor)
        descriptor = -1
    }

    deinit { if descriptor >= 0 { close(descriptor) } }

    /// - Returns: False when the other side has closed meanwhile.
    @discardableResult
    package func send(_ bytes: [UInt8]) -> Bool {
        var sent = 0
        while sent < bytes.count {
            let count = bytes[sent...].withUnsafeBytes {
                Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            if count <= 0 { return false }
            sent += count
        }
        return true
    }

    @discardableResult
    package func send(_ text: String) -> Bool { send(Array(text.utf8)) }

    package func endOutput() { shutdown(descriptor, Int32(SHUT_WR)) }

    /// Reads more; false at the end.
    package func fill() throws -> Bool {
        var piece = [UInt8](repeating: 0, count: 65536)
        let count = recv(descriptor, &piece, piece.count, 0)
        if count == 0 || count < 0 && errno == ECONNRESET { return false }
        if count < 0 { throw Failure(text: "recv: errno \(errno) after \(String(decoding: received, as: UTF8.self))") }
        received += piece[..<count]
        return true
    }

    /// Takes what has arrived through the first occurrence of `mark`, waiting for it.
    package func take(through mark: String) throws -> String {
        let mark = Array(mark.utf8)
        var searched = 0
        while true {
            if let end = Self.end(of: mark, in: received, from: searched) {
                defer { received.removeFirst(end) }
                return String(decoding: received[..<end], as: UTF8.self)
            }
            searched = max(0, received.count - mark.count)
            if try !fill() { throw Failure(text: "closed after \(String(decoding: received, as: UTF8.self))") }
        }
    }

    package func take(_ count: Int) throws -> [UInt8] {
        while received.count < count {
            if try !fill() { throw Failure(text: "closed after \(received.count) bytes") }
        }
        defer { received.removeFirst(count) }
        return Array(received[..<count])
    }

    package func takeAll() throws -> String {
        while try fill() {}
        defer { received = [] }
        return String(decoding: received, as: UTF8.self)
    }

    /// One answer with a content length, without its `Date`, lines ending in LF.
    package func answer(isHead: Bool = false) throws -> String {
        let head = try take(through: "\r\n\r\n")
        var lines = head.split(separator: "\r\n", omittingEmptySubsequences: true).map(String.init)
        lines.removeAll { $0.hasPrefix("Date: ") }
        let length = lines.first { $0.hasPrefix("Content-Length: ") }.flatMap { Int($0.dropFirst(16)) } ?? 0
        let body = isHead ? "" : String(decoding: try take(length), as: UTF8.self)
        return lines.joined(separator: "\n") + "\n\n" + body
    }

    private static func end(of mark: [UInt8], in bytes: [UInt8], from first: Int) -> Int? {
        guard bytes.count >= first + mark.count else { return nil }
        for start in first...(bytes.count - mark.count) where bytes[start] == mark[0] {
            if bytes[start..<(start + mark.count)].elementsEqual(mark) { return start + mark.count }
        }
        return nil
    }
}
