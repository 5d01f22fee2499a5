#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// Asks the name servers of this computer for service records: by UDP, and by TCP when the answer is too long for that. The C library's
/// own resolver has no such question that all C libraries share.
///
/// Blocks its thread, for at most `timeoutSeconds` × `attempts` × servers a name.
package struct DNSResolver: Sendable {
    let configuration: ResolverConfiguration

    package static var system: DNSResolver { DNSResolver(configuration: .system) }

    /// Names in a row that are only other names for something.
    private static let aliasesMax = 8
    private static let datagramBytesMax = 65_535

    /// Why there are no records; the texts are those of Go's resolver, which people look up.
    package struct Failure: Error, Equatable, Sendable, CustomStringConvertible {
        let name: String
        let server: String
        let reason: String

        package var description: String { "lookup \(name)\(server.isEmpty ? "" : " on " + server): \(reason)" }
    }

    private enum Reply {
        case records([ServiceRecord])
        case noSuchName
        /// Another server may know.
        case failed(String)
    }

    /// The records of a name in random order; priority and weight are the caller's. Never empty.
    package func services(_ name: String) throws(Failure) -> [ServiceRecord] {
        var last = Failure(name: name, server: "", reason: "no such host")
        for candidate in configuration.candidates(name) {
            do {
                return try records(of: candidate).shuffled()
            } catch {
                // What the name alone came to says more than the same with a suffix.
                if candidate == name || last.server.isEmpty { last = Failure(name: name, server: error.server, reason: error.reason) }
            }
        }
        throw last
    }

    private func records(of name: String) throws(Failure) -> [ServiceRecord] {
        var last = Failure(name: name, server: "", reason: "no such host")
        for _ in 0..<configuration.attempts {
            for server in configuration.servers {
                let text = server.address.contains(":") ? "[\(server.address)]:\(server.port)" : "\(server.address):\(server.port)"
                switch follow(name, at: server) {
                case .records(let records): return records
                case .noSuchName: throw Failure(name: name, server: text, reason: "no such host")
                case .failed(let reason): last = Failure(name: name, server: text, reason: reason)
                }
            }
        }
        throw last
    }

    private func follow(_ name: String, at server: ResolverConfiguration.Server) -> Reply {
        var name = name.lowercased()
        for _ in 0..<Self.aliasesMax {
            let message: DNSMessage
            switch ask(name, at: server) {
            case .success(let answer): message = answer
            case .failure(let failure): return .failed(failure.reason)
            }
            switch message.code {
            case 0: break
            case 3: return .noSuchName
            default: return .failed("server misbehaving")
            }
            let end = message.end(of: name)
            let records = message.records.compactMap { owner, record -> ServiceRecord? in
                guard owner == end, case .service(let service) = record, !service.target.isEmpty, service.port != 0 else { return nil }
                return service
            }
            if !records.isEmpty { return .records(records) }
            // A server that does not look further by itself.
            guard end != name else { return .noSuchName }
            name = end
        }
        return .failed("too many aliases")
    }

    private struct Trouble: Error {
        let reason: String
    }

    private func ask(_ name: String, at server: ResolverConfiguration.Server) -> Result<DNSMessage, Trouble> {
        let id = UInt16.random(in: .min ... .max)
        guard let question = DNSMessage.question(name, id: id) else { return .failure(Trouble(reason: "no such host")) }
        func fits(_ message: DNSMessage) -> Bool { message.id == id && message.name == name }
        let deadline = DNSSocket.now + Int64(configuration.timeoutSeconds) * 1000
        do {
            let datagrams = try DNSSocket(server, isStream: false, deadline: deadline)
            try datagrams.send(question)
            while true {
                // Whatever else comes to this port is not what was asked for.
                guard let answer = DNSMessage(answer: try datagrams.receive(atMost: Self.datagramBytesMax)), fits(answer) else { continue }
                guard answer.isTruncated else { return .success(answer) }
                break
            }
            let stream = try DNSSocket(server, isStream: true, deadline: deadline)
            try stream.send([UInt8(question.count >> 8), UInt8(question.count & 0xff)] + question)
            let length = try stream.receive(exactly: 2)
            guard let answer = DNSMessage(answer: try stream.receive(exactly: Int(length[0]) << 8 | Int(length[1]))), fits(answer),
                !answer.isTruncated
            else { return .failure(Trouble(reason: "cannot unmarshal DNS message")) }
            return .success(answer)
        } catch {
            return .failure(Trouble(reason: error.reason))
        }
    }
}

extension DNSMessage {
    /// Where the aliases of this answer lead.
    fileprivate func end(of name: String) -> String {
        var name = name
        for _ in records {
            let next = records.lazy.compactMap { owner, record -> String? in
                if owner == name, case .alias(let target) = record { target } else { nil }
            }.first
            guard let next else { break }
            name = next
        }
        return name
    }
}

/// A socket to a name server, with one deadline for all that it does.
private final class DNSSocket {
    struct Failure: Error {
        let reason: String
    }

    private let descriptor: CInt
    private let deadline: Int64

    /// Milliseconds of a clock that only goes forward.
    static var now: Int64 {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000
    }

    init(_ server: ResolverConfiguration.Server, isStream: Bool, deadline: Int64) throws(Failure) {
        self.deadline = deadline
        var hints = addrinfo()
        hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV
        #if canImport(Glibc)
            let type = isStream ? CInt(SOCK_STREAM.rawValue) : CInt(SOCK_DGRAM.rawValue)
            let flags = CInt(SOCK_CLOEXEC.rawValue) | CInt(SOCK_NONBLOCK.rawValue)
        #else
            let type = isStream ? SOCK_STREAM : SOCK_DGRAM
            let flags = SOCK_CLOEXEC | SOCK_NONBLOCK
        #endif
        hints.ai_socktype = type
        var result: UnsafeMutablePointer<addrinfo>?
        guard getaddrinfo(server.address, String(server.port), &hints, &result) == 0, let address = result else {
            throw Failure(reason: "\(server.address) is no address of a name server")
        }
        defer { freeaddrinfo(address) }
        descriptor = socket(address.pointee.ai_family, type | flags, 0)
        guard descriptor >= 0 else { throw Failure(reason: Self.text(errno)) }
        if connect(descriptor, address.pointee.ai_addr, address.pointee.ai_addrlen) != 0 {
            guard errno == EINPROGRESS else { throw Failure(reason: "connect: \(Self.text(errno))") }
            try wait(for: Int16(POLLOUT))
            var code: CInt = 0
            var length = socklen_t(MemoryLayout<CInt>.size)
            getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &code, &length)
            guard code == 0 else { throw Failure(reason: "connect: \(Self.text(code))") }
        }
    }

    deinit { if descriptor >= 0 { close(descriptor) } }

    func send(_ bytes: [UInt8]) throws(Failure) {
        var rest = bytes[...]
        while !rest.isEmpty {
            try wait(for: Int16(POLLOUT))
            let count = rest.withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
            if count < 0, errno == EINTR || errno == EAGAIN { continue }
            guard count > 0 else { throw Failure(reason: "write: \(Self.text(errno))") }
            rest = rest.dropFirst(count)
        }
    }

    func receive(atMost most: Int) throws(Failure) -> [UInt8] {
        while true {
            try wait(for: Int16(POLLIN))
            var code: CInt = 0
            let bytes = [UInt8](unsafeUninitializedCapacity: most) { buffer, count in
                let got = recv(descriptor, buffer.baseAddress, buffer.count, 0)
                code = got < 0 ? errno : 0
                count = max(0, got)
            }
            if code == EINTR || code == EAGAIN { continue }
            guard code == 0 else { throw Failure(reason: "read: \(Self.text(code))") }
            return bytes
        }
    }

    func receive(exactly count: Int) throws(Failure) -> [UInt8] {
        var bytes: [UInt8] = []
        while bytes.count < count {
            let more = try receive(atMost: count - bytes.count)
            guard !more.isEmpty else { throw Failure(reason: "unexpected EOF") }
            bytes += more
        }
        return bytes
    }

    private func wait(for event: Int16) throws(Failure) {
        while true {
            let left = deadline - Self.now
            guard left > 0 else { throw Failure(reason: "i/o timeout") }
            var polled = pollfd(fd: descriptor, events: event, revents: 0)
            let count = poll(&polled, 1, CInt(left))
            if count > 0 { return }
            guard count == 0 || errno == EINTR else { throw Failure(reason: Self.text(errno)) }
        }
    }

    private static func text(_ code: CInt) -> String { String(cString: strerror(code)).lowercased() }
}
