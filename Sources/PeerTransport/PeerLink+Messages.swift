import NIOCore
import Raft
import Wire

/// What is said on our stream to the peer.
extension PeerLink {
    func send(_ message: PeerMessage) {
        guard let open else {
            statistics.messagesDropped += 1
            return
        }
        let size = PeerMessageCodec.sizeMax(of: message)
        guard PeerMessageCodec.canEncode(message), size <= links.limits.frameBytesMax - Frame.headBytes else {
            statistics.messagesDropped += 1
            return links.notice(.unsendable(member))
        }
        guard hasRoom(for: size, on: open) else {
            statistics.messagesDropped += 1
            return links.notice(.queueFull(member))
        }
        lanes.add(message, size: size)
        statistics.messagesSent += 1
        if message.isAppend { statistics.appendsSent += 1 }
        if lanes.isBatchFull { sendBatch(on: open) }
        links.needsFlush(self)
    }

    private func hasRoom(for size: Int, on connection: DialedConnection) -> Bool {
        let room = links.limits.queueBytesMax - size
        if unsentBytes + lanes.bytes <= room { return true }
        unsentBytes = connection.unsentBytes
        return unsentBytes + lanes.bytes <= room
    }

    /// The end of a turn, or the socket takes more.
    func flush() {
        guard !isPumping else { return }
        isPumping = true
        var bytes = 0
        // Whatever is called here may end the connection, and may say that it can take more: it is asked anew each time.
        while let open {
            sendBatch(on: open)
            var parts = 0
            while open.isWritable, let frame = lanes.takeBulk(inParts: open.peerFeatures.contains(.parts)) {
                bytes += frame.readableBytes
                parts += 1
                write(frame, on: open)
            }
            open.flush()
            guard parts > 0, open.isWritable, bytes < PeerLimits.turnBytesMax else { break }
        }
        isPumping = false
        guard let open else { return }
        unsentBytes = open.unsentBytes
        // The rest has its turn after others.
        if lanes.bytes > 0, open.isWritable { links.needsFlush(self) }
    }

    func becameWritable(_ connection: DialedConnection) {
        guard open === connection, lanes.hasBulk else { return }
        links.needsFlush(self)
    }

    private func sendBatch(on connection: DialedConnection) {
        if let frame = lanes.takeBatch() { write(frame, on: connection) }
    }

    private func write(_ frame: ByteBuffer, on connection: DialedConnection) {
        statistics.bytesSent += UInt64(frame.readableBytes)
        unsentBytes += frame.readableBytes
        connection.write(frame)
    }

    /// Ahead of everything that is said from now on.
    func tellTime() {
        guard let open, let time = links.handlers.clock() else { return }
        open.write(Frame.wrap(.time) { $0.write(UInt64(bitPattern: time)) })
        open.flush()
    }

    /// At the begin of a connection, and when they change.
    func tellAddresses() {
        guard let open, !links.addresses.isEmpty else { return }
        // What is too long would cost the connection, and is no address that anybody could dial.
        let addresses = links.addresses.map { Array($0.utf8) }.filter { $0.count <= PeerLimits.addressBytesMax }
            .prefix(PeerLimits.addressesMax)
        open.write(
            Frame.wrap(.addresses) { writer in
                writer.write(UInt8(addresses.count))
                for address in addresses { writer.write(address) }
            })
        links.needsFlush(self)
    }

    /// What was not taken is lost with its connection.
    func forgetMessages() {
        statistics.messagesDropped += UInt64(lanes.messages)
        lanes.removeAll()
        (unsentBytes, silentSeconds, takenAtLastCheck, hadToWait) = (0, 0, 0, false)
    }

    func received(_ kind: FrameKind, _ body: [UInt8], on connection: DialedConnection) {
        guard open === connection else { return }
        var reader = ByteReader(body, from: 1)
        guard kind == .pong, let sent = reader.readWord() else { return connection.end(.broken("not the answer to a ping")) }
        silentSeconds = 0
        let now = NIODeadline.now().uptimeNanoseconds
        // The peer may send back any number.
        if sent <= now { statistics.roundTrips.note(Double(now - sent) / 1e9) }
    }

    /// Called once a second. A sign of life is the answer to a ping, or that the socket takes what has to wait for it: more to wait is none.
    func checkAndPing() {
        guard let open else { return }
        let unsent = open.unsentBytes
        let taken = open.writtenBytes - unsent
        silentSeconds = hadToWait && taken > takenAtLastCheck ? 0 : silentSeconds + 1
        (takenAtLastCheck, hadToWait) = (taken, unsent > 0)
        if silentSeconds > links.limits.silentSecondsMax { return open.end(.broken("no sign of life")) }
        tellTime()
        open.write(Frame.wrap(.ping) { $0.write(NIODeadline.now().uptimeNanoseconds) })
        flush()
    }
}
