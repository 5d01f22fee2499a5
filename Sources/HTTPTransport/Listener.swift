import NIOCore
import NIOPosix

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// Accepts client connections on any number of addresses and keeps watch over them.
///
/// Everything is on one loop: sockets, parsing, and the responder. One task a second checks the deadlines of all
/// connections, so that a connection has no timer of its own. Confined to `loop`, but for `init`.
package final class Listener {
    package enum Address: Sendable, Equatable {
        case tcp(host: String, port: Int)
        case unix(path: String)
    }

    package let loop: any EventLoop
    package let limits: HTTPServerLimits
    /// Requests handed to the responder, ever.
    package internal(set) var requestsTotal: UInt64 = 0
    /// Connections closed at once because there were too many.
    package private(set) var refusedConnectionsTotal: UInt64 = 0
    package var connectionCount: Int { connections.count + shared.count }
    /// Shares the port with HTTP; nil: HTTP alone, and no connection is looked at first. Counts for connections to come.
    package var secondProtocol: SecondProtocol?

    let responder: any HTTPResponder
    /// Seconds since this listener was made, as of the last check. The present one has begun already: a limit is over when this is larger than
    /// the second it began in plus its length, so that nobody has less time than was promised.
    private(set) var second = 0
    private(set) var isDraining = false
    private(set) var dateLine = ByteBuffer()
    let endOfStream = ByteBuffer(string: "0\r\n\r\n")
    var scratch: ByteBuffer

    private let start = NIODeadline.now()
    private var connections: [HTTPConnection] = []
    /// On a port of two protocols: connections that wait for their first bytes, and those of the second protocol.
    private var shared: [FirstBytes] = []
    private var channels: [any Channel] = []
    private var timer: RepeatedTask?
    private let sender = StreamSender()
    /// Streams with a chunk that leaves at the end of the loop's turn.
    private var sending: [HTTPConnection] = []

    /// Above this the scratch buffer is given back instead of kept.
    private static let scratchBytesMax = 64 << 10

    package init(responder: any HTTPResponder, limits: HTTPServerLimits, loop: any EventLoop) {
        self.responder = responder
        self.limits = limits
        self.loop = loop
        scratch = ByteBufferAllocator().buffer(capacity: 2048)
    }

    /// Starts to accept; the future fails with the `IOError` of the system when the address cannot be had.
    ///
    /// - Returns: The address bound, with the port that was chosen for port 0; nil for a unix socket.
    package func bind(_ address: Address) -> EventLoopFuture<Int?> {
        loop.preconditionInEventLoop()
        if timer == nil { startTimer() }
        let listener = NIOLoopBound(self, eventLoop: loop)
        var bootstrap = ServerBootstrap(group: loop, childGroup: loop)
            .serverChannelOption(.backlog, value: 4096)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .serverChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(AcceptPause())
                }
            }
            .childChannelOption(.allowRemoteHalfClosure, value: true)
            .childChannelOption(.writeBufferWaterMark, value: .init(low: 64 << 10, high: limits.unsentStreamBytesMax))
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture { try listener.value.adopt(channel) }
            }
        let bound: EventLoopFuture<any Channel>
        switch address {
        case .tcp(let host, let port):
            bootstrap = bootstrap.childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
            bound = bootstrap.bind(host: host, port: port)
        case .unix(let path):
            bound = bootstrap.bind(unixDomainSocketPath: path, cleanupExistingSocketFile: true)
        }
        return bound.map { channel in
            listener.value.channels.append(channel)
            return channel.localAddress?.port
        }
    }

    /// Gives a fresh connection its protocol.
    private func adopt(_ channel: any Channel) throws {
        guard connectionCount < limits.connectionsMax, !isDraining else {
            refusedConnectionsTotal &+= 1
            throw ChannelError.operationUnsupported
        }
        guard let secondProtocol else { return try addHTTP(to: channel, behind: nil) }
        let handler = FirstBytes(listener: self, second: secondProtocol)
        handler.position = shared.count
        shared.append(handler)
        do {
            try channel.pipeline.syncOperations.addHandler(handler)
        } catch {
            remove(handler)
            throw error
        }
    }

    func addHTTP(to channel: any Channel, behind handler: FirstBytes?) throws {
        let connection = HTTPConnection(listener: self)
        connection.position = connections.count
        connections.append(connection)
        do {
            let pipeline = channel.pipeline.syncOperations
            if let handler {
                try pipeline.addHandler(connection, position: .after(handler))
            } else {
                try pipeline.addHandler(connection)
            }
        } catch {
            remove(connection)
            throw error
        }
    }

    func remove(_ connection: HTTPConnection) {
        let position = connection.position
        guard connections.indices.contains(position), connections[position] === connection,
            let last = connections.popLast()
        else { return }
        if last !== connection {
            last.position = position
            connections[position] = last
        }
    }

    /// Sends what the connection holds at the end of the loop's turn, with all others that hold something.
    func sendSoon(_ connection: HTTPConnection) {
        sending.append(connection)
        guard sending.count == 1 else { return }
        let listener = NIOLoopBound(self, eventLoop: loop)
        loop.execute { listener.value.sendHeldChunks() }
    }

    private func sendHeldChunks() {
        var connections: [HTTPConnection] = []
        swap(&connections, &sending)
        var senders: [HTTPConnection] = []
        var pieces: [StreamSender.Piece] = []
        for connection in connections {
            guard let piece = connection.takeHeldChunk() else { continue }
            senders.append(connection)
            pieces.append(piece)
        }
        for (place, sent) in sender.send(pieces).enumerated() { senders[place].heldChunkWasSent(pieces[place], sent: sent) }
    }

    func remove(_ handler: FirstBytes) {
        let position = handler.position
        guard shared.indices.contains(position), shared[position] === handler, let last = shared.popLast()
        else { return }
        if last !== handler {
            last.position = position
            shared[position] = last
        }
    }

    /// Accepts no more, closes idle connections now and others after their answer.
    package func drain() {
        isDraining = true
        for channel in channels { channel.close(promise: nil) }
        channels = []
        for connection in connections { connection.drain() }
        for connection in shared { connection.drain() }
    }

    /// Closes everything at once.
    package func close() {
        drain()
        timer?.cancel()
        timer = nil
        sender.stop()
        for connection in connections { connection.close() }
        for connection in shared { connection.close() }
    }

    func resetScratch() {
        if scratch.capacity > Self.scratchBytesMax { scratch = ByteBufferAllocator().buffer(capacity: 2048) }
        scratch.clear(minimumCapacity: 1024)
    }

    private func startTimer() {
        refreshDate()
        let listener = NIOLoopBound(self, eventLoop: loop)
        timer = loop.scheduleRepeatedTask(initialDelay: .seconds(1), delay: .seconds(1)) { _ in
            listener.value.tick()
        }
    }

    private func tick() {
        second = Int((NIODeadline.now() - start).nanoseconds / 1_000_000_000)
        refreshDate()
        // A connection that is closed here leaves the list at once: another takes its place, and is seen in a second.
        for connection in connections { connection.checkDeadline() }
        for connection in shared { connection.checkDeadline() }
    }

    private func refreshDate() {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        dateLine = ByteBuffer(string: "Date: \(CivilTime(unixSeconds: Int64(time.tv_sec)).httpDate)\r\n")
    }
}

/// Waits a second before accepting again when the system has run out of something (file descriptors, mostly): the
/// socket stays readable, and trying at once would burn the loop.
///
/// Holding back `read` would not do: NIO asks for the next one only after a connection was accepted, and goes on trying by itself until then.
private final class AcceptPause: ChannelInboundHandler {
    typealias InboundIn = any Channel

    private var isPaused = false

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        if !isPaused, error is IOError { pause(context) }
        context.fireErrorCaught(error)
    }

    private func pause(_ context: ChannelHandlerContext) {
        isPaused = true
        setAccepting(false, context.channel)
        let bound = NIOLoopBound((self, context.channel), eventLoop: context.eventLoop)
        context.eventLoop.scheduleTask(in: .seconds(1)) {
            let (pause, channel) = bound.value
            pause.isPaused = false
            pause.setAccepting(true, channel)
        }
    }

    private func setAccepting(_ isAccepting: Bool, _ channel: any Channel) {
        // Fails when the channel is closed, and then there is nothing to accept.
        try? channel.syncOptions?.setOption(.autoRead, value: isAccepting)
    }
}
