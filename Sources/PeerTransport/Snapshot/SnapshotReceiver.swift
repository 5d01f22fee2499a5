import NIOCore
import Raft
import Wire

/// Takes one snapshot from one connection into a file, off the loop, one step after the other. What breaks off leaves nothing
/// behind. Confined to the loop.
final class SnapshotReceiver {
    private enum Phase {
        case header
        case chunks
        /// The end has come, and is in the queue.
        case finishing
        /// The owner has the file.
        case handedOver
        case over
    }

    private enum Step {
        case create
        case write([UInt8])
        case finish(SnapshotEnd)
    }

    private let links: PeerLinks
    private let member: MemberID
    /// The connection keeps this receiver.
    private weak var connection: AcceptedConnection?
    private var phase = Phase.header
    private var header: SnapshotHeader?
    private var file: IncomingFile?
    private var steps: [Step] = []
    private var isBusy = false
    private var unwrittenBytes = 0
    private var announcedBytes: UInt64 = 0
    private var receivedBytes: UInt64 = 0

    init(links: PeerLinks, connection: AcceptedConnection, from member: MemberID) {
        self.links = links
        self.connection = connection
        self.member = member
    }

    /// More has come than the disk has taken.
    var isBehind: Bool { unwrittenBytes > PeerLimits.unwrittenBytesMax }

    /// It is not the sender who is being waited for.
    var isWorking: Bool {
        switch phase {
        case .header, .chunks: isBusy
        case .finishing, .handedOver: true
        case .over: false
        }
    }

    func received(_ kind: FrameKind, _ body: [UInt8]) {
        var reader = ByteReader(body, from: 1)
        switch (phase, kind) {
        case (.header, .snapshotHeader):
            guard let header = SnapshotHeader(from: &reader) else { return giveUp("the header makes no sense") }
            begin(header)
        case (.chunks, .snapshotChunk):
            let count = body.count - 1
            guard count > 0, UInt64(count) <= announcedBytes - receivedBytes else {
                return giveUp("more came than was announced")
            }
            receivedBytes += UInt64(count)
            unwrittenBytes += count
            add(.write(body))
        case (.chunks, .snapshotEnd):
            guard let end = SnapshotEnd(from: &reader), end.bytes == announcedBytes, receivedBytes == announcedBytes else {
                return giveUp("less came than was announced")
            }
            phase = .finishing
            add(.finish(end))
        case (.handedOver, _), (.over, _): return
        default: giveUp("a frame of kind \(kind.rawValue) in the wrong place")
        }
    }

    private func begin(_ header: SnapshotHeader) {
        guard let directory = links.transferDirectory else { return refuse("snapshots are not taken here") }
        guard links.receiver == nil else { return refuse("another snapshot is being received") }
        if let reason = links.handlers.snapshotOffered(header, member) { return refuse(reason) }
        links.receiver = self
        self.header = header
        announcedBytes = header.bytes
        let name = "snapshot-\(header.position.term)-\(header.position.index)-\(links.nextSnapshotNumber())"
        file = IncomingFile(directory: directory, name: name)
        phase = .chunks
        links.notice(.snapshotReceiving(member, header.position, bytes: header.bytes))
        add(.create)
    }

    // MARK: Steps off the loop, one at a time

    private func add(_ step: Step) {
        steps.append(step)
        advance()
    }

    private func advance() {
        guard !isBusy, !steps.isEmpty, let file else { return }
        isBusy = true
        let step = steps.removeFirst()
        links.offLoop({ () throws -> String? in
            switch step {
            case .create: try file.create()
            case .write(let bytes): try file.write(bytes)
            case .finish(let end): return try file.finish(end)
            }
            return nil
        }) { [self] result in
            isBusy = false
            done(step, result)
        }
    }

    private func done(_ step: Step, _ result: Result<String?, any Error>) {
        if case .over = phase { return cleanUp(after: result) }
        switch result {
        case .failure(let error):
            links.notice(.snapshotBroken(member, because: "\(error)"))
            refuse("\(error)")
        case .success(let path):
            switch step {
            case .create: connection?.send(Frame.wrap(SnapshotReply.frame(nil)))
            case .write(let bytes):
                unwrittenBytes -= bytes.count - 1
                if !isBehind { connection?.caughtUp() }
            case .finish: if let path { handOver(path) }
            }
            advance()
        }
    }

    private func handOver(_ path: String) {
        guard let header else { return }
        phase = .handedOver
        file = nil
        links.notice(.snapshotReceived(member, header.position, bytes: header.bytes))
        links.handlers.snapshotReceived(header, member, path) { [self] refusal in
            guard case .handedOver = phase else { return }
            phase = .over
            links.receiver = nil
            connection?.send(Frame.wrap(SnapshotReply.frame(refusal)))
            connection?.closeAfterSending()
        }
    }

    // MARK: When it goes wrong

    /// Says no, and ends.
    private func refuse(_ reason: String) {
        connection?.send(Frame.wrap(SnapshotReply.frame(reason)))
        connection?.closeAfterSending()
        abandon()
    }

    private func giveUp(_ reason: String) {
        links.notice(.snapshotBroken(member, because: reason))
        connection?.send(Frame.wrap(SnapshotReply.frame(reason)))
        connection?.closeAfterSending()
        abandon()
    }

    func connectionEnded(_ reason: String) {
        switch phase {
        case .header, .over, .handedOver: break
        case .chunks, .finishing: links.notice(.snapshotBroken(member, because: reason))
        }
        if case .handedOver = phase { return }
        abandon()
    }

    private func abandon() {
        if case .over = phase { return }
        phase = .over
        steps = []
        if !isBusy { cleanUp(after: .success(nil)) }
    }

    /// After the last step: removes the file, then lets the next snapshot in.
    private func cleanUp(after result: Result<String?, any Error>) {
        guard let file else { return free() }
        self.file = nil
        // The last step may have given the file its final name, of which nobody knows.
        let finished = (try? result.get()) ?? nil
        links.offLoop({
            file.discard()
            if let finished { IncomingFile.remove(finished) }
        }) { [self] _ in free() }
    }

    private func free() { if links.receiver === self { links.receiver = nil } }
}
