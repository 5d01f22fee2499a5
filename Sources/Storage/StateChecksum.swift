import Wire

/// What `state.checksum` says: that the rows of `state` and `members` and the ends of `events` are of one moment.
///
/// The state hash covers the nodes. Whether a membership entry counts is decided by the members, and what a node gets as its index by
/// `keys_index`; with either of another moment, this member would answer and hash otherwise than all others.
struct StateChecksum {
    /// The first and last index in `events`; zeros when there is none.
    typealias EventRange = (first: Int64, last: Int64)

    /// The members change seldom, so their part comes first and is kept.
    private var members: UInt32

    init(_ members: [Member]) {
        var sum = CRC32C()
        for member in members {
            for text in [
                member.id.description, member.name, member.peerURLs.joined(separator: ","), member.clientURLs.joined(separator: ","),
                member.isLearner ? "1" : "0", member.isRemoved ? "1" : "0",
            ] { StateChecksum.add(text, to: &sum) }
        }
        self.members = sum.value
    }

    func value(_ state: TreeState, events: EventRange) -> UInt32 {
        var sum = CRC32C(seed: members)
        for text in [
            "\(state.applied.index)", "\(state.applied.term)", "\(state.time)", "\(state.keysIndex)", state.hash.hex, state.clusterVersion,
            "\(events.first)", "\(events.last)",
        ] { StateChecksum.add(text, to: &sum) }
        return sum.value
    }

    private static func add(_ text: String, to sum: inout CRC32C) { sum.update(Array(text.utf8) + [0]) }
}
