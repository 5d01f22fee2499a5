import Keyspace
import NIOCore
import Raft
import Replica
import Storage
import Wire

/// The stores of a data directory, opened and checked, before any thread runs.
struct OpenedStores {
    let log: LogStore
    let tree: TreeStore
    let file: TreeReader
    let applier: EntryApplier
    /// Time of the newest entry, nanoseconds since 1970 UTC.
    let newestTime: Int64
    /// The log as the consensus core knows it.
    let shape: LogShape
    let changes: [(Index, ConfigurationChange)]
    /// Of the entries that are not applied.
    let tail: MembersInLog
    /// What the log's entries take in its file.
    let logBytes: Int

    /// The brain of the member whose files these are.
    func machine(_ configuration: ReplicaConfiguration, life: UInt64, seed: UInt64) -> ReplicaMachine {
        let core = RaftCore(
            id: log.identity.member,
            settings: CoreSettings(
                heartbeatMilliseconds: configuration.heartbeatMilliseconds, electionMilliseconds: configuration.electionMilliseconds),
            hardState: log.hardState, log: shape, configuration: MembershipRules.configuration(of: applier.members),
            changes: changes, applied: applier.applied.index, now: WallClock.steadyMilliseconds, seed: seed)
        let policy = LogPolicy(
            entriesBetweenCuts: configuration.snapshotCount, cutAt: log.cut.position.index, durable: tree.durable.index,
            last: log.tail.position.index, bytes: logBytes)
        return ReplicaMachine(core: core, policy: policy, members: applier.members, applied: applier.applied, life: life)
    }
}

/// What the entries that are not applied yet say of members.
struct MembersInLog {
    /// Peer URLs of those who were added: they count already.
    var announced: [MemberID: [String]] = [:]
    /// Peer URLs that members move to.
    var moving: [MemberID: [String]] = [:]
    /// Client URLs of those who have served under their identity, so that nobody who lost its data takes them for new (cluster.md §3).
    var published: [MemberID: [String]] = [:]
    /// Of the last removal.
    var lastRemoval: Index?
}

extension ReplicaService {
    private static func members(in log: LogStore, behind applied: Index) throws(StorageError) -> MembersInLog {
        var found = MembersInLog()
        var index = max(applied, log.cut.position.index)
        while true {
            let entries = try log.entries(after: index, limit: 1000, bytes: 8 << 20)
            guard let last = entries.last else { return found }
            index = last.index
            for entry in entries where entry.payload.kind == EntryKind.membership.rawValue {
                switch MembershipCodec.decode(entry.payload) {
                case .add(let member) where entry.payload.configurationChange != nil: found.announced[member.id] = member.peerURLs
                case .update(let id, let peerURLs) where !MembershipCodec.isVoid(entry.payload): found.moving[id] = peerURLs
                case .publish(let id, _, let clientURLs): found.published[id] = clientURLs
                case .remove where !MembershipCodec.isVoid(entry.payload): found.lastRemoval = entry.index
                default: break
                }
            }
        }
    }

    /// Who is known to be removed is not talked to, not even for the moment that it takes to apply the log: it may be of a term that this
    /// member must not hear of.
    private static func tail(
        of log: LogStore, _ applier: EntryApplier, _ tree: TreeStore, _ notice: (ReplicaNotice) -> Void
    ) throws(StorageError) -> MembersInLog {
        let tail = try members(in: log, behind: applier.applied.index)
        guard let last = tail.lastRemoval, last <= log.hardState.commit else { return tail }
        let before = applier.members
        try log.applyCommitted(to: applier, in: tree)
        for member in applier.members where member.isRemoved && !before.contains(where: { $0.id == member.id && $0.isRemoved }) {
            notice(.memberRemoved(member.id, cluster: log.identity.cluster))
        }
        return try members(in: log, behind: applier.applied.index)
    }

    /// Opens the data directory (founding a cluster of one when it is empty), checks it, and starts the replica on `loop`.
    ///
    /// - Parameters:
    ///   - notice: facts for the server's log; any thread.
    ///   - fail: called when the disk or the data breaks a promise; must end the process.
    ///   - removed: on the loop, when the cluster has removed this member; must end the process.
    ///   - published: on the loop, when this member leads and its name and URLs are applied: clients may be served.
    package static func open(
        _ directory: DataDirectory, _ configuration: ReplicaConfiguration, on loop: any EventLoop,
        notice: @escaping @Sendable (ReplicaNotice) -> Void, fail: @escaping @Sendable (StorageError) -> Never,
        removed: @escaping @Sendable () -> Void = {}, published: @escaping @Sendable () -> Void
    ) throws(StorageError) -> ReplicaService {
        for file in [directory.log, directory.tree] { try FileReplacement.resume(file) }
        let isNew = try !LogStore.hasIdentity(directory.log)
        if isNew {
            guard !FileOperations.exists(directory.tree) else {
                throw .refused(
                    "\(directory.tree) is there but \(directory.log) is not: the log is the data; restore a backup with etcliteutl, "
                        + "or move \(directory.member) away to start an empty cluster")
            }
            let origin = configuration.isJoining ? "joined" : "new cluster"
            let identity = Identity(member: configuration.member, cluster: configuration.cluster, origin: origin)
            if configuration.isJoining {
                try LogStore.join(directory.log, identity: identity)
            } else {
                let lone = [Member(id: configuration.member, peerURLs: configuration.peerURLs)]
                try LogStore.found(
                    directory.log, identity: identity, members: configuration.founders.isEmpty ? lone : configuration.founders)
            }
            try FileOperations.synchronize(directory.member)
            notice(
                configuration.isJoining
                    ? .joining(configuration.member, cluster: configuration.cluster)
                    : .founded(configuration.member, cluster: configuration.cluster))
        }
        let wal = directory.log + "-wal"
        if case .torn(_, let frames) = try WALFile.inspect(wal) { notice(.tornTail(file: wal, frames: frames)) }
        let log = try LogStore(directory.log)
        _ = try SnapshotInstall.resume(in: directory, log: log)
        let hadTree = FileOperations.exists(directory.tree)
        guard hadTree || log.cut == .origin else {
            throw .damaged(
                file: directory.tree, place: "the file",
                reason: "it is missing, and the log no longer reaches back to the beginning; restore a backup")
        }
        // A broken frame with sound ones behind it can be what a crash of the machine left, since this WAL is not synced at each
        // commit; or a flipped bit. The contents tell.
        let isWALBroken = try WALFile.inspect(directory.tree + "-wal", afterPowerLoss: false).isDamaged
        let mayLackPageChecksums = directory.mayLackPageChecksums
        if isWALBroken || mayLackPageChecksums {
            notice(.treeProven(file: directory.tree))
            try TreeStore.prove(directory.tree, mayLackPageChecksums: mayLackPageChecksums)
        }
        let tree = try TreeStore(directory.tree, historyEvents: configuration.historyEvents)
        try Verification.quick(log: log, tree: tree)
        if !hadTree, !isNew, log.tail.position.index > 0 { notice(.treeRebuilt(from: 1)) }
        let file = try TreeReader(path: directory.tree, as: .reader)
        let applier = try EntryApplier(
            file: file, historyEvents: configuration.historyEvents, countedMax: Applier.countedMax)
        if let reason = configuration.refusal(ofClusterVersion: applier.clusterVersion) { throw .refused(reason) }
        if configuration.forcesNewCluster, !isNew {
            let isForced = try log.leaveOthers(
                members: applier.members, applied: applier.applied.index, peerURLs: configuration.peerURLs)
            notice(.forcedAlone(log.identity.member, cluster: log.identity.cluster, commit: log.hardState.commit, isNews: isForced))
        }
        let tail = try tail(of: log, applier, tree, notice)
        // A restored or compacted directory has a log without entries; the tree knows the time of the last one.
        let newest =
            log.tail == log.cut
            ? 0 : try log.entries(after: log.tail.position.index.previous, limit: 1).last?.payload.time ?? 0
        let opened = OpenedStores(
            log: log, tree: tree, file: file, applier: applier, newestTime: max(newest, tree.state.time),
            shape: try log.shape(), changes: try log.configurationChanges(applied: applier.applied.index),
            tail: tail, logBytes: try log.bytesUsed())
        if !isNew, applier.applied.index > 0 || log.tail.position.index > 0 {
            notice(.restarting(log.identity.member, cluster: log.identity.cluster, commit: log.tail.position.index))
        }
        let service = ReplicaService(
            loop: loop, configuration: configuration, directory: directory, opened: opened, notice: notice, fail: fail,
            removed: removed)
        let box = UnsafeTransfer(opened)
        loop.execute { service.start(box.value, published: published) }
        return service
    }
}

/// Moves a value to the one place that will own it.
///
/// `@unchecked Sendable`: the giver does not touch it again.
private struct UnsafeTransfer<Value>: @unchecked Sendable {
    let value: Value

    init(_ value: Value) { self.value = value }
}
