import NIOCore
import Raft
import Replica
import Storage
import Wire

/// The fetch thread: reads from the log what a peer needs and is no longer in memory, beside the log thread.
///
/// `@unchecked Sendable`: confined to its thread, but for `inbox`, and `busy`, which is the loop's.
final class LogFetcher: @unchecked Sendable {
    private enum Item: Sendable {
        case read(Message)
        /// Goes behind what is being read for the same member: it follows it.
        case pass(PeerMessage)
        case stop
    }

    private let inbox = Inbox<Item>()
    private let log: String
    private let loop: any EventLoop
    private let deliver: @Sendable ([PeerMessage]) -> Void
    private let fail: @Sendable (StorageError) -> Never
    /// Items on their way for each member.
    private var busy: [MemberID: Int] = [:]

    private static let bytesMax = 1 << 20

    /// `deliver` is called on the loop.
    init(
        log: String, loop: any EventLoop, fail: @escaping @Sendable (StorageError) -> Never,
        deliver: @escaping @Sendable ([PeerMessage]) -> Void
    ) {
        self.log = log
        self.loop = loop
        self.fail = fail
        self.deliver = deliver
    }

    // MARK: On the loop

    func fetch(_ message: Message) {
        busy[message.to, default: 0] += 1
        inbox.submit(.read(message))
    }

    /// False when nothing is being read for the member: it may leave at once.
    func takes(_ message: PeerMessage) -> Bool {
        guard !busy.isEmpty, busy[message.to] != nil, case .raft(let raft, _) = message, case .append = raft.body else { return false }
        busy[message.to, default: 0] += 1
        inbox.submit(.pass(message))
        return true
    }

    func stop() { inbox.submit(.stop) }

    private func done(_ member: MemberID, _ messages: [PeerMessage]) {
        if let count = busy[member] { busy[member] = count > 1 ? count - 1 : nil }
        deliver(messages)
    }

    // MARK: On the thread

    func run() {
        var reader: LogReader?
        while true {
            for item in inbox.takeAll() {
                switch item {
                case .stop:
                    reader?.close()
                    return
                case .pass(let message): loop.execute { self.done(message.to, [message]) }
                case .read(let message):
                    do throws(StorageError) {
                        if let old = reader, old.isOutdated {
                            old.close()
                            reader = nil
                        }
                        if reader == nil { reader = try LogReader(log) }
                        if let reader { try read(message, reader) }
                    } catch {
                        if case .damaged = error { fail(error) }
                        // The peer will be asked again where it is.
                        loop.execute { self.done(message.to, []) }
                    }
                }
            }
        }
    }

    private func read(_ message: Message, _ reader: LogReader) throws(StorageError) {
        var rest: Message? = message
        while let next = rest, case .append(_, let entries, _) = next.body {
            guard let payloads = try reader.payloads(of: entries[...], bytes: Self.bytesMax) else { break }
            let pieces = AppendPieces.split(next, payloads, bytesMax: Self.bytesMax)
            rest = AppendPieces.rest(of: next, after: payloads.count)
            if rest != nil { loop.execute { self.deliver(pieces) } } else { return loop.execute { self.done(message.to, pieces) } }
        }
        loop.execute { self.done(message.to, []) }
    }
}
