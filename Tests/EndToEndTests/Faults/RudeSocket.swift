import Foundation

/// What impolite clients do with a socket.
extension Socket {
    /// One that sends this and never looks at the answer; whatever the system buffers is small.
    static func unreading(_ port: UInt16, _ text: String, timeoutSeconds: Int = 1) throws -> Socket {
        let socket = try Socket(connectingTo: port, timeoutSeconds: timeoutSeconds)
        var bytes: Int32 = 4096
        setsockopt(socket.descriptor, SOL_SOCKET, SO_RCVBUF, &bytes, socklen_t(MemoryLayout<Int32>.size))
        // The other side may close before it has all, or take no more: both are its right.
        try? socket.send(Array(text.utf8))
        return socket
    }

    /// Closes with a reset instead of an end.
    func reset() {
        var linger = Glibc.linger(l_onoff: 1, l_linger: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &linger, socklen_t(MemoryLayout<Glibc.linger>.size))
        close()
    }

    /// Sends as much as is taken at once; the rest.
    func offer(_ bytes: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
        let count = bytes.withUnsafeBytes { Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_DONTWAIT | MSG_NOSIGNAL)) }
        return bytes.dropFirst(max(0, count))
    }

    /// The status of the answer that comes within the time limit; nil: the connection ended, or nothing came.
    func status() -> Int? {
        guard let bytes = try? receive(), bytes.starts(with: Array("HTTP/1.".utf8)) else { return nil }
        return String(decoding: bytes.prefix(16), as: UTF8.self).split(separator: " ").dropFirst().first.flatMap { Int($0) }
    }
}

/// A request as text, for those who do not wait for what comes of it.
enum RawRequest {
    static func get(_ path: String) -> String { "GET \(path) HTTP/1.1\r\nHost: x\r\n\r\n" }

    static func put(_ key: String, _ form: String) -> String {
        "PUT /v2/keys\(key) HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\n"
            + "Content-Length: \(form.utf8.count)\r\n\r\n\(form)"
    }
}
