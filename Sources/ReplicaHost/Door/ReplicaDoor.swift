import Access
import Keyspace
import NIOCore

/// What a door (the client API, the peer port) may ask of the replica.
///
/// Confined to the replica's event loop: every call is made on it, and every answer comes on it, either before the
/// call returns or later, exactly once.
package protocol ReplicaDoor: AnyObject {
    var status: ReplicaStatus { get }

    /// Puts a change into the log and answers when it is applied here.
    ///
    /// - Parameter client: The client's address as text bytes, kept in the log entry.
    /// - Returns: What `withdraw` takes.
    @discardableResult
    func propose(_ command: Command, client: [UInt8], answer: @escaping (ProposalResult) -> Void) -> RequestToken

    /// What the loop already knows about `path` without asking another thread, at index `status.keysIndex`; nil when
    /// it must be `read`.
    func cached(_ path: TreePath, recursive: Bool) -> CachedReading?

    /// Reads from the tree; with `quorum` only after a majority has confirmed that nothing newer is committed.
    ///
    /// - Parameter encoder: makes a listing that is too large to be made at once. Whoever gives none wants a file: to them such a directory
    ///   is none.
    @discardableResult
    func read(
        _ path: TreePath, recursive: Bool, quorum: Bool, encoder: (any ListingEncoding)?, answer: @escaping (ReadResult) -> Void
    ) -> RequestToken

    /// Whoever asked is gone: there will be no answer. A change that is not in the log yet, and was not given to another member, is not
    /// made; any other may still happen, as with every request whose client leaves. Nothing happens when it was answered already.
    func withdraw(_ token: RequestToken)

    /// Keeps an encoded listing for `cached` until something below `path` changes.
    ///
    /// Call it only inside the `answer` of the `read` it was made from, and only for listings in which nothing has a
    /// TTL: a shown TTL changes by itself.
    func keep(_ body: ByteBuffer, path: TreePath, recursive: Bool)

    /// Registers a watcher. The sink gets `started`, `cleared` or `unavailable` first, then events.
    ///
    /// - Parameter since: The `waitIndex`; zero when not given.
    /// - Returns: What `cancel` takes. A watcher that is done (one-shot after its event, cleared) needs no cancel.
    func watch(
        _ path: TreePath, recursive: Bool, isStream: Bool, since: UInt64, sink: any WatchSink
    ) -> WatchToken

    /// Forgets the watcher; nothing happens when it is gone already.
    func cancel(_ token: WatchToken)

    /// All members of the cluster, ordered by id.
    var members: [MemberRecord] { get }

    /// Changes who is a member, and answers when the change is applied here (cluster.md §5, §6).
    func change(_ change: MemberChange, answer: @escaping (MemberChangeResult) -> Void)

    /// What is known of the connections with the others; nil while this member does not lead.
    var followers: [FollowerRecord]? { get }
    var appendCounts: (received: UInt64, sent: UInt64) { get }
    /// Users, roles, and whether they count, as applied here.
    var access: AccessState { get }
    /// Another one whenever `access` has changed.
    var accessVersion: UInt64 { get }
    /// The same as `access.isEnabled`; every request asks.
    var isAccessEnabled: Bool { get }
    /// Called after `access` has changed, on the loop; nobody else is told.
    var onAccessChange: (() -> Void)? { get set }

    /// Changes users or roles, and answers when the change is applied here (v2-keys.md §16).
    ///
    /// - Parameter client: who asks, as `Requester` writes it.
    func changeAccess(_ command: AccessCommand, client: [UInt8], answer: @escaping (AccessChangeResult) -> Void)

    var storeStatistics: StoreStatistics { get }
    var counters: ReplicaCounters { get }
    /// The other members, ordered by id.
    var peers: [PeerRecord] { get }

    /// Makes a hot backup: a finished and verified copy in a file of its own, for the caller to stream. The caller
    /// calls `done` of the copy when it needs the file no more, whatever happened: the next one is made then. A few may wait for
    /// their turn; more are refused as overload. `withdraw` ends one that is being made.
    @discardableResult
    func backup(answer: @escaping (Result<BackupCopy, Unavailable>) -> Void) -> RequestToken
}

extension ReplicaDoor {
    @discardableResult
    package func read(_ path: TreePath, recursive: Bool, quorum: Bool, answer: @escaping (ReadResult) -> Void) -> RequestToken {
        read(path, recursive: recursive, quorum: quorum, encoder: nil, answer: answer)
    }
}

/// True now, maybe not later; never written to the log. Clients see error 300 with a text of its own (v2-keys.md §6).
package enum Unavailable: Error, Equatable, Sendable {
    case timedOut
    /// The leader was lost while the request waited; it may still happen.
    case timedOutLeaderLost
    /// The connection to the leader was lost while the request waited; it may still happen.
    case timedOutConnectionLost
    /// No leader was known at all.
    case noLeader
    case stopped
    case diskFull
    /// More waits than the replica is willing to hold.
    case overloaded
}

package enum ProposalResult: Sendable {
    case applied(Event)
    /// With the v2 index at which the tree refused.
    case refused(Refusal, index: UInt64)
    /// The right to it was taken before its turn came.
    case denied
    case unavailable(Unavailable)
}

package enum AccessChangeResult: Sendable {
    case done(AccessOutcome)
    case refused(AccessRefusal)
    /// The right to it was taken before its turn came.
    case denied
    /// With the reason for people: a member that would not understand it is still in the cluster.
    case notYet(String)
    case unavailable(Unavailable)
}

/// An answer the loop can give by itself.
package enum CachedReading: Sendable {
    case file(TreeNode)
    /// A whole answer body, as it was given to `keep`.
    case listing(ByteBuffer)
    case refused(Refusal)
}

package struct ReadResult: Sendable {
    package enum Outcome: Sendable {
        case found(Reading)
        /// A large listing, encoded.
        case listed(ListingFile)
        case refused(Refusal)
        case unavailable(Unavailable)
    }

    package var outcome: Outcome
    /// The v2 index the tree had when it was read; zero when it was not.
    package var index: UInt64

    package init(_ outcome: Outcome, index: UInt64) {
        self.outcome = outcome
        self.index = index
    }
}

/// Names what was proposed, is read or copied, until it is answered.
package enum RequestToken: Hashable, Sendable {
    /// It was, before the call returned.
    case answered
    case proposal(UInt64)
    case read(UInt64)
    case backup(UInt64)
}

/// Names a registered watcher.
package struct WatchToken: Hashable, Sendable {
    package let number: UInt64

    package init(_ number: UInt64) { self.number = number }
}

/// Who gets the events of one watcher; called on the replica's loop only.
///
/// A one-shot watch gets one `push` and is forgotten by the hub; so does a stream whose first event was found in the
/// history (v2-keys.md §13, The past).
package protocol WatchSink: AnyObject {
    /// Registered, or found in the history; `index` is the v2 index at that moment.
    func started(index: UInt64)
    /// The history no longer reaches back to the `waitIndex`; the end of this watch.
    func cleared(oldest: UInt64, index: UInt64)
    /// One event; `twice` when a stream must get it two times (v2-keys.md §13, Streams). One-shot watches ignore it.
    func push(_ event: SharedEvent, twice: Bool)
    /// The last `push` of a burst is done: time to flush.
    func flushEvents()
    /// The server stops; the end of this watch.
    func ended()
    /// The watch could not be started (a failed look into the history, say); the end of this watch.
    func unavailable(_ reason: Unavailable)
}

/// An event on its way to any number of watchers, encoded by the first that needs it. Confined to the replica's loop.
package final class SharedEvent {
    package let event: Event
    /// What the client API made of it; nobody else looks inside.
    package var encoded: ByteBuffer?

    package init(_ event: Event) { self.event = event }
}

/// A finished hot backup in a file.
package struct BackupCopy {
    package let path: String
    /// Size of the file in bytes.
    package let size: UInt64
    /// The state hash inside, as it is shown to people.
    package let stateHash: String
    /// Removes the file; call it once, on the replica's loop.
    package let done: () -> Void

    package init(path: String, size: UInt64, stateHash: String, done: @escaping () -> Void) {
        self.path = path
        self.size = size
        self.stateHash = stateHash
        self.done = done
    }
}
