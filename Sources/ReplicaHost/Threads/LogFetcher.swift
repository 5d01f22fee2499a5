import NIOCore
import Raft
import Replica
import Storage
import Wire

/// The fetch thread: reads from the log what a peer needs and is no longer in memory, beside the log thread. The machine asks for one message
/// for each member at a time.
///
/// `@unchecked Sendable`: confined to its thread, but for `inbox`.
final class LogFetcher: @unchecked Sendable {
    private enum Item: Sendable {
        case read(Message)
        case stop
    }

    private let inbox = Inbox<Item>()
    private let log: String
    private let loop: any EventLoop
    private let deliver: @Sendable (Message, [EntryPayload]?) -> Void
    private let fail: @Sendable (StorageError) -> Never

    /// `deliver` is called on the loop, once for each message, with what there is of its payloads.
    init(
        log: String, loop: any EventLoop, fail: @escaping @Sendable (StorageError) -> Never,
        deliver: @escaping @Sendable (Message, [EntryPayload]?) -> Void
    ) {
        self.log = log
        self.loop = loop
        self.fail = fail
        self.deliver = deliver
    }

    // MARK: On the loop

    func fetch(_ message: Message) { inbox.submit(.read(message)) }

    func stop() { inbox.submit(.stop) }

    // MARK: On the thread

    func run() {
        var reader: LogReader?
        while true {
            for item in inbox.takeAll() {
                switch item {
                case .stop:
                    reader?.close()
                    return
                case .read(let message):
                    var payloads: [EntryPayload]?
                    do throws(StorageError) {
                        if let old = reader, old.isOutdated {
                            old.close()
                            reader = nil
                        }
                        if reader == nil { reader = try LogReader(log) }
                        if let reader { payloads = try read(message, reader) }
                    } catch {
                        // Anything else than damage: the peer will be asked again where it is.
                        if case .damaged = error { fail(error) }
                    }
                    let found = payloads
                    loop.execute { self.deliver(message, found) }
                }
            }
        }
    }

    private func read(_ message: Message, _ reader: LogReader) throws(StorageError) -> [EntryPayload]? {
        guard case .append(_, let entries, _) = message.body else { return nil }
        return try reader.payloads(of: entries[...], bytes: ReplicaSettings().messageBytesMax)
    }
}
