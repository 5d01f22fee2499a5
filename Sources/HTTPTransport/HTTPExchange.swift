import NIOCore

/// Who answers requests; called on the listener's loop, one request of a connection at a time.
package protocol HTTPResponder: AnyObject {
    /// Must lead to exactly one answer on `exchange`, now or later.
    func respond(to request: HTTPRequest, on exchange: HTTPExchange)
}

/// The way back to the client of one request.
///
/// A value that outlives its request (the connection closed, or the answer is complete) does nothing: the generation
/// tells the requests of a connection apart. Confined to the listener's loop.
package struct HTTPExchange {
    let connection: HTTPConnection
    let generation: UInt64

    /// False once the answer is complete or the client is gone.
    package var isOpen: Bool { connection.generation == generation && connection.isAnswering }

    /// Field lines that this answer carries whatever it is, such as CORS: each ends in CRLF.
    package func setCommonFields(_ lines: ByteBuffer) {
        if isOpen { connection.commonFields = lines }
    }

    /// Sends a whole answer: one buffer, one write. A long one becomes 503 while the listener holds too many bytes that
    /// clients do not take (`HTTPServerLimits.heldBytesMax`).
    ///
    /// - Parameters:
    ///   - type: Nil for an answer without content type.
    ///   - body: Not sent, only counted, in answer to HEAD.
    ///   - fields: Writes further field lines, each ending in CRLF, and must not call back into the transport.
    package func respond(
        _ status: HTTPStatus, _ type: HTTPContentType?, body: ByteBuffer = ByteBuffer(),
        fields: (inout ByteBuffer) -> Void = { _ in }
    ) {
        if isOpen { connection.respond(status, type, body: body, fields: fields) }
    }

    /// As `respond`, for a request of which nothing more can be trusted: the connection ends after it.
    package func respondAndClose(_ status: HTTPStatus, _ type: HTTPContentType?, body: ByteBuffer) {
        guard isOpen else { return }
        connection.endAfterAnswer()
        connection.respond(status, type, body: body, fields: { _ in })
    }

    /// Sends the head of an answer of which the body follows in pieces, and tells `onClose` if the client goes first.
    ///
    /// - Parameters:
    ///   - type: Nil when it is among `fields`.
    ///   - contentLength: Bytes of the body if they are known; then only `send` carries it.
    package func startStream(
        _ status: HTTPStatus, _ type: HTTPContentType?, contentLength: UInt64? = nil,
        fields: (inout ByteBuffer) -> Void = { _ in }
    ) {
        if isOpen { connection.startStream(status, type, contentLength: contentLength, fields: fields) }
    }

    /// Adds a chunk to the stream; it leaves with the next `flush` or `endStream`.
    ///
    /// - Returns: False when the client has left too many bytes unread (`HTTPServerLimits.unsentStreamBytesMax`): the
    ///   connection is closed then, which serves clients better than silence (v2-keys.md §13, Streams).
    @discardableResult
    package func push(_ chunk: StreamChunk) -> Bool {
        isOpen ? connection.push(chunk) : false
    }

    /// Sends a piece of a body, not empty, at once; `sent` hears when the socket has taken it, or false when it is closed. Whoever waits for
    /// that before the next piece goes at the client's pace.
    package func send(_ piece: ByteBuffer, sent: @escaping @Sendable (Bool) -> Void) {
        if isOpen { connection.send(piece, sent: sent) } else { sent(false) }
    }

    package func flush() {
        if isOpen { connection.flush() }
    }

    package func endStream() {
        if isOpen { connection.endStream() }
    }

    /// Closes the connection with whatever was not sent yet.
    package func abort() {
        if isOpen { connection.close() }
    }

    /// Calls `body` once, in a turn of the loop of its own, if the connection closes before the answer is complete.
    package func onClose(_ body: @escaping () -> Void) {
        if isOpen { connection.onClose = body }
    }

    /// Calls `body` once if the client ends its side before the answer is complete, or has done so: most have gone then, though some still
    /// read. Whoever has not begun with a request yet need not begin.
    package func onInputClosed(_ body: @escaping () -> Void) {
        if isOpen { connection.onInputClosed = body }
        if isOpen, connection.isInputClosed { connection.tellInputClosed() }
    }

    /// Whatever a responder likes to find again with the next request of this connection; it goes with the connection.
    package var memory: AnyObject? {
        get { connection.memory }
        nonmutating set { if isOpen { connection.memory = newValue } }
    }

    package var eventLoop: any EventLoop { connection.eventLoop }
}

/// A piece of a stream with its chunk framing around it, made once and sent to any number of clients.
///
/// The size always has eight digits, so that the payload alone, for HTTP/1.0 clients, is a slice at a known place.
package struct StreamChunk {
    private static let prefixBytes = 10
    private static let suffixBytes = 2

    package let framed: ByteBuffer

    /// Takes back what `framed` was.
    package init(framed: ByteBuffer) { self.framed = framed }

    /// - Parameter payload: At most 4 GiB, and not empty: an empty chunk would end the stream.
    package init(_ payload: ByteBuffer, allocator: ByteBufferAllocator) {
        let size = payload.readableBytes
        var framed = allocator.buffer(capacity: size + Self.prefixBytes + Self.suffixBytes)
        for shift in stride(from: 28, through: 0, by: -4) {
            let digit = UInt8(truncatingIfNeeded: size >> shift) & 0xf
            framed.writeInteger(digit < 10 ? UInt8(ascii: "0") + digit : UInt8(ascii: "a") + digit - 10)
        }
        framed.writeStaticString("\r\n")
        framed.writeImmutableBuffer(payload)
        framed.writeStaticString("\r\n")
        self.framed = framed
    }

    var payload: ByteBuffer {
        let length = framed.readableBytes - Self.prefixBytes - Self.suffixBytes
        return framed.getSlice(at: framed.readerIndex + Self.prefixBytes, length: max(0, length)) ?? ByteBuffer()
    }
}
