import HTTPTransport
import NIOCore
import Raft
import Wire

/// Everything between this member and one peer: our stream of messages to it, its stream to us, and when to dial again. Keeps no message for
/// a better time. Confined to the loop.
///
/// Here: connecting, and what becomes of connections. `+Messages`: what is said on ours.
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
    let links: PeerLinks
    private var phase = Phase.idle
    /// The peer is no longer one.
    private var isOver = false
    private var redial: Redial
    /// Of the present round over the URLs.
    private var urlPosition = 0
    private var refusedURLs = 0
    private var presence = PeerPresence()

    // Messages: see `PeerLink+Messages`.
    var lanes = Lanes()
    var isPumping = false
    /// What the socket had not taken when last asked.
    var unsentBytes = 0
    var silentSeconds = 0
    /// As of the last look: what the socket had taken altogether, and whether something had to wait for it.
    var takenAtLastCheck = 0
    var hadToWait = false

    init(member: MemberID, links: PeerLinks) {
        self.member = member
        self.links = links
        statistics = PeerStatistics(member: member)
        redial = Redial(links.limits)
    }

    var isOpen: Bool { open != nil }

    /// Our stream to the peer.
    var open: DialedConnection? {
        if case .open(let connection, _) = phase { connection } else { nil }
    }

    var openSince: NIODeadline? {
        if case .open(_, let since) = phase { since } else { nil }
    }

    var statisticsNow: PeerStatistics {
        var now = statistics
        now.connectedFor = openSince.map { NIODeadline.now() - $0 }
        now.hasIncoming = incoming != nil
        if let open { now.bytesUnsent = open.unsentBytes + lanes.bytes }
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
        forgetMessages()
        presence.connected()
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
            forgetMessages()
            presence.disconnected(isAnotherOpen: incoming != nil)
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
        let isDown = isRoundOver && presence.dialledAll(allRefused: refusedURLs == urls.count)
        dial(in: isRoundOver ? redial.next() : .zero, newRound: isRoundOver)
        report(end, at: connection.url)
        if isDown, !isOver { links.event(.memberDown(member)) }
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
        presence.connected()
        // The newest counts: of the older one the peer knows nothing any more.
        before?.close()
        dialNow()
    }

    func incomingEnded(_ connection: AcceptedConnection) {
        guard incoming === connection else { return }
        incoming = nil
        presence.disconnected(isAnotherOpen: isOpen)
        // A look at once: it tells a process that is gone from a connection that is.
        dialNow()
        links.event(.linkLost(member, .incoming))
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
        forgetMessages()
        let incoming = incoming
        self.incoming = nil
        incoming?.close()
    }
}
