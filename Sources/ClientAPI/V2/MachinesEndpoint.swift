import HTTPTransport
import Keyspace
import NIOCore
import ReplicaHost

/// The URLs of the members as clients of 2.x and of 0.4 ask for them (v2-keys.md §14, 17; cluster.md §5).
final class MachinesEndpoint {
    private static let directory = TreePath("/_etcd/machines")

    private let replica: any ReplicaDoor

    init(replica: any ReplicaDoor) { self.replica = replica }

    /// `/v2/machines`: client URLs of all members, sorted.
    func respondWithClientURLs(on exchange: HTTPExchange) {
        let urls = replica.members.flatMap(\.clientURLs).sorted()
        exchange.respond(.ok, .text, body: ByteBuffer(string: urls.joined(separator: ", ")))
    }

    /// `/v2/leader`: the peer URL of the leader.
    func respondWithLeader(on exchange: HTTPExchange) {
        let status = replica.status
        if status.leader != 0, let leader = replica.members.first(where: { $0.id == status.leader }) {
            exchange.respond(.ok, .text, body: ByteBuffer(string: leader.peerURLs.first ?? ""))
        } else {
            let error = V2Error.election(index: status.keysIndex)
            var body = ByteBuffer()
            error.write(into: &body)
            exchange.respond(error.status, .json, body: body)
        }
    }

    /// True for the directory of 0.4 and what lies below: made from the membership, not from the tree.
    func owns(_ path: TreePath) -> Bool { path == Self.directory || path.isBelow(Self.directory) }

    /// - Parameter path: One that `owns` is true for.
    func read(_ path: TreePath) -> ReadResult.Outcome {
        let files = replica.members.filter { !$0.name.isEmpty }.map { member in
            ListedNode(
                depth: 1, path: Self.directory.child(member.name.utf8),
                node: TreeNode(isDirectory: false, value: Self.value(member), created: 0, modified: 0))
        }
        if path == Self.directory {
            let sorted = files.sorted { $0.path < $1.path }
            return .found(.directory(TreeNode(isDirectory: true, created: 0, modified: 0), sorted))
        }
        if let file = files.first(where: { $0.path == path }) { return .found(.file(file.node)) }
        if let file = files.first(where: { path.isBelow($0.path) }) { return .refused(.notADirectory(file.path)) }
        return .refused(.keyNotFound(path))
    }

    /// `etcd=CLIENTURL&raft=PEERURL`, both URLs as form values.
    private static func value(_ member: MemberRecord) -> [UInt8] {
        let client = formEncoded(member.clientURLs.first ?? "")
        let peer = formEncoded(member.peerURLs.first ?? "")
        return Array("etcd=".utf8) + client + Array("&raft=".utf8) + peer
    }

    private static func formEncoded(_ text: String) -> [UInt8] {
        let digits = Array("0123456789ABCDEF".utf8)
        return text.utf8.flatMap { byte -> [UInt8] in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "."),
                UInt8(ascii: "~"):
                [byte]
            default: [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 0xf)]]
            }
        }
    }
}
