import Glibc
import NIOCore
import Raft
import TestSupport
import Wire

@testable import PeerTransport

/// A peer made by hand: accepts, and does what the test says.
final class RawServer {
    let port: Int
    private let descriptor: Int32
    /// A connection lasts as long as the server, unless it is hung up.
    private var accepted: [RawClient] = []

    init() throws {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var limit = timeval(tv_sec: 20, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let own = descriptor
        let result = withUnsafeMutablePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(own, $0, size) == 0 && listen(own, 16) == 0 && getsockname(own, $0, &size) == 0
            }
        }
        guard result else { throw RawClient.Failure(text: "listen: errno \(errno)") }
        port = Int(in_port_t(bigEndian: address.sin_port))
    }

    deinit { close(descriptor) }

    var url: String { "http://127.0.0.1:\(port)" }

    func accept() throws -> RawClient {
        let connection = Glibc.accept(descriptor, nil, nil)
        guard connection >= 0 else { throw RawClient.Failure(text: "accept: errno \(errno)") }
        let client = RawClient(descriptor: connection)
        accepted.append(client)
        return client
    }
}

extension RawClient {
    /// Takes the hello of whoever dialled, and answers.
    func answerHello(
        as member: MemberID, cluster: UInt64 = 0xc1, refusal: HelloRefusal? = nil, change: (inout Hello) -> Void = { _ in }
    ) throws {
        let preface = try take(Hello.preface.count)
        guard preface == Hello.preface else { throw Failure(text: "no preface: \(preface)") }
        var reader = ByteReader(try frame(), from: 1)
        guard let hello = Hello(from: &reader) else { throw Failure(text: "no hello") }
        let identity = PeerIdentity(
            cluster: MemberID(cluster), member: member, serverVersion: "3.4.23", minimumVersion: "3.0.0")
        var answer = Hello(hello.purpose, from: identity, to: hello.from)
        change(&answer)
        send(Frame.wrap(HelloReply(hello: answer, refusal: refusal).frame))
    }
}

/// Messages as one frame.
func frame(of messages: [PeerMessage]) -> ByteBuffer {
    Frame.wrap(.messages) { for message in messages { PeerMessageCodec.encode(message, into: &$0) } }
}
