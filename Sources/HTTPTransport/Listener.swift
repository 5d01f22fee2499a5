import NIOCore
import NIOPosix
import TLS

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
    /// Connections closed because too much was held and theirs would have been held longest.
    package private(set) var relievedConnectionsTotal: UInt64 = 0
    /// Bytes that the connections hold for their clients: requests that arrive, answers that were not taken.
    package var heldBytes: Int { bytesOfConnections + bodies.bytes }
    /// Hears when connections begin to be refused, and again at most once in ten minutes.
    package var crowded: (() -> Void)?
    /// Hears why an encrypted connection was not let in, and from where; at most once a second, with how many others there were since.
    package var rejected: ((_ address: String, _ reason: String, _ others: Int) -> Void)?
    package var connectionCount: Int { connections.count + shared.count + handshakes.unfinished.count }
    package var unfinishedHandshakes: Int { handshakes.unfinished.count }
    /// Encrypted connections that were not let in, ever.
    package var rejectedHandshakesTotal: UInt64 { handshakes.rejectedTotal }
    var isOverfull: Bool { heldBytes > limits.heldBytesMax }
    /// Shares the port with HTTP; nil: HTTP alone, and no connection is looked at first. Counts for connections to come.
    package var secondProtocol: SecondProtocol?

    let responder: any HTTPResponder
    /// Seconds since this listener was made, as of the last check. The present one has begun already: a limit is over when this is larger than
    /// the second it began in plus its length, so that nobody has less time than was promised.
    private(set) var second = 0
    private(set) var isDraining = false
    private(set) var dateLine = ByteBuffer()
    /// What connections hold by themselves, and large bodies of which several may hold the same.
    var bytesOfConnections = 0
    var bodies = HeldBodies()
    var largeBodies: LargeBodies
    let endOfStream = ByteBuffer(string: "0\r\n\r\n")
    var scratch: ByteBuffer

    private let start = NIODeadline.now()
    private var connections = ConnectionList<HTTPConnection>()
    /// On a port of two protocols: connections that wait for their first bytes, and those of the second protocol.
    private var shared = ConnectionList<FirstBytes>()
    private var handshakes = Handshakes<ProtocolChoice>()
    let names: NameQuestions
    private var channels: [any Channel] = []
    private var timer: RepeatedTask?
    private let sender = StreamSender()
    /// Streams with a chunk that leaves at the end of the loop's turn.
    private var sending: [HTTPConnection] = []
    private var crowdedAt: Int?

    private static let crowdedSeconds = 600
    /// Above this the scratch buffer is given back instead of kept.
    private static let scratchBytesMax = 64 << 10

    package init(responder: any HTTPResponder, limits: HTTPServerLimits, loop: any EventLoop) {
        self.responder = responder
        self.limits = limits
        self.loop = loop
        names = NameQuestions(loop: loop)
        largeBodies = LargeBodies(bytesMax: limits.largeBodiesBytesMax)
        scratch = ByteBufferAllocator().buffer(capacity: 2048)
    }

    /// Starts to accept; the future fails with the `IOError` of the system when the address cannot be had.
    ///
    /// - Returns: The address bound, with the port that was chosen for port 0; nil for a unix socket.
    package func bind(_ address: Address, _ security: PortSecurity = .clear) -> EventLoopFuture<Int?> {
        loop.preconditionInEventLoop()
        if timer == nil { startTimer() }
        let listener = NIOLoopBound(self, eventLoop: loop)
        return bound(to: address, security).map { channel in
            listener.value.channels.append(channel)
            return channel.localAddress?.port
        }
    }

    /// Gives a fresh connection its protocol, after a handshake if there has to be one.
    func adopt(_ channel: any Channel, _ security: PortSecurity) throws {
        guard !isDraining, connectionCount < limits.connectionsMax || makeRoom() else {
            refuse()
            throw ChannelError.operationUnsupported
        }
        switch security {
        case .clear: try begin(channel, encryption: nil, behind: nil)
        case .encrypted(let policy): try begin(channel, with: ProtocolChoice(listener: self, policy: policy, takesClear: false))
        case .both(let policy): try begin(channel, with: ProtocolChoice(listener: self, policy: policy, takesClear: true))
        }
    }

    private func begin(_ channel: any Channel, with choice: ProtocolChoice) throws {
        if let oldest = handshakes.excess(over: limits.handshakesMax) {
            // One that has only just come, as others have in this turn, would be there until the next and be found once more.
            remove(oldest)
            oldest.close()
        }
        handshakes.unfinished.add(choice)
        do {
            try channel.pipeline.syncOperations.addHandler(choice)
        } catch {
            remove(choice)
            throw error
        }
    }

    /// - Parameter handler: the new ones are put behind it; nil: they are the first ones.
    func begin(_ channel: any Channel, encryption: Encryption?, behind before: (any ChannelHandler)?) throws {
        guard let secondProtocol else { return try addHTTP(to: channel, encryption: encryption, behind: before) }
        let handler = FirstBytes(listener: self, second: secondProtocol, encryption: encryption)
        shared.add(handler)
        do {
            try add(handler, to: channel, behind: before)
        } catch {
            remove(handler)
            throw error
        }
    }

    func addHTTP(to channel: any Channel, encryption: Encryption?, behind handler: (any ChannelHandler)?) throws {
        let connection = HTTPConnection(listener: self)
        connections.add(connection)
        do {
            if let encryption {
                let writer = SealedWriter()
                try add(writer, to: channel, behind: handler)
                connection.encrypt(encryption, writer)
                try add(connection, to: channel, behind: writer)
            } else {
                try add(connection, to: channel, behind: handler)
            }
        } catch {
            remove(connection)
            throw error
        }
    }

    private func add(_ handler: any ChannelHandler, to channel: any Channel, behind before: (any ChannelHandler)?) throws {
        let pipeline = channel.pipeline.syncOperations
        if let before {
            try pipeline.addHandler(handler, position: .after(before))
        } else {
            try pipeline.addHandler(handler)
        }
    }

    /// An encrypted connection is not let in.
    func tellRejected(_ address: SocketAddress?, _ reason: String) {
        guard let others = handshakes.noteRejected(second: second) else { return }
        rejected?(String(decoding: HTTPConnection.text(address), as: UTF8.self), reason, others)
    }

    func remove(_ choice: ProtocolChoice) { handshakes.unfinished.remove(choice) }

    func remove(_ handler: FirstBytes) { shared.remove(handler) }

    func remove(_ connection: HTTPConnection) { connections.remove(connection) }

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

    /// Accepts no more, closes idle connections now and others after their answer.
    package func drain() {
        isDraining = true
        for channel in channels {
            // The file of a socket stays when the socket is closed.
            if case .unixDomainSocket = channel.localAddress, let path = channel.localAddress?.pathname { unlink(path) }
            channel.close(promise: nil)
        }
        channels = []
        for connection in connections.all { connection.drain() }
        for connection in shared.all { connection.drain() }
        for choice in handshakes.unfinished.all { choice.close() }
    }

    /// Closes everything at once.
    package func close() {
        drain()
        timer?.cancel()
        timer = nil
        sender.stop()
        names.stop()
        for connection in connections.all { connection.close() }
        for connection in shared.all { connection.close() }
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
        // A connection that is closed here leaves the list at once; the loops go over the lists as they were.
        for connection in connections.all { connection.checkDeadline() }
        for connection in shared.all { connection.checkDeadline() }
        for choice in handshakes.unfinished.all { choice.checkDeadline() }
        if heldBytes > limits.heldBytesMax / 2 { relieve() }
        if largeBodies.isSomebodyWaiting {
            for connection in largeBodies.holding(longerThan: limits.largeBodySecondsMax, second: second) {
                connection.endSlowBody()
            }
        }
    }

    /// Lets those have a place for their large body whose turn it is.
    func givePlaces() {
        while let connection = largeBodies.takeNext(second: second) { connection.takePlace() }
    }

    /// Closes who would hold longest at the pace of the last second, until half of the bound is free. Others can have large answers again
    /// within two seconds, whatever some leave unread.
    private func relieve() {
        let slow = connections.all.compactMap { connection in connection.holding.secondsLeft.map { (connection, $0) } }
            .filter { $0.1 > HTTPServerLimits.heldSecondsMax }.sorted { $0.1 > $1.1 }
        for (connection, _) in slow where heldBytes > limits.heldBytesMax / 2 {
            relievedConnectionsTotal &+= 1
            connection.close()
        }
    }

    /// Who has not finished a handshake goes for who comes. Where another protocol's connections must always get in, so does who has not said
    /// yet what it wants, or is between two requests.
    private func makeRoom() -> Bool {
        if let oldest = handshakes.unfinished.next {
            oldest.close()
            return connectionCount < limits.connectionsMax
        }
        guard secondProtocol != nil else { return false }
        let waiting = shared.all.filter(\.isWaiting).min { $0.deadline < $1.deadline }
        // While a request is answered there is no deadline, and such a connection stays.
        let idle = connections.next.flatMap { $0.deadline == .max ? nil : $0 }
        guard waiting != nil || idle != nil else { return false }
        if let waiting, waiting.deadline <= idle?.deadline ?? .max { waiting.close() } else { idle?.close() }
        return connectionCount < limits.connectionsMax
    }

    private func refuse() {
        refusedConnectionsTotal &+= 1
        if isDraining { return }
        if let crowdedAt, second - crowdedAt < Self.crowdedSeconds { return }
        crowdedAt = second
        crowded?()
    }

    private func refreshDate() {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        dateLine = ByteBuffer(string: "Date: \(CivilTime(unixSeconds: Int64(time.tv_sec)).httpDate)\r\n")
    }
}
