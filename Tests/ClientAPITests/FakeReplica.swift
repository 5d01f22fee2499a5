import Access
import Glibc
import Keyspace
import NIOCore
import ReplicaHost
import Synchronization

/// A replica in memory: the real key tree over the memory table, at once applied, with a history and watchers.
///
/// Confined to its loop like the real one.
final class FakeReplica: ReplicaDoor {
    private struct Listing: Hashable {
        let path: TreePath
        let isRecursive: Bool
    }

    private struct Watcher {
        let sink: any WatchSink
        let isStream: Bool
        let path: TreePath
        let since: UInt64
    }

    var tree = KeyTree(table: MemoryNodeTable(), index: 3)
    var statusNow: () -> Int64 = { 1_533_219_966_728_999_386 }
    var members = [
        MemberRecord(
            id: 0xce2a_822c_ea30_bfca, name: "default", peerURLs: ["http://localhost:2380"],
            clientURLs: ["http://localhost:2379"])
    ]
    var storeStatistics = StoreStatistics()
    var counters = ReplicaCounters()
    var peers: [PeerRecord] = []
    var leader: UInt64 = 0xce2a_822c_ea30_bfca
    var isDiskFull = false
    /// What every change and quorum read gets instead of an answer.
    var unavailable: Unavailable?
    /// Changes wait here for `answerHeld` when not nil.
    var held: [() -> Void]?
    private(set) var withdrawn: Set<RequestToken> = []
    var backupResult: Result<BackupCopy, Unavailable> = .failure(.stopped)
    private(set) var keptCount = 0
    private(set) var clients: [[UInt8]] = []

    private var raftIndex: UInt64 = 4
    private var history: [SharedEvent] = []
    private var index = WatchIndex<UInt64>()
    private var watched = WatchedPaths()
    private var watchers: [UInt64: Watcher] = [:]
    private var lastWatcher: UInt64 = 0
    private var kept: [Listing: ByteBuffer] = [:]
    private let historyMax = 1000

    var watcherCount: Int { watchers.count }

    var status: ReplicaStatus {
        var status = ReplicaStatus()
        status.memberID = 0xce2a_822c_ea30_bfca
        status.clusterID = 0x7e27_652122e8b2ae
        status.name = "default"
        status.leader = leader
        status.isLeader = leader == status.memberID
        status.isDiskFull = isDiskFull
        status.startTime = 1_533_219_900_000_000_000
        status.leaderSince = 1_533_219_901_500_000_000
        status.term = 2
        status.commitIndex = raftIndex
        status.appliedIndex = raftIndex
        status.keysIndex = tree.index
        status.clusterVersion = "3.4.0"
        status.now = statusNow()
        return status
    }

    @discardableResult
    func propose(_ command: Command, client: [UInt8], answer: @escaping (ProposalResult) -> Void) -> RequestToken {
        clients.append(client)
        if let unavailable {
            answer(.unavailable(unavailable))
            return .answered
        }
        guard held != nil else {
            apply(command, answer)
            return .answered
        }
        let token = RequestToken.proposal(UInt64(clients.count))
        held?.append { [self] in if !withdrawn.contains(token) { apply(command, answer) } }
        return token
    }

    func withdraw(_ token: RequestToken) { withdrawn.insert(token) }

    func answerHeld() {
        let waiting = held ?? []
        held = nil
        for answer in waiting { answer() }
    }

    private func apply(_ command: Command, _ answer: (ProposalResult) -> Void) {
        raftIndex += 1
        kept = [:]
        switch tree.apply(command, at: statusNow(), watched: watched) {
        case .success(let event):
            answer(.applied(event))
            publish([event])
        case .failure(let refusal): answer(.refused(refusal, index: tree.index))
        }
    }

    /// What the leader does twice a second.
    func expire() {
        guard !tree.table.due(at: statusNow()).isEmpty else { return }
        raftIndex += 1
        kept = [:]
        let events = tree.expire(at: statusNow(), watched: watched)
        storeStatistics.expires += UInt64(events.count)
        publish(events)
    }

    private func publish(_ events: [Event]) {
        for event in events {
            let shared = SharedEvent(event)
            history.append(shared)
            if history.count > historyMax { history.removeFirst(history.count - historyMax) }
            for (id, isTwice) in index.watchers(of: event) {
                guard let watcher = watchers[id], event.index >= watcher.since else { continue }
                watcher.sink.push(shared, twice: isTwice)
                watcher.sink.flushEvents()
                if !watcher.isStream { cancel(WatchToken(id)) }
            }
        }
    }

    func cached(_ path: TreePath, recursive: Bool) -> CachedReading? {
        if let body = kept[Listing(path: path, isRecursive: recursive)] { return .listing(body) }
        switch tree.get(path, recursive: recursive) {
        case .success(.file(let node)): return .file(node)
        case .success(.directory): return nil
        case .failure(let refusal): return .refused(refusal)
        }
    }

    /// Larger listings are answered with a file.
    var listingMax = Int.max

    @discardableResult
    func read(
        _ path: TreePath, recursive: Bool, quorum: Bool, encoder: (any ListingEncoding)?, answer: @escaping (ReadResult) -> Void
    ) -> RequestToken {
        if quorum, let unavailable {
            answer(ReadResult(.unavailable(unavailable), index: 0))
            return .answered
        }
        switch tree.get(path, recursive: recursive) {
        case .success(.directory(let node, let lines)) where lines.count > listingMax:
            let outcome = encoder.map { ReadResult.Outcome.listed(file(node, at: path, lines, $0)) } ?? .refused(.notAFile(path))
            answer(ReadResult(outcome, index: tree.index))
        case .success(let reading): answer(ReadResult(.found(reading), index: tree.index))
        case .failure(let refusal): answer(ReadResult(.refused(refusal), index: tree.index))
        }
        return .answered
    }

    private func file(
        _ node: TreeNode?, at path: TreePath, _ lines: [ListedNode], _ encoder: any ListingEncoding
    ) -> ListingFile {
        var (encoder, body) = (encoder, ByteBuffer())
        encoder.begin(node, at: path, into: &body)
        for line in lines { encoder.add(line, into: &body) }
        encoder.end(into: &body)
        var name = Array("/tmp/listing-XXXXXX".utf8CString)
        let descriptor = mkstemp(&name)
        unlink(name)
        let count = body.withUnsafeReadableBytes { write(descriptor, $0.baseAddress, $0.count) }
        precondition(count == body.readableBytes, "cannot write a file of a test")
        return ListingFile(descriptor: descriptor, size: UInt64(count)) { [released] in released.count.add(1, ordering: .relaxed) }
    }

    let released = Released()

    func keep(_ body: ByteBuffer, path: TreePath, recursive: Bool) {
        keptCount += 1
        kept[Listing(path: path, isRecursive: recursive)] = body
    }

    func watch(_ path: TreePath, recursive: Bool, isStream: Bool, since: UInt64, sink: any WatchSink) -> WatchToken {
        lastWatcher += 1
        let token = WatchToken(lastWatcher)
        let oldest = history.first?.event.index ?? tree.index
        if since > 0, since < oldest, since <= tree.index {
            sink.cleared(oldest: oldest, index: tree.index)
            return token
        }
        sink.started(index: tree.index)
        if since > 0, since <= tree.index {
            let past = history.first { event in
                event.event.index >= since && event.event.matchesHistory(path: path, recursive: recursive)
            }
            if let past {
                sink.push(past, twice: false)
                sink.flushEvents()
                return token
            }
        }
        watchers[token.number] = Watcher(sink: sink, isStream: isStream, path: path, since: since)
        index.register(token.number, path: path, recursive: recursive)
        watched.add(path)
        storeStatistics.watchers = UInt64(watchers.count)
        return token
    }

    func cancel(_ token: WatchToken) {
        guard let watcher = watchers.removeValue(forKey: token.number) else { return }
        index.unregister(token.number)
        watched.remove(watcher.path)
        storeStatistics.watchers = UInt64(watchers.count)
    }

    private(set) var startingMembers = 0

    /// Knows its members, and changes none.
    func change(_ change: MemberChange, answer: @escaping (MemberChangeResult) -> Void) {
        if case .add(_, true) = change { startingMembers += 1 }
        switch change {
        case .add(let urls, _) where members.contains(where: { !Set($0.peerURLs).isDisjoint(with: urls) }): answer(.urlExists)
        case .add: answer(.refused("etcdserver: this version does not support member changes"))
        case .remove(let id), .update(let id, _):
            guard let member = members.first(where: { $0.id == id }) else { return answer(.unknown) }
            if case .update(_, member.peerURLs) = change { return answer(.done(nil)) }
            answer(.refused("etcdserver: this version does not support member changes"))
        }
    }

    private(set) var access = AccessState() { didSet { accessVersion += 1 } }
    private(set) var accessVersion: UInt64 = 0
    var isAccessEnabled: Bool { access.isEnabled }
    var onAccessChange: (() -> Void)?

    func changeAccess(_ command: AccessCommand, client: [UInt8], answer: @escaping (AccessChangeResult) -> Void) {
        clients.append(client)
        switch access.apply(command) {
        case .success(let outcome):
            onAccessChange?()
            answer(.done(outcome))
        case .failure(let refusal): answer(.refused(refusal))
        }
    }

    var followers: [FollowerRecord]? { leader == status.memberID ? [] : nil }
    var appendCounts: (received: UInt64, sent: UInt64) { (0, 0) }

    func stop() {
        for watcher in watchers.values { watcher.sink.ended() }
        watchers = [:]
    }

    @discardableResult
    func backup(answer: @escaping (Result<BackupCopy, Unavailable>) -> Void) -> RequestToken {
        answer(backupResult)
        return .answered
    }
}

/// How many files of listings are not needed any more.
final class Released: Sendable {
    let count = Atomic<Int>(0)
}
