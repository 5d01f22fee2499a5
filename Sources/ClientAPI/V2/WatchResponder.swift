import HTTPTransport
import Keyspace
import NIOCore
import ReplicaHost

/// One watch on its connection (v2-keys.md §13): headers at once, then events as lines, each a chunk of its own.
///
/// Encoded once for all watchers of an event, chunk framing included; what a slow client leaves unread is bounded by
/// the transport, which then closes the connection.
final class WatchResponder: WatchSink {
    private let exchange: HTTPExchange
    private let replica: any ReplicaDoor
    private let isStream: Bool
    private let waitIndex: UInt64
    private let clusterID: ClusterIDField
    private let watches: WatchGuard
    private let right: WatchRight
    private var token: WatchToken?
    private var isStarted = false

    init(
        _ exchange: HTTPExchange, replica: any ReplicaDoor, isStream: Bool, waitIndex: UInt64,
        clusterID: ClusterIDField, guardedBy watches: WatchGuard, _ right: WatchRight
    ) {
        self.exchange = exchange
        self.replica = replica
        self.isStream = isStream
        self.waitIndex = waitIndex
        self.clusterID = clusterID
        self.watches = watches
        self.right = right
    }

    func start(_ path: TreePath, recursive: Bool) {
        exchange.onClose { [self] in cancel() }
        watches.add(self, right)
        let token = replica.watch(path, recursive: recursive, isStream: isStream, since: waitIndex, sink: self)
        if exchange.isOpen { self.token = token }
    }

    private func cancel() {
        watches.remove(self)
        if let token { replica.cancel(token) }
    }

    /// The right to watch this was taken.
    func revoke() {
        cancel()
        if isStarted { exchange.endStream() } else { refuse(.unauthorized) }
    }

    func started(index: UInt64) {
        isStarted = true
        let status = replica.status
        exchange.startStream(.ok, .json) { fields in fields.writeKeysFields(index: index, status, clusterID) }
        exchange.flush()
    }

    func cleared(oldest: UInt64, index: UInt64) {
        refuse(.cleared(oldest: oldest, waitIndex: waitIndex, index: index))
    }

    func push(_ event: SharedEvent, twice: Bool) {
        let chunk = StreamChunk(framed: event.encoded ?? Self.encode(event))
        guard isStream else {
            watches.remove(self)
            exchange.push(chunk)
            return exchange.endStream()
        }
        if exchange.push(chunk), twice { exchange.push(chunk) }
    }

    func flushEvents() { exchange.flush() }

    /// A client may see headers and no event (v2-keys.md §13, The answer).
    func ended() {
        watches.remove(self)
        if isStarted { exchange.endStream() } else { refuse(V2Error(.stopped)) }
    }

    func unavailable(_ reason: Unavailable) {
        watches.remove(self)
        if isStarted { exchange.endStream() } else { refuse(V2Error(reason)) }
    }

    private static func encode(_ event: SharedEvent) -> ByteBuffer {
        let allocator = ByteBufferAllocator()
        var line = allocator.buffer(capacity: 256)
        line.writeEvent(event.event)
        let framed = StreamChunk(line, allocator: allocator).framed
        event.encoded = framed
        return framed
    }

    private func refuse(_ error: V2Error) {
        watches.remove(self)
        var body = ByteBuffer()
        error.write(into: &body)
        exchange.respond(error, body: body, clusterID.line(replica.status.clusterID))
    }
}
