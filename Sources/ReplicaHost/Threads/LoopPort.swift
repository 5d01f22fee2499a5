import Keyspace
import NIOCore
import Raft
import Replica
import Storage
import Synchronization
import Wire

/// What the threads tell the loop.
enum LoopMessage: Sendable {
    /// The last of `requests` persist requests that shared a commit.
    case persisted(PersistTicket, requests: Int, bytes: Int)
    case applied(AppliedBatch)
    case read(number: UInt64, ReadResult)
    case watch(WatchToken, TreePath, EntryApplier.Past, index: UInt64)
    case treeDurable(Index)
    /// Entries up to here are gone from the log.
    case logWasCut(LogPosition)
    /// A disk is full, or no longer.
    case diskFull(DiskFullSource, Bool)
    case commitTook(nanoseconds: UInt64, isLog: Bool)
    case flushed
    /// A snapshot has taken the place of log and tree.
    case installed(InstalledTree)
}

/// What the loop must know of a tree that came as a snapshot.
struct InstalledTree: Sendable {
    var position: LogPosition
    /// Nanoseconds since 1970 UTC.
    var newestTime: Int64
    var keysIndex: UInt64
    var earliestExpiration: Int64?
    var members: [Member]
    var clusterVersion: String
}

enum DiskFullSource: Sendable { case log, tree }

/// Results of one burst of the apply thread, in order.
struct AppliedBatch: Sendable {
    var upTo: LogPosition
    /// Of the newest entry; nanoseconds since 1970 UTC.
    var newestTime: Int64
    var keysIndex: UInt64
    /// `operation` is nil for entries that are not changes of keys.
    var results: [(request: UInt64, operation: Command.Operation?, outcome: AppliedOutcome)]
    var earliestExpiration: Int64?
    /// All members, when one of the entries changed them.
    var members: [Member]?
}

/// Carries messages from the threads to the replica's loop: in order, and with one wake-up a burst.
///
/// What may wait is bounded by what the loop has asked for: what is applied by what it handed on (`Line`), and large readings
/// by the apply thread, which looks at `bytesWaiting` before it makes another.
final class LoopPort: Sendable {
    private let waiting = Mutex<(messages: [LoopMessage], bytes: Int)>(([], 0))
    private let loop: any EventLoop
    private let deliver: @Sendable ([LoopMessage]) -> Void

    /// `deliver` is called on the loop.
    init(loop: any EventLoop, deliver: @escaping @Sendable ([LoopMessage]) -> Void) {
        self.loop = loop
        self.deliver = deliver
    }

    /// Of messages that were posted with their size.
    var bytesWaiting: Int { waiting.withLock { $0.bytes } }

    func post(_ messages: [LoopMessage], bytes: Int = 0) {
        guard !messages.isEmpty else { return }
        let isFirst = waiting.withLock { waiting in
            let isFirst = waiting.messages.isEmpty
            waiting.messages.append(contentsOf: messages)
            waiting.bytes += bytes
            return isFirst
        }
        if isFirst { loop.execute { self.flush() } }
    }

    private func flush() {
        let messages = waiting.withLock { waiting in
            var taken: [LoopMessage] = []
            swap(&taken, &waiting.messages)
            waiting.bytes = 0
            return taken
        }
        deliver(messages)
    }
}
