import Access
import Keyspace
import Raft
import Wire

/// What one entry did when it was applied.
package enum AppliedOutcome: Sendable {
    /// An empty entry, or one that changed nothing a client could see.
    case nothing
    case event(Event)
    case refused(Refusal, index: UInt64)
    case expired([Event])
    case membership(MembershipChange)
    /// The change did nothing, here and on every other member.
    case membershipRefused(MembershipChange, MembershipRefusal)
    case access(AccessOutcome)
    case accessRefused(AccessRefusal)
    /// A change of keys that its user had no right to any more when its turn came.
    case denied
}

/// Applies entries of the log to the key tree and the membership: the one place where it is done, for the server, the
/// offline tool and the simulator. The same entries give the same state, byte for byte; the only time it knows is the entry's.
///
/// Confined to one thread.
package final class EntryApplier {
    package private(set) var tree: KeyTree<LayeredTable>
    package private(set) var applied: LogPosition
    /// Ordered by id; removed ones too.
    package private(set) var members: [Member]
    package private(set) var clusterVersion: String
    package private(set) var access: AccessState
    package var watched = WatchedPaths()
    private var time: Int64
    private let file: TreeReader
    /// The events that are kept, in the file or in layers.
    package private(set) var history: HistoryWindow
    private var frozenUpTo: LogPosition
    /// The file has everything up to here.
    package private(set) var stored: LogPosition
    /// Nothing expires before this; nil: nothing ever.
    package private(set) var earliestExpiration: Int64?

    /// Starts from what `file` holds.
    ///
    /// - Parameter countedMax: from larger subtrees that are removed, `state.hash` still counts the stored nodes until the layer is written, so
    ///   that their removal takes no time here; nil: it is always right.
    package init(
        file: TreeReader, historyEvents: Int, historyBytes: Int = HistoryWindow.bytesMaxDefault, countedMax: Int? = nil
    ) throws(StorageError) {
        let state = try file.state()
        let table = LayeredTable(file: file, hash: state.hash, countedMax: countedMax)
        tree = KeyTree(table: table, index: state.keysIndex)
        applied = state.applied
        frozenUpTo = state.applied
        stored = state.applied
        time = state.time
        clusterVersion = state.clusterVersion
        members = try file.members()
        access = try file.access()
        history = try file.history(eventsMax: historyEvents, bytesMax: historyBytes, keysIndex: state.keysIndex)
        earliestExpiration = try file.earliestExpiration()
        self.file = file
    }

    package var state: TreeState {
        TreeState(
            applied: applied, time: time, keysIndex: tree.index, hash: tree.table.hash, clusterVersion: clusterVersion)
    }

    /// Applies the entry that follows `applied`.
    package func apply(_ entry: LogEntry) throws(StorageError) -> AppliedOutcome {
        precondition(entry.index == applied.index.next, "apply: entries follow each other")
        let outcome: AppliedOutcome
        switch EntryKind(rawValue: entry.payload.kind) {
        case .empty: outcome = .nothing
        case .keys: outcome = try applyKeys(entry)
        case .membership: outcome = try applyMembership(entry)
        case .access: outcome = try applyAccess(entry)
        case nil:
            throw .refused("log index \(entry.index) is of kind \(entry.payload.kind), which this version does not know")
        }
        applied = entry.position
        if entry.payload.time != 0 { time = entry.payload.time }
        return outcome
    }

    private func applyKeys(_ entry: LogEntry) throws(StorageError) -> AppliedOutcome {
        guard let command = CommandCodec.decode(entry.payload) else {
            throw .refused("log index \(entry.index) is a keys entry of a form that this version does not know")
        }
        guard isAllowed(command, entry.payload) else { return .denied }
        if command.operation == .expire {
            let events = try tree.expire(at: entry.payload.time, watched: watched)
            for event in events { keep(event) }
            tree.table.noteExpired(upTo: entry.payload.time)
            earliestExpiration = try tree.table.earliestExpiration()
            return .expired(events)
        }
        switch try tree.apply(command, at: entry.payload.time, watched: watched) {
        case .success(let event):
            keep(event)
            if let expiration = event.node.expiration {
                earliestExpiration = min(earliestExpiration ?? expiration, expiration)
            }
            return .event(event)
        case .failure(let refusal): return .refused(refusal, index: tree.index)
        }
    }

    private func applyMembership(_ entry: LogEntry) throws(StorageError) -> AppliedOutcome {
        guard let change = MembershipCodec.decode(entry.payload) else {
            throw .refused("log index \(entry.index) is a membership entry of a form that this version does not know")
        }
        if let refusal = MembershipRules.refusal(of: change, in: members) { return .membershipRefused(change, refusal) }
        // The leader had a reason of its own, or looked at members that are not these, which would be its mistake: in either case
        // Raft has not counted the change anywhere, so it must not happen.
        guard !MembershipCodec.isVoid(entry.payload) else {
            return .membershipRefused(change, MembershipRules.refusalOfSpelling(change, in: members) ?? .notNow)
        }
        members = MembershipRules.applying(change, to: members)
        if case .clusterVersion(let version) = change { clusterVersion = version }
        tree.table.setMembers(members)
        // etcd keeps its bookkeeping in the same store, so it moves the index and takes a place in the history.
        let index = tree.skipIndex()
        keep(
            Event(
                .cluster, index: index, path: .root,
                node: TreeNode(isDirectory: true, created: index, modified: index), previous: nil, time: entry.payload.time))
        return .membership(change)
    }

    private func keep(_ event: Event) {
        history.append(event.historyBytes)
        tree.table.append(event, oldest: history.oldest)
    }

    private func applyAccess(_ entry: LogEntry) throws(StorageError) -> AppliedOutcome {
        guard let command = AccessCodec.decode(entry.payload) else {
            throw .refused("log index \(entry.index) is an access entry of a form that this version does not know")
        }
        let client = Requester(entry.payload.client)
        // Looked at once more here, where all members see the same: the right may have been taken meanwhile.
        guard access.isRoot(client.user) else { return .denied }
        let before = access
        switch access.apply(command) {
        case .success(let outcome):
            if access != before { tree.table.setAccess(access) }
            return .access(outcome)
        case .failure(let refusal): return .accessRefused(refusal)
        }
    }

    /// The door has looked already; but what a member knows when it is asked may be older than this entry.
    ///
    /// The entry no longer tells whether the key was sent with a slash at its end, which patterns distinguish: either will do.
    private func isAllowed(_ command: Command, _ payload: EntryPayload) -> Bool {
        // What has no client is the cluster's own.
        guard access.isEnabled, !payload.client.isEmpty else { return true }
        let user = Requester(payload.client).user
        return access.allows(user, .write, command.path.bytes, recursive: command.isRecursive)
            || access.allows(user, .write, command.path.bytes + [UInt8(ascii: "/")], recursive: command.isRecursive)
    }


    // MARK: Layers

    /// Entries were applied since the last freeze.
    package var isHashLate: Bool { tree.table.isHashLate }
    package var hasChanges: Bool { applied != frozenUpTo }
    package var isWriting: Bool { tree.table.frozen != nil }
    package var gatheredChanges: Int { tree.table.current.count }
    package var gatheredBytes: Int { tree.table.current.bytes }

    /// What is to be written next; nil when there is nothing, or the last layer is still being written.
    package func freeze() -> TreeLayer? {
        guard hasChanges, let layer = tree.table.freeze(state) else { return nil }
        frozenUpTo = applied
        return layer
    }

    /// The layer that `freeze` gave out is committed. Returns what is no longer needed: freeing it takes milliseconds.
    ///
    /// - Parameter counted: what `TreeStore.write` has returned.
    package func written(counted: StateHash = StateHash()) -> TreeLayer? {
        stored = frozenUpTo
        return tree.table.dropFrozen(counted: counted)
    }

    /// Writes everything gathered, on this thread.
    package func flush(to store: TreeStore) throws(StorageError) {
        guard let layer = freeze() else { return }
        try file.release()
        _ = written(counted: try store.write(layer))
    }

    // MARK: The past

    package enum Past: Sendable {
        /// The first event from the index on that the watcher asked for.
        case event(Event)
        /// Nothing kept matches; wait.
        case nothing
        case cleared(oldest: UInt64)
    }

    /// Looks for the first kept event at or after `since` that a watch of `path` asks for (v2-keys.md §13, The past).
    package func past(of path: TreePath, recursive: Bool, since: UInt64) throws(StorageError) -> Past {
        // Without a limit there is an answer.
        try past(of: path, recursive: recursive, since: since, eventsMax: .max) ?? .nothing
    }

    /// The same; nil when no more than `eventsMax` events of the file may be looked at, and that does not tell.
    package func past(of path: TreePath, recursive: Bool, since: UInt64, eventsMax: Int) throws(StorageError) -> Past? {
        guard since <= tree.index else { return .nothing }
        guard since >= history.oldest else { return .cleared(oldest: history.oldest) }
        var found: Event?
        func look(_ event: Event) -> Bool {
            guard event.matchesHistory(path: path, recursive: recursive) else { return true }
            found = event
            return false
        }
        let table = tree.table
        let inMemory = table.frozen?.events.first?.index ?? table.current.events.first?.index ?? tree.index + 1
        if since < inMemory {
            var left = eventsMax
            try file.events(from: since) { event in
                guard event.index < inMemory, left > 0 else { return false }
                left -= 1
                return look(event)
            }
            if found == nil, left == 0 { return nil }
        }
        for events in [table.frozen?.events ?? [], table.current.events] where found == nil {
            for event in events where event.index >= since { if !look(event) { break } }
        }
        return found.map { .event($0) } ?? .nothing
    }
}
