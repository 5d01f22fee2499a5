import Access
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
    /// Too many look into the past.
    case watchRefused(WatchToken, TreePath)
    /// About so many nodes expire up to there.
    case expirySlice(Int64)
    case treeDurable(Index, isAtRest: Bool = false)
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
    var access: AccessState
}

enum DiskFullSource: Sendable { case log, tree }

/// Results of one burst of the apply thread, in order.
struct AppliedBatch: Sendable {
    var upTo: LogPosition
    /// Of the newest entry; nanoseconds since 1970 UTC.
    var newestTime: Int64
    var keysIndex: UInt64
    /// What applying all of it took.
    var nanoseconds: UInt64
    /// `operation` is nil for entries that are not changes of keys.
    var results: [(request: UInt64, operation: Command.Operation?, outcome: AppliedOutcome)]
    var earliestExpiration: Int64?
    /// All members, when one of the entries changed them.
    var members: [Member]?
    /// Users and roles, when one of the entries changed them.
    var access: AccessState?
}

extension LoopMessage {
    /// How much work it makes, roughly in changes of keys.
    var weight: Int {
        guard case .applied(let batch) = self else { return 1 }
        return batch.results.reduce(1) { sum, result in
            if case .expired(let events) = result.outcome { sum + events.count } else { sum + 1 }
        }
    }
}

/// Carries messages from the threads to the replica's loop: in order, and with one wake-up a burst. A long burst comes in several turns of the
/// loop, so that sockets and timers have theirs.
///
/// What may wait is bounded by what the loop has asked for: what is applied by what it handed on (`Line`), and large readings
/// by the apply thread, which looks at `bytesWaiting` before it makes another.
final class LoopPort: Sendable {
    private struct Waiting {
        var messages: [LoopMessage] = []
        /// Of those that were posted with their size.
        var bytes = 0
    }

    private let waiting = Mutex(Waiting())
    private let loop: any EventLoop
    private let deliver: @Sendable ([LoopMessage]) -> Void

    /// `deliver` is called on the loop.
    init(loop: any EventLoop, deliver: @escaping @Sendable ([LoopMessage]) -> Void) {
        self.loop = loop
        self.deliver = deliver
    }

    var bytesWaiting: Int { waiting.withLock { $0.bytes } }

    func post(_ messages: [LoopMessage], bytes: Int = 0) {
        guard !messages.isEmpty else { return }
        let isFirst = waiting.withLock { waiting in
            let isFirst = waiting.messages.isEmpty
            waiting.messages.append(contentsOf: messages)
            waiting.bytes += bytes
            return isFirst
        }
        if isFirst { loop.execute { self.deliverSome() } }
    }

    /// What is delivered stays in `waiting` until it is: whoever posts meanwhile need not wake the loop.
    private func deliverSome() {
        let some = waiting.withLock { waiting in
            var room = LoopPort.weightInATurn
            let rest = waiting.messages.firstIndex { message in
                room -= message.weight
                return room < 0
            }
            return Array(waiting.messages[..<max(1, rest ?? waiting.messages.count)])
        }
        deliver(some)
        let isMore = waiting.withLock { waiting in
            waiting.messages.removeFirst(some.count)
            if waiting.messages.isEmpty { waiting.bytes = 0 }
            return !waiting.messages.isEmpty
        }
        if isMore { loop.execute { self.deliverSome() } }
    }

    /// A few milliseconds.
    private static let weightInATurn = 2000
}
