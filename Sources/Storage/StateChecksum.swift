import Access
import Wire

/// What `state.checksum` says: that the rows of `state` and `members`, users and roles, and the ends of `events` are of one moment.
///
/// The state hash covers the nodes. Whether a membership entry counts is decided by the members, and what a node gets as its index by
/// `keys_index`; with either of another moment, this member would answer and hash otherwise than all others.
struct StateChecksum {
    /// The first and last index in `events`; zeros when there is none.
    typealias EventRange = (first: Int64, last: Int64)

    /// Members, users and roles change seldom, so their part comes first and is kept.
    private var seldom: UInt32

    init(_ members: [Member], _ access: AccessState) {
        var sum = CRC32C()
        for member in members {
            for text in [
                member.id.description, member.name, member.peerURLs.joined(separator: ","), member.clientURLs.joined(separator: ","),
                member.isLearner ? "1" : "0", member.isRemoved ? "1" : "0",
            ] { StateChecksum.add(text, to: &sum) }
        }
        if !access.isUntouched { StateChecksum.add(access, to: &sum) }
        seldom = sum.value
    }

    private static func add(_ access: AccessState, to sum: inout CRC32C) {
        add(access.isEnabled ? "enabled" : "disabled", to: &sum)
        func addAll(_ lists: [[AccessName]?]) {
            for list in lists {
                add(list.map { "\($0.count)" } ?? "-", to: &sum)
                for name in list ?? [] { sum.update(name + [0]) }
            }
        }
        for user in access.users { addAll([[user.name, user.password], user.roles]) }
        for role in access.roles { addAll([[role.name], role.permissions.read, role.permissions.write]) }
    }

    func value(_ state: TreeState, events: EventRange) -> UInt32 {
        var sum = CRC32C(seed: seldom)
        for text in [
            "\(state.applied.index)", "\(state.applied.term)", "\(state.time)", "\(state.keysIndex)", state.hash.hex, state.clusterVersion,
            "\(events.first)", "\(events.last)",
        ] { StateChecksum.add(text, to: &sum) }
        return sum.value
    }

    private static func add(_ text: String, to sum: inout CRC32C) { sum.update(Array(text.utf8) + [0]) }
}
