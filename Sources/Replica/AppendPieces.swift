import Raft
import Wire

/// An append with its payloads, in pieces that fit into a message: each follows the one before.
package enum AppendPieces {
    /// - Parameter payloads: of the first entries of the append, at least one; the entries without are left out.
    package static func split(_ message: Message, _ payloads: [EntryPayload], bytesMax: Int) -> [PeerMessage] {
        guard case .append(let previous, let entries, let commit) = message.body else { return [.raft(message, payloads: [])] }
        var bytes = 0
        for payload in payloads { bytes += payload.size }
        if bytes <= bytesMax, payloads.count == entries.count { return [.raft(message, payloads: payloads)] }
        var pieces: [PeerMessage] = []
        var start = 0
        var before = previous
        while start < payloads.count, start < entries.count {
            var end = start + 1
            var room = bytesMax - payloads[start].size
            while end < min(payloads.count, entries.count), payloads[end].size <= room {
                room -= payloads[end].size
                end += 1
            }
            var piece = message
            piece.body = .append(previous: before, entries: Array(entries[start..<end]), commit: commit)
            pieces.append(.raft(piece, payloads: Array(payloads[start..<end])))
            before = entries[end - 1].position
            start = end
        }
        return pieces
    }
}
