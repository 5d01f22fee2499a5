import HTTPTransport
import NIOCore
import Raft
import Wire

/// Everything between this member and one peer: our stream of messages to it, its stream to us, and when to dial again. Never
/// waits, and keeps no message for a better time. Confined to the loop.
final class PeerLink: DialedConnectionOwner {
    private enum Phase {
        case waiting(Scheduled<Void>)
        case dialing(DialedConnection)
        case open(DialedConnection, since: NIODeadline)
        /// Without a usable URL, or over.
        case idle
    }

    let member: MemberID
    /// The peer's stream to us.
    var incoming: AcceptedConnection?
    var statistics: PeerStatistics
    /// All that are tried: those of the membership, then those that the peer itself has told.
    private(set) var urls: [HTTPURL] = []
    private var known: [HTTPURL] = []
    private var heard: [HTTPURL] = []
    private let links: PeerLinks
    private var phase = Phase.idle
    /// The peer is no longer one.
    private var isOver = false
    private var redial: Redial
    /// Of the present round over the URLs.
    private var urlPosition = 0
    private var refusedURLs = 0
    /// There was a connection since the peer was last said to be down.
    private var wasThere = false
    private var lastRoundRefused = false

    /// Messages of this turn as the body of a frame; empty when there are none.
    private var batch = ByteWriter()
    private var batchMessages = 0
    /// What the socket had not taken when last asked.
    private var unsentBytes = 0
    private var silentSeconds = 0
    private var unsentAtLastCheck = 0

    init(member: MemberID, links: PeerLinks) {
        self.member = member
        self.links = links
        statistics = PeerStatistics(member: member)
        redial = Redial(links.limits)
    }

    var isOpen: Bool { openSince != nil }

    var openSince: NIODeadline? {
        if case .open(_, let since) = phase { since } else { nil }
    }

    var statisticsNow: PeerStatistics {
        var now = statistics
        now.connectedFor = openSince.map { NIODeadline.now() - $0 }
        now.hasIncoming = incoming != nil
        if case .open(let connection, _) = phase { now.bytesUnsent = connection.unsentBytes + batch.count }
        return now
    }

    // MARK: Connecting

    /// As the membership has it.
    func set(_ urls: [HTTPURL]) {
        known = urls
        choose()
    }

    /// As the peer says itself. It knows better than a membership in which the news that it has moved is not applied yet, and which its
    /// leader could not bring up to date if this member had no way to answer.
    func hear(_ urls: [HTTPURL]) {
        heard = urls
        choose()
    }

    private func choose() {
        let urls = known + heard.filter { !known.contains($0) }
        guard urls != self.urls else { return }
        self.urls = urls
        switch phase {
        // A member keeps its old address until it is started again (cluster.md §6), and it has said who it is.
        case .open: return
        case .dialing(let connection): connection.abandon()
        case .waiting(let task): task.cancel()
        case .idle: break
        }
        phase = .idle
        redial.reset()
        dialFirst()
    }

    /// The peer is up, or has just gone: no use in waiting.
    func dialNow() {
        guard case .waiting(let task) = phase else { return }
        task.cancel()
        dialFirst()
    }

    private func dialFirst() {
        urlPosition = 0
        refusedURLs = 0
        dial()
    }

    private func dial() {
        guard !isOver, urls.indices.contains(urlPosition) else {
            phase = .idle
            return
        }
        let connection = DialedConnection(.messages, to: member, at: urls[urlPosition], links: links, owner: self)
        phase = .dialing(connection)
        connection.start()
    }

    /// A new round over the URLs, or the next of this one.
    private func dial(in wait: TimeAmount, newRound: Bool) {
        let link = NIOLoopBound(self, eventLoop: links.loop)
        phase = .waiting(
            links.loop.scheduleTask(in: wait) { if newRound { link.value.dialFirst() } else { link.value.dial() } })
    }

    func opened(_ connection: DialedConnection) {
        guard case .dialing(let dialed) = phase, dialed === connection else { return }
        phase = .open(connection, since: .now())
        silentSeconds = 0
        unsentBytes = 0
        lastRoundRefused = false
        wasThere = true
        statistics.connectsTotal += 1
        tellTime()
        tellAddresses()
        links.notice(.active(member))
        links.event(.linkUp(member))
    }

    func ended(_ connection: DialedConnection, _ end: ConnectionEnd) {
        switch phase {
        case .dialing(let dialed) where dialed === connection: dialFailed(connection, end)
        case .open(let open, let since) where open === connection:
            if NIODeadline.now() - since >= .seconds(1) { redial.reset() }
            dropBatch()
            dial(in: redial.next(), newRound: true)
            lost(end)
        case .waiting, .dialing, .open, .idle: return
        }
    }

    private func dialFailed(_ connection: DialedConnection, _ end: ConnectionEnd) {
        urlPosition += 1
        switch end {
        case .notConnected(let failure) where failure.isRefused: refusedURLs += 1
        case .refused: redial.slowDown()
        case .notConnected, .broken, .closed: break
        }
        let isRoundOver = urlPosition >= urls.count
        lastRoundRefused = isRoundOver && refusedURLs == urls.count
        dial(in: isRoundOver ? redial.next() : .zero, newRound: isRoundOver)
        report(end, at: connection.url)
        considerDown()
    }

    private func report(_ end: ConnectionEnd, at url: HTTPURL) {
        switch end {
        case .refused(let refusal, let peerCluster, let isOurs):
            links.notice(.refusedBy(member, refusal, peerCluster: peerCluster, local: links.identity))
            if !isOurs, refusal.reason == .senderRemoved { links.event(.removedFromCluster(by: member)) }
        case .notConnected, .broken, .closed: links.notice(.unreachable(member, url: url.text, because: end.text))
        }
    }

    /// Our stream was open and is no more; the next dial is arranged.
    private func lost(_ end: ConnectionEnd) {
        guard !isOver else { return }
        links.notice(.inactive(member, because: end.text))
        links.event(.linkLost(member, .outgoing))
    }

    // MARK: The peer's stream to us

    func incomingBegan(_ connection: AcceptedConnection) {
        let before = incoming
        incoming = connection
        wasThere = true
        lastRoundRefused = false
        // The newest counts: of the older one the peer knows nothing any more.
        before?.close()
        dialNow()
    }

    func incomingEnded(_ connection: AcceptedConnection) {
        guard incoming === connection else { return }
        incoming = nil
        // A look at once: it tells a process that is gone from a connection that is.
        lastRoundRefused = false
        dialNow()
        links.event(.linkLost(member, .incoming))
    }

    private func considerDown() {
        guard wasThere, lastRoundRefused, !isOpen, incoming == nil, !isOver else { return }
        wasThere = false
        links.event(.memberDown(member))
    }

    // MARK: Messages

    func send(_ message: PeerMessage) {
        guard case .open(let connection, _) = phase else {
            statistics.messagesDropped += 1
            return
        }
        let size = PeerMessageCodec.sizeMax(of: message)
        guard PeerMessageCodec.canEncode(message), size <= links.limits.frameBytesMax - Frame.headBytes else {
            statistics.messagesDropped += 1
            return links.notice(.unsendable(member))
        }
        guard hasRoom(for: size, on: connection) else {
            statistics.messagesDropped += 1
            return links.notice(.queueFull(member))
        }
        if batch.count + size > links.limits.frameBytesTarget { seal() }
        if batch.count == 0 { batch.write(FrameKind.messages.rawValue) }
        PeerMessageCodec.encode(message, into: &batch)
        batchMessages += 1
        statistics.messagesSent += 1
        if message.isAppend { statistics.appendsSent += 1 }
        if batch.count >= links.limits.frameBytesTarget || batchMessages >= PeerLimits.frameMessagesTarget { seal() }
        links.needsFlush(self)
    }

    private func hasRoom(for size: Int, on connection: DialedConnection) -> Bool {
        let room = links.limits.queueBytesMax - size
        if unsentBytes + batch.count <= room { return true }
        unsentBytes = connection.unsentBytes
        return unsentBytes + batch.count <= room
    }

    /// Makes a frame of the messages so far.
    private func seal() {
        guard case .open(let connection, _) = phase, batch.count > 0 else { return }
        let frame = Frame.wrap(batch.bytes)
        statistics.bytesSent += UInt64(frame.readableBytes)
        unsentBytes += frame.readableBytes
        connection.write(frame)
        batch.removeAll(keepingUpTo: PeerLimits.keptBytesMax)
        batchMessages = 0
    }

    /// The end of a turn.
    func flush() {
        guard case .open(let connection, _) = phase else { return }
        seal()
        connection.flush()
        unsentBytes = connection.unsentBytes
    }

    /// Ahead of everything that is said from now on.
    func tellTime() {
        guard case .open(let connection, _) = phase, let time = links.handlers.clock() else { return }
        connection.write(Frame.wrap(.time) { $0.write(UInt64(bitPattern: time)) })
        connection.flush()
    }

    /// At the begin of a connection, and when they change.
    func tellAddresses() {
        guard case .open(let connection, _) = phase, !links.addresses.isEmpty else { return }
        // What is too long would cost the connection, and is no address that anybody could dial.
        let addresses = links.addresses.map { Array($0.utf8) }.filter { $0.count <= PeerLimits.addressBytesMax }
            .prefix(PeerLimits.addressesMax)
        connection.write(
            Frame.wrap(.addresses) { writer in
                writer.write(UInt8(addresses.count))
                for address in addresses { writer.write(address) }
            })
        links.needsFlush(self)
    }

    private func dropBatch() {
        statistics.messagesDropped += UInt64(batchMessages)
        batch.removeAll(keepingUpTo: PeerLimits.keptBytesMax)
        batchMessages = 0
        unsentBytes = 0
    }

    func received(_ kind: FrameKind, _ body: [UInt8], on connection: DialedConnection) {
        guard case .open(let open, _) = phase, open === connection else { return }
        var reader = ByteReader(body, from: 1)
        guard kind == .pong, let sent = reader.readWord() else { return connection.end(.broken("not the answer to a ping")) }
        silentSeconds = 0
        let now = NIODeadline.now().uptimeNanoseconds
        // The peer may send back any number.
        if sent <= now { statistics.roundTrips.note(Double(now - sent) / 1e9) }
    }

    /// Called once a second.
    func checkAndPing() {
        guard case .open(let connection, _) = phase else { return }
        let unsent = connection.unsentBytes
        silentSeconds = unsent == unsentAtLastCheck ? silentSeconds + 1 : 0
        unsentAtLastCheck = unsent
        if silentSeconds > links.limits.silentSecondsMax { return connection.end(.broken("no sign of life")) }
        seal()
        tellTime()
        connection.write(Frame.wrap(.ping) { $0.write(NIODeadline.now().uptimeNanoseconds) })
        connection.flush()
    }

    /// Forgets the peer. Says nothing.
    func close() {
        isOver = true
        switch phase {
        case .waiting(let task): task.cancel()
        case .dialing(let connection), .open(let connection, _): connection.abandon()
        case .idle: break
        }
        phase = .idle
        dropBatch()
        let incoming = incoming
        self.incoming = nil
        incoming?.close()
    }
}

extension PeerMessage {
    var isAppend: Bool {
        if case .raft(let message, _) = self, case .append = message.body { true } else { false }
    }
}
