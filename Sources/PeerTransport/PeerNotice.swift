import Raft

/// What a log should say of the peers. Texts are etcd's where it has one (cluster.md §3, §6.2).
package enum PeerNotice: Equatable, Sendable {
    case active(MemberID)
    case inactive(MemberID, because: String)
    /// A dial failed, or the hellos after it.
    case unreachable(MemberID, url: String, because: String)
    case unusableURL(MemberID, url: String, because: String)
    /// We refused who said hello.
    case refused(Hello, HelloRefusal, local: PeerIdentity)
    /// The peer refused us; `peerCluster` is its own.
    case refusedBy(MemberID, HelloRefusal, peerCluster: MemberID, local: PeerIdentity)
    /// Bytes that make no sense; the connection is closed. Nobody (`.none`): before its hello.
    case broken(MemberID, because: String)
    /// Messages for somebody else, or in the name of somebody else.
    case misdirected(MemberID)
    /// A message that no peer would take.
    case unsendable(MemberID)
    /// The peer takes less than we have for it: messages are dropped.
    case queueFull(MemberID)
    case snapshotSending(MemberID, LogPosition, bytes: UInt64)
    case snapshotSent(MemberID, LogPosition, SnapshotOutcome)
    case snapshotReceiving(MemberID, LogPosition, bytes: UInt64)
    case snapshotReceived(MemberID, LogPosition, bytes: UInt64)
    case snapshotBroken(MemberID, because: String)

    package enum Severity: Sendable { case info, warning, error }

    package var severity: Severity {
        switch self {
        case .active, .snapshotSending, .snapshotSent(_, _, .delivered), .snapshotReceiving, .snapshotReceived: .info
        case .inactive, .unreachable, .broken, .queueFull, .snapshotSent, .snapshotBroken: .warning
        case .unusableURL, .refused, .refusedBy, .misdirected, .unsendable: .error
        }
    }

    package var member: MemberID {
        switch self {
        case .active(let member), .inactive(let member, _), .unreachable(let member, _, _), .unusableURL(let member, _, _),
            .refusedBy(let member, _, _, _), .broken(let member, _), .misdirected(let member), .unsendable(let member),
            .queueFull(let member), .snapshotSending(let member, _, _), .snapshotSent(let member, _, _),
            .snapshotReceiving(let member, _, _), .snapshotReceived(let member, _, _), .snapshotBroken(let member, _):
            member
        case .refused(let hello, _, _): hello.from
        }
    }

    package var text: String {
        switch self {
        case .active(let member): "peer \(member) became active"
        case .inactive(let member, let reason): "peer \(member) became inactive (\(reason))"
        case .unreachable(let member, let url, let reason): "failed to reach peer \(member) at \(url): \(reason)"
        case .unusableURL(let member, let url, let reason): "cannot use the URL \(url) of peer \(member): \(reason)"
        case .refused(let hello, let refusal, let local):
            switch refusal.reason {
            case .clusterMismatch: "request cluster ID mismatch (got \(hello.cluster) want \(local.cluster))"
            case .senderRemoved: "rejected the stream from peer \(hello.from) since it was removed"
            case .senderNotFound: "failed to find member \(hello.from) in cluster \(local.cluster)"
            case .toMismatch: "streaming request ignored (ID mismatch got \(hello.to) want \(local.member))"
            case .incompatibleVersion, .busy, .other: "refused peer \(hello.from): \(refusal.text)"
            }
        case .refusedBy(let member, let refusal, let peerCluster, let local):
            switch refusal.reason {
            case .clusterMismatch:
                "request sent was ignored (cluster ID mismatch: peer[\(member)]=\(peerCluster), local=\(local.cluster))"
            case .senderRemoved: "request sent was ignored by peer \(member): this member was removed from the cluster"
            case .incompatibleVersion:
                "request sent was ignored by peer \(member) (server version incompatible: \(refusal.text))"
            case .senderNotFound, .toMismatch, .busy, .other: "request sent was ignored by peer \(member) (\(refusal.text))"
            }
        case .broken(.none, let reason): "closed a connection on the peer port: \(reason)"
        case .broken(let member, let reason): "closed a connection with peer \(member): \(reason)"
        case .misdirected(let member): "dropped messages of peer \(member) that are not from it or not for this member"
        case .unsendable(let member): "dropped a message for peer \(member): too large"
        case .queueFull(let member): "dropped messages for peer \(member) since its sending buffer is full"
        case .snapshotSending(let member, let position, let bytes):
            "start to send database snapshot [index: \(position.index), to \(member), size: \(bytes) bytes]"
        case .snapshotSent(let member, let position, .delivered):
            "database snapshot [index: \(position.index), to: \(member)] sent out successfully"
        case .snapshotSent(let member, let position, .refused(let reason)):
            "database snapshot [index: \(position.index), to: \(member)] was refused: \(reason)"
        case .snapshotSent(let member, let position, .failed(let reason)):
            "database snapshot [index: \(position.index), to: \(member)] failed to be sent out: \(reason)"
        case .snapshotReceiving(let member, let position, let bytes):
            "receiving database snapshot [index: \(position.index), from: \(member), size: \(bytes) bytes]"
        case .snapshotReceived(let member, let position, let bytes):
            "received and saved database snapshot [index: \(position.index), from: \(member), size: \(bytes) bytes]"
        case .snapshotBroken(let member, let reason): "failed to receive a database snapshot from \(member): \(reason)"
        }
    }

    /// Which notices are repetitions of each other: same case, same number. 0: never a repetition.
    var repetition: UInt8 {
        switch self {
        case .snapshotSending, .snapshotSent, .snapshotReceiving, .snapshotReceived, .snapshotBroken: 0
        case .active: 1
        case .inactive: 2
        case .unreachable: 3
        case .unusableURL: 4
        case .refused(_, let refusal, _): 16 &+ refusal.reason.rawValue & 15
        case .refusedBy(_, let refusal, _, _): 32 &+ refusal.reason.rawValue & 15
        case .broken: 5
        case .misdirected: 6
        case .unsendable: 7
        case .queueFull: 8
        }
    }
}

/// Lets a notice through once in a while (cluster.md §3: a hundred lines a second help nobody).
struct NoticeGate {
    private struct Key: Hashable {
        var member: MemberID
        var repetition: UInt8
    }

    private var seen: [Key: Int] = [:]

    /// - Parameter second: of a clock that does not go back.
    mutating func lets(_ notice: PeerNotice, at second: Int, seconds: Int) -> Bool {
        guard notice.repetition != 0 else { return true }
        let key = Key(member: notice.member, repetition: notice.repetition)
        if let last = seen[key], second - last < seconds { return false }
        if seen.count >= PeerLimits.noticePeersMax { seen = seen.filter { second - $0.value < seconds } }
        // Whoever makes up ids faster than they are forgotten is not worth a line each.
        guard seen.count < PeerLimits.noticePeersMax || seen[key] != nil else { return false }
        seen[key] = second
        return true
    }

    /// What happens after this is news again.
    mutating func forget(_ member: MemberID) { seen = seen.filter { $0.key.member != member } }
}
