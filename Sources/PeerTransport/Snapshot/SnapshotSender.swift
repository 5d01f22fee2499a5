import HTTPTransport
import NIOCore
import Raft
import Wire

/// Sends one file to one peer: header, the peer's yes, chunks, end, the peer's word on the whole. The file is read off the
/// loop, and only as fast as the peer takes it: two chunks are in memory at most. Confined to the loop.
final class SnapshotSender: DialedConnectionOwner {
    private enum Phase {
        case opening
        case dialing(DialedConnection)
        /// The header is sent.
        case offering(DialedConnection)
        case streaming(DialedConnection)
        /// Everything is sent.
        case waiting(DialedConnection)
        case over
    }

    private let links: PeerLinks
    private let member: MemberID
    private let urls: [HTTPURL]
    private let file: OutgoingFile
    private let bytesPerSecond: Int?
    private let chunkBytes: Int
    private let completion: (SnapshotOutcome) -> Void
    private var header: SnapshotHeader
    private var phase = Phase.opening
    private var urlPosition = 0
    private var isReading = false
    /// Chunks that the system has not taken yet.
    private var unsentChunks = 0
    private var startedAt = NIODeadline.now()
    private var bytesSent: UInt64 = 0
    private var silentSeconds = 0

    init(
        links: PeerLinks, to member: MemberID, urls: [HTTPURL], _ header: SnapshotHeader, path: String, bytesPerSecond: Int?,
        _ completion: @escaping (SnapshotOutcome) -> Void
    ) {
        self.links = links
        self.member = member
        self.urls = urls
        self.header = header
        file = OutgoingFile(path: path)
        self.bytesPerSecond = bytesPerSecond.map { max(1, $0) }
        // Ten pieces a second at the least, so that a slow transfer is not taken for a dead one.
        chunkBytes = bytesPerSecond.map { min(links.limits.chunkBytesMax, max(1, $0 / 10)) } ?? links.limits.chunkBytesMax
        self.completion = completion
    }

    func start() {
        let file = file
        links.offLoop({ try file.open() }) { [self] result in
            guard case .opening = phase else { return }
            switch result {
            case .failure(let error): end(.failed("\(error)"))
            case .success(let bytes):
                header.bytes = bytes
                dial()
            }
        }
    }

    private func dial() {
        guard urls.indices.contains(urlPosition) else { return end(.failed("no URL of member \(member) to send to")) }
        let connection = DialedConnection(.snapshot, to: member, at: urls[urlPosition], links: links, owner: self)
        phase = .dialing(connection)
        connection.start()
    }

    func opened(_ connection: DialedConnection) {
        phase = .offering(connection)
        silentSeconds = 0
        links.notice(.snapshotSending(member, header.position, bytes: header.bytes))
        connection.write(Frame.wrap(.snapshotHeader) { header.encode(into: &$0) })
        connection.flush()
    }

    func received(_ kind: FrameKind, _ body: [UInt8], on connection: DialedConnection) {
        guard kind == .snapshotReply, let reply = SnapshotReply.parse(body) else {
            return end(.failed("the peer's answer makes no sense"))
        }
        silentSeconds = 0
        if let refusal = reply.refusal { return end(.refused(refusal)) }
        switch phase {
        case .offering:
            phase = .streaming(connection)
            startedAt = .now()
            pump()
        case .waiting: end(.delivered)
        case .opening, .dialing, .streaming: end(.failed("the peer agreed before it had everything"))
        case .over: return
        }
    }

    /// Reads the next piece if there is room for it.
    private func pump() {
        guard case .streaming = phase, !isReading, unsentChunks < 2 else { return }
        isReading = true
        if let wait = pause { return after(wait) }
        let file = file
        let count = chunkBytes
        links.offLoop({ try file.next(bytesMax: count) }) { [self] result in
            isReading = false
            guard case .streaming(let connection) = phase else { return }
            switch result {
            case .failure(let error): end(.failed("\(error)"))
            case .success(.end(let last)):
                phase = .waiting(connection)
                silentSeconds = 0
                connection.write(Frame.wrap(.snapshotEnd) { last.encode(into: &$0) })
                connection.flush()
            case .success(.chunk(let frame)):
                bytesSent += UInt64(frame.readableBytes)
                unsentChunks += 1
                connection.send(frame) { [self] _ in
                    unsentChunks -= 1
                    silentSeconds = 0
                    pump()
                }
                pump()
            }
        }
    }

    /// What is left of the time that the bytes so far should take.
    private var pause: TimeAmount? {
        guard let bytesPerSecond else { return nil }
        let due = startedAt + .nanoseconds(Int64(Double(bytesSent) / Double(bytesPerSecond) * 1e9))
        let now = NIODeadline.now()
        return due > now ? due - now : nil
    }

    private func after(_ wait: TimeAmount) {
        let sender = NIOLoopBound(self, eventLoop: links.loop)
        links.loop.scheduleTask(in: wait) {
            sender.value.isReading = false
            sender.value.pump()
        }
    }

    /// `send` tells of each chunk.
    func becameWritable(_ connection: DialedConnection) {}

    func ended(_ connection: DialedConnection, _ reason: ConnectionEnd) {
        switch phase {
        case .dialing:
            urlPosition += 1
            if case .notConnected = reason, urlPosition < urls.count { return dial() }
            if case .refused(let refusal, let peerCluster, _) = reason {
                links.notice(.refusedBy(member, refusal, peerCluster: peerCluster, local: links.identity))
            }
            end(.failed(reason.text))
        case .offering, .streaming, .waiting: end(.failed(reason.text))
        case .opening, .over: return
        }
    }

    /// Called once a second.
    func checkDeadline() {
        silentSeconds += 1
        switch phase {
        case .waiting where silentSeconds > links.limits.transferReplySecondsMax,
            .offering where silentSeconds > links.limits.transferSilentSecondsMax,
            .streaming where silentSeconds > links.limits.transferSilentSecondsMax:
            end(.failed("the peer has stopped to take it"))
        case .opening, .dialing, .offering, .streaming, .waiting, .over: return
        }
    }

    func cancel() { end(.failed("stopped")) }

    private func end(_ outcome: SnapshotOutcome) {
        let before = phase
        phase = .over
        switch before {
        case .over: return
        case .opening: break
        case .dialing(let connection), .offering(let connection), .streaming(let connection), .waiting(let connection):
            connection.abandon()
        }
        links.ended(self)
        links.notice(.snapshotSent(member, header.position, outcome))
        completion(outcome)
    }
}
