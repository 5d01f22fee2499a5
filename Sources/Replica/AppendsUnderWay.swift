import Raft
import Wire

/// The bytes of entries that are on their way to each peer: sent, and not acknowledged. A peer whose disk or network is slow must not gather
/// them without bound, here, on the way or in its memory; the core bounds their number and knows no bytes.
struct AppendsUnderWay: Sendable {
    private struct Peer {
        /// The last entry of each message, with the bytes of all.
        var messages = Queue<(end: Index, bytes: Int)>()
        var bytes = 0
    }

    private var peers: [MemberID: Peer] = [:]
    private let bytesMax: Int

    init(bytesMax: Int) { self.bytesMax = bytesMax }

    /// How many of these payloads, from the first on, may be sent now. A single one may be larger than all that may be under way.
    func fitting(_ payloads: some Collection<EntryPayload>, to member: MemberID) -> Int {
        let under = peers[member]?.bytes ?? 0
        var bytes = under
        var count = 0
        for payload in payloads {
            bytes += payload.size
            guard bytes <= bytesMax || (under == 0 && count == 0) else { break }
            count += 1
        }
        return count
    }

    func hasRoom(for member: MemberID) -> Bool { (peers[member]?.bytes ?? 0) < bytesMax }

    mutating func sent(_ message: PeerMessage) {
        guard case .raft(let raft, let payloads) = message, case .append(_, let entries, _) = raft.body, let last = entries.last else { return }
        let bytes = payloads.reduce(0) { $0 + $1.size }
        peers[raft.to, default: Peer()].messages.append((last.position.index, bytes))
        peers[raft.to, default: Peer()].bytes += bytes
    }

    mutating func acknowledged(upTo matched: Index, by member: MemberID) {
        while let first = peers[member]?.messages.first, first.end <= matched {
            peers[member]?.messages.removeFirst()
            peers[member]?.bytes -= first.bytes
        }
    }

    /// What was under way to it may be lost, and is sent again if need be.
    mutating func lost(_ member: MemberID) { peers[member] = nil }

    mutating func removeAll() { if !peers.isEmpty { peers = [:] } }
}
