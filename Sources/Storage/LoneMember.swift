import Raft
import SQLite
import Wire

/// A member that goes on alone because the majority of its cluster is lost for good (`--force-new-cluster`, cluster.md §12).
///
/// Nothing is rewritten. Entries behind all others say that this member has removed the rest; they are of a term that nobody has seen, and
/// they count as committed, with everything before them, because their member is the only one left to count. Keys, ids and history stay.
extension LogStore {
    /// Removes all others in one durable transaction; before it nothing has happened, after it everything has.
    ///
    /// - Parameters:
    ///   - members: as applied up to `applied`; removed ones too.
    ///   - peerURLs: of this member, for a log that does not know it yet.
    /// - Returns: whether there was anybody to remove, or this member to be made a voter.
    package func leaveOthers(members: [Member], applied: Index, peerURLs: [String]) throws(StorageError) -> Bool {
        let members = try membersAtEnd(from: members, applied: applied)
        let own = members.first { $0.id == identity.member }
        guard own?.isRemoved != true else {
            throw .refused(
                "member \(identity.member) was removed from its cluster, and its id never comes back; make a directory of the same keys with "
                    + "new ids: etclitectl backup --data-dir <this one> --backup-dir <new>")
        }
        var changes: [MembershipChange] = []
        if own?.isLearner ?? true {
            var voter = own ?? Member(id: identity.member, peerURLs: peerURLs)
            voter.isLearner = false
            changes.append(.add(voter))
        }
        changes += members.filter { $0.id != identity.member && !$0.isRemoved }.map { .remove($0.id) }
        guard !changes.isEmpty else { return false }
        let term = Term(max(hardState.term, tail.position.term).value + 1)
        var next = tail.position.index
        let entries = changes.map { change in
            next = next.next
            return LogEntry(index: next, term: term, payload: MembershipCodec.encode(change, time: 0, request: 0))
        }
        Failpoint.pass("force.begin")
        try write(HardState(term: term, vote: identity.member, commit: next), entries)
        Failpoint.pass("force.logged")
        return true
    }

    /// The members as they are when all of the log is applied.
    private func membersAtEnd(from members: [Member], applied: Index) throws(StorageError) -> [Member] {
        var members = members
        let contents = try LogContents(connection)
        try contents.visit(from: contents.link(at: max(applied, cut.position.index))) { (entry: LogEntry, _: UInt32) in
            if entry.payload.kind == EntryKind.membership.rawValue, !MembershipCodec.isVoid(entry.payload),
                let change = MembershipCodec.decode(entry.payload), MembershipRules.refusal(of: change, in: members) == nil
            {
                members = MembershipRules.applying(change, to: members)
            }
            return true
        }
        return members
    }

    /// Brings a tree up to what is known to be committed, before anybody is talked to.
    package func applyCommitted(to applier: EntryApplier, in tree: TreeStore) throws(StorageError) {
        try LogReplay.run(LogContents(connection), applier, into: tree, upTo: hardState.commit)
        Failpoint.pass("force.applied")
    }
}
