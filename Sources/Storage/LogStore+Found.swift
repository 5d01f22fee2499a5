import Raft
import Wire

extension LogStore {
    /// The log of a founder of a cluster. Every founder makes the same entries, so their logs agree before they have met.
    ///
    /// - Parameter members: all founders, `identity.member` among them.
    package static func found(_ path: String, identity: Identity, members: [Member]) throws(StorageError) {
        let entries = foundingEntries(members)
        try create(
            path, identity: identity, hardState: HardState(term: 1, commit: Index(UInt64(entries.count))), entries: entries)
    }

    /// One entry a member, ordered by id; their term counts as that of a leader that never was.
    package static func foundingEntries(_ members: [Member]) -> [LogEntry] {
        members.sorted { $0.id < $1.id }.enumerated().map { position, member in
            LogEntry(
                index: Index(UInt64(position) + 1), term: 1, payload: MembershipCodec.encode(.add(member), time: 0, request: 0))
        }
    }

    /// The log of a member that joins a running cluster: empty, so it has no vote until it hears from the leader who has one.
    package static func join(_ path: String, identity: Identity) throws(StorageError) { try create(path, identity: identity) }
}
