import HTTPTransport
import NIOCore
import NIOPosix
import Raft
import TLS
import Wire

/// This member's connections with all the others. May lose, repeat and reorder messages; never waits, and decides nothing.
///
/// Each member dials each other one for what it has to say; snapshots have connections of their own. Confined to `loop`, and to
/// be closed by `close()`.
package final class PeerLinks {
    package let loop: any EventLoop
    package let identity: PeerIdentity
    package let limits: PeerLimits

    let handlers: PeerHandlers
    /// For URLs with encryption.
    let tls: TLSPolicy
    /// Where snapshots are received; nil: they are refused.
    let transferDirectory: String?
    /// The one that is being received, or waits for the owner's word.
    var receiver: SnapshotReceiver?

    private var peers: [MemberID: PeerLink] = [:]
    /// Of these, those that nobody but they themselves has named: members that came while this one was away. They are answered as long as
    /// they have something to say, for one of them may be the leader, and who else could tell that it is a member?
    private var strangers: Set<MemberID> = []
    private var accepted: [ObjectIdentifier: AcceptedConnection] = [:]
    private var senders: [ObjectIdentifier: SnapshotSender] = [:]
    /// Where this member listens for the others, as the membership has it; empty before that is known.
    private(set) var addresses: [String] = []
    private var unflushed: [PeerLink] = []
    private var isFlushScheduled = false
    private var notices = NoticeGate()
    private var timer: RepeatedTask?
    private var second = 0
    private var snapshotNumber = 0
    private var isClosed = false
    /// Reads and writes snapshots; made when the first one comes.
    private var files: NIOThreadPool?

    package init(
        loop: any EventLoop, identity: PeerIdentity, transferDirectory: String?, limits: PeerLimits = PeerLimits(),
        tls: TLSPolicy = .system, handlers: PeerHandlers
    ) {
        loop.preconditionInEventLoop()
        self.loop = loop
        self.identity = identity
        self.transferDirectory = transferDirectory
        self.limits = limits
        self.tls = tls
        self.handlers = handlers
        let links = NIOLoopBound(self, eventLoop: loop)
        timer = loop.scheduleRepeatedTask(initialDelay: .seconds(1), delay: .seconds(1)) { _ in links.value.tick() }
    }

    /// For the listener of the peer port: gives it the connections of peers.
    package var secondProtocol: SecondProtocol {
        SecondProtocol(preface: Hello.preface) { [weak self] channel in
            guard let self, !self.isClosed, self.accepted.count < PeerLimits.acceptedMax else { throw ChannelError.operationUnsupported }
            let connection = AcceptedConnection(links: self)
            self.accepted[ObjectIdentifier(connection)] = connection
            do {
                try channel.pipeline.syncOperations.addHandler(connection)
            } catch {
                self.accepted[ObjectIdentifier(connection)] = nil
                throw error
            }
        }
    }

    /// For the listener as long as there are no links: a peer that comes too early learns at once to come again.
    package static var closed: SecondProtocol {
        SecondProtocol(preface: Hello.preface) { _ in throw ChannelError.operationUnsupported }
    }

    // MARK: Who the peers are

    /// Dials who is new, lets go of who is missing (its connection to us too), and takes new URLs of the others, for their next
    /// connection. URLs of one peer are tried in turn. This member itself may be in the list: its URLs are told to all the others, since
    /// one that was away when this member moved could not answer it otherwise.
    ///
    /// - Parameter removed: these were members once: nothing they say counts any more.
    package func setPeers(_ list: [(MemberID, urls: [String])], removed: Set<MemberID> = []) {
        loop.assertInEventLoop()
        guard !isClosed else { return }
        if let own = list.first(where: { $0.0 == identity.member })?.urls, own != addresses {
            addresses = own
            for link in peers.values { link.tellAddresses() }
        }
        let wanted = list.filter { $0.0 != identity.member && $0.0 != .none }
        let ids = Set(wanted.map(\.0))
        strangers.subtract(ids)
        strangers.subtract(removed)
        for (member, link) in peers where !ids.contains(member) && !strangers.contains(member) {
            peers[member] = nil
            link.close()
            for connection in accepted.values where connection.member == member { connection.close() }
            notices.forget(member)
        }
        for connection in accepted.values where removed.contains(connection.member) { connection.close() }
        for (member, urls) in wanted {
            let link = peers[member] ?? PeerLink(member: member, links: self)
            if peers[member] == nil {
                peers[member] = link
                // It may have been quicker.
                if let connection = accepted.values.first(where: { $0.member == member && $0.isForMessages }) {
                    link.incomingBegan(connection)
                }
            }
            link.set(urls.compactMap { usable($0, of: member) })
        }
    }

    private func usable(_ text: String, of member: MemberID) -> HTTPURL? {
        do {
            return try HTTPURL(parsing: text)
        } catch {
            notice(.unusableURL(member, url: text, because: "\(error)"))
            return nil
        }
    }

    /// True while our messages reach the peer, as far as one can know.
    package func isConnected(_ member: MemberID) -> Bool { peers[member]?.isOpen ?? false }

    /// For how long without a break; nil when they do not now.
    package func connectedFor(_ member: MemberID) -> TimeAmount? {
        peers[member]?.openSince.map { NIODeadline.now() - $0 }
    }

    /// Sorted by id.
    package var statistics: [PeerStatistics] {
        peers.values.map(\.statisticsNow).sorted { $0.member < $1.member }
    }

    // MARK: Messages

    /// Dropped when there is no connection, or too much waits already. What is sent in one turn of the loop leaves at its end.
    package func send(_ message: PeerMessage) {
        loop.assertInEventLoop()
        peers[message.to]?.send(message)
    }

    /// Sends what waits for the end of the turn. Not needed, but saves a task for whoever knows that it has said all.
    package func flush() {
        guard !unflushed.isEmpty else { return }
        var links: [PeerLink] = []
        swap(&links, &unflushed)
        for link in links { link.flush() }
        links.removeAll(keepingCapacity: true)
        if unflushed.isEmpty { swap(&links, &unflushed) }
    }

    /// Tells all peers the time, if it is this member that tells it. Those that connect later are told at once, and all once a second.
    package func tellTime() { for link in peers.values { link.tellTime() } }

    func needsFlush(_ link: PeerLink) {
        if unflushed.contains(where: { $0 === link }) { return }
        unflushed.append(link)
        guard !isFlushScheduled else { return }
        isFlushScheduled = true
        let links = NIOLoopBound(self, eventLoop: loop)
        loop.execute {
            links.value.isFlushScheduled = false
            links.value.flush()
        }
    }

    // MARK: Snapshots

    /// Sends the file on a connection of its own. It must not change until `completion` is called, on the loop, once.
    ///
    /// - Parameter bytesPerSecond: nil: as fast as the peer takes it.
    package func sendSnapshot(
        to member: MemberID, _ header: SnapshotHeader, path: String, bytesPerSecond: Int? = nil,
        completion: @escaping (SnapshotOutcome) -> Void
    ) {
        guard !isClosed else { return completion(.failed("stopped")) }
        let sender = SnapshotSender(
            links: self, to: member, urls: peers[member]?.urls ?? [], header, path: path, bytesPerSecond: bytesPerSecond,
            completion)
        senders[ObjectIdentifier(sender)] = sender
        sender.start()
    }

    func ended(_ sender: SnapshotSender) { senders[ObjectIdentifier(sender)] = nil }

    /// A number that no other file of this process has.
    func nextSnapshotNumber() -> Int {
        snapshotNumber += 1
        return snapshotNumber
    }

    /// Runs `work` on a thread that may block, then `body` on the loop.
    func offLoop<Value: Sendable>(
        _ work: @escaping @Sendable () throws -> Value, then body: @escaping (Result<Value, any Error>) -> Void
    ) {
        let pool = files ?? NIOThreadPool(numberOfThreads: 2)
        if files == nil {
            pool.start()
            files = pool
        }
        let body = NIOLoopBound(body, eventLoop: loop)
        pool.runIfActive(eventLoop: loop, work).whenComplete { body.value($0) }
    }

    // MARK: What connections say

    /// Whether to talk with who said this. `expected`: who it should be.
    func refusal(of hello: Hello, expected: MemberID) -> HelloRefusal? {
        if hello.protocolVersion != Hello.protocolVersion {
            return HelloRefusal(
                .incompatibleVersion, "incompatible version: protocol \(hello.protocolVersion), here \(Hello.protocolVersion)")
        }
        if hello.cluster != identity.cluster { return HelloRefusal(.clusterMismatch, "cluster ID mismatch") }
        if hello.to != identity.member || hello.from != expected || hello.from == identity.member || hello.from == .none {
            return HelloRefusal(.toMismatch, "to field mismatch")
        }
        return handlers.accept(hello)
    }

    func began(_ connection: AcceptedConnection) { peers[connection.member]?.incomingBegan(connection) }

    func ended(_ connection: AcceptedConnection, _ end: ConnectionEnd) {
        accepted[ObjectIdentifier(connection)] = nil
        let member = connection.member
        guard let link = peers[member] else { return }
        link.incomingEnded(connection)
        if link.incoming == nil, strangers.remove(member) != nil {
            peers[member] = nil
            link.close()
        }
    }

    func frameBytesMax(of member: MemberID) -> Int {
        peers[member] == nil ? min(limits.frameBytesMax, PeerLimits.strangerFrameBytesMax) : limits.frameBytesMax
    }

    func counted(_ bytes: Int, from member: MemberID) { peers[member]?.statistics.bytesReceived += UInt64(bytes) }

    func received(_ messages: [PeerMessage], on connection: AcceptedConnection) {
        let member = connection.member
        var own = messages
        if !own.allSatisfy({ $0.from == member && $0.to == identity.member }) {
            own.removeAll { $0.from != member || $0.to != identity.member }
            notice(.misdirected(member))
        }
        if let link = peers[member] {
            link.statistics.messagesReceived += UInt64(own.count)
            link.statistics.appendsReceived += UInt64(own.count(where: \.isAppend))
        }
        if !own.isEmpty { handlers.received(own, member) }
    }

    func event(_ event: PeerEvent) { if !isClosed { handlers.event(event) } }

    func notice(_ notice: PeerNotice) {
        guard !isClosed else { return }
        if notices.lets(notice, at: second, seconds: limits.noticeSecondsMin) { handlers.notice(notice) }
    }

    func told(_ addresses: [String], on connection: AcceptedConnection) {
        let member = connection.member
        if peers[member] == nil, strangers.count < PeerLimits.strangersMax {
            let link = PeerLink(member: member, links: self)
            strangers.insert(member)
            peers[member] = link
            link.incomingBegan(connection)
        }
        peers[member]?.hear(addresses.compactMap { usable($0, of: member) })
    }

    // MARK: Time, and the end

    private func tick() {
        second += 1
        for link in peers.values { link.checkAndPing() }
        for connection in accepted.values { connection.checkDeadline() }
        for sender in senders.values { sender.checkDeadline() }
    }

    /// Closes all connections and lets go of the handlers; transfers fail. Nothing is said of it.
    package func close() {
        guard !isClosed else { return }
        isClosed = true
        timer?.cancel()
        timer = nil
        for link in peers.values { link.close() }
        peers = [:]
        for connection in accepted.values { connection.close() }
        for sender in senders.values { sender.cancel() }
        unflushed = []
        files?.shutdownGracefully { _ in }
    }
}
