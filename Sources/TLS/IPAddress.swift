import Glibc

/// Addresses as the bytes that certificates have.
enum IPAddress {
    /// 4 or 16 bytes; an IPv4 address that is written as IPv6 counts as IPv4. Nil for anything but an address.
    static func bytes(_ text: String) -> [UInt8]? {
        var v4 = in_addr()
        if inet_pton(AF_INET, text, &v4) == 1 { return withUnsafeBytes(of: v4) { Array($0) } }
        var v6 = in6_addr()
        guard inet_pton(AF_INET6, text, &v6) == 1 else { return nil }
        let bytes = withUnsafeBytes(of: v6) { Array($0) }
        return bytes.prefix(12).elementsEqual([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff]) ? Array(bytes.suffix(4)) : bytes
    }

    /// All addresses of a name, by the system's resolver. Blocks.
    static func lookUp(_ name: String) -> [[UInt8]] {
        var hints = addrinfo()
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        var result: UnsafeMutablePointer<addrinfo>?
        guard getaddrinfo(name, nil, &hints, &result) == 0, let first = result else { return [] }
        defer { freeaddrinfo(first) }
        return sequence(first: first) { $0.pointee.ai_next }.compactMap { entry in
            numeric(entry.pointee.ai_addr, entry.pointee.ai_addrlen).flatMap(bytes)
        }
    }

    /// The name of an address, by the system's resolver; nil when it has none. Blocks.
    static func name(of text: String) -> String? {
        var hints = addrinfo()
        hints.ai_flags = AI_NUMERICHOST
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        var result: UnsafeMutablePointer<addrinfo>?
        guard getaddrinfo(text, nil, &hints, &result) == 0, let first = result else { return nil }
        defer { freeaddrinfo(first) }
        return hostText(first.pointee.ai_addr, first.pointee.ai_addrlen, NI_NAMEREQD)
    }

    private static func numeric(_ address: UnsafeMutablePointer<sockaddr>?, _ length: socklen_t) -> String? {
        hostText(address, length, NI_NUMERICHOST)
    }

    private static func hostText(_ address: UnsafeMutablePointer<sockaddr>?, _ length: socklen_t, _ flags: Int32) -> String? {
        var text = [CChar](repeating: 0, count: Int(NI_MAXHOST))
        guard getnameinfo(address, length, &text, socklen_t(text.count), nil, 0, flags) == 0 else { return nil }
        return text.withUnsafeBufferPointer { buffer in buffer.baseAddress.map { String(cString: $0) } }
    }
}
