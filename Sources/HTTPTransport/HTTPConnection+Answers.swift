import NIOCore

/// From answers to bytes.
extension HTTPConnection {
    /// What is still to come from this client is not worth reading.
    func endAfterAnswer() {
        isKeepAlive = false
        leavesInput = true
    }

    func respond(
        _ status: HTTPStatus, _ type: HTTPContentType?, body: ByteBuffer, fields: (inout ByteBuffer) -> Void
    ) {
        guard let context else { return }
        if !isHead, body.readableBytes > HTTPServerLimits.smallBytesMax, listener.isOverfull {
            endAfterAnswer()
            return respond(.serviceUnavailable, .text, body: HTTPConnection.overloadedBody, fields: { _ in })
        }
        let length = status.hasNoBody ? nil : UInt64(body.readableBytes)
        let isInline = body.readableBytes <= HTTPServerLimits.inlineBodyBytesMax
        writeHead(status, type, contentLength: length, fields: fields)
        if isHead || !isInline || body.readableBytes == 0 {
            give(listener.scratch, to: context)
            if !isHead, body.readableBytes > 0 { giveBody(body, to: context) }
        } else {
            listener.scratch.writeImmutableBuffer(body)
            give(listener.scratch, to: context)
        }
        needsFlush = true
        finish()
    }

    private static let overloadedBody = ByteBuffer(string: "503 Service Unavailable: clients have left too many answers unread")

    /// Fills the listener's scratch buffer: it is free again as soon as the socket has taken the bytes, so that in the
    /// common case no answer allocates.
    func writeHead(
        _ status: HTTPStatus, _ type: HTTPContentType?, contentLength: UInt64?, fields: (inout ByteBuffer) -> Void
    ) {
        listener.resetScratch()
        listener.scratch.writeStaticString(isHTTP10 ? "HTTP/1.0 " : "HTTP/1.1 ")
        if let rest = status.rest {
            listener.scratch.writeStaticString(rest)
        } else {
            listener.scratch.writeDecimal(UInt64(status.code))
            listener.scratch.writeStaticString(" Unnamed\r\n")
        }
        listener.scratch.writeImmutableBuffer(commonFields)
        if let type { listener.scratch.writeStaticString(type.line) }
        fields(&listener.scratch)
        listener.scratch.writeImmutableBuffer(listener.dateLine)
        if let contentLength {
            listener.scratch.writeStaticString("Content-Length: ")
            listener.scratch.writeDecimal(contentLength)
            listener.scratch.writeStaticString("\r\n")
        } else if streamIsChunked {
            listener.scratch.writeStaticString("Transfer-Encoding: chunked\r\n")
        }
        if !isKeepAlive {
            listener.scratch.writeStaticString("Connection: close\r\n")
        } else if isHTTP10 {
            listener.scratch.writeStaticString("Connection: keep-alive\r\n")
        }
        listener.scratch.writeStaticString("\r\n")
    }

    /// The answer is written: on to the next request, or to the end of the connection.
    func finish() {
        generation &+= 1
        onClose = nil
        onInputClosed = nil
        commonFields = ByteBuffer()
        streamIsChunked = false
        leavePlace()
        if isKeepAlive {
            phase = .head
            deadline = listener.second + listener.limits.idleSecondsMax
            if isProcessing { return }
            if needsFlush { flush() }
            if input.readableBytes > 0 || isReadHeld { processSoon() }
        } else {
            endAfterSending()
        }
    }

    /// Whoever gives an answer may be in the middle of giving many: the next request of this connection must not reach
    /// the responder from within.
    func processSoon() {
        let connection = NIOLoopBound(self, eventLoop: eventLoop)
        eventLoop.execute { connection.value.process() }
    }

    /// Closes when everything is sent; a client that may still be sending gets time to read its answer first.
    func endAfterSending() {
        phase = .lingering
        deadline = listener.second + listener.limits.writeSecondsMax
        guard let context else { return }
        needsFlush = false
        input = ByteBuffer()
        body = ByteBuffer()
        let lingers = leavesInput && !isInputClosed
        let connection = NIOLoopBound(self, eventLoop: eventLoop)
        let promise = context.eventLoop.makePromise(of: Void.self)
        promise.futureResult.whenComplete { _ in
            let connection = connection.value
            let context = connection.context
            connection.deadline = connection.listener.second + HTTPServerLimits.lingerSeconds
            if lingers { context?.close(mode: .output, promise: nil) } else { context?.close(promise: nil) }
        }
        context.writeAndFlush(wrapOutboundOut(ByteBuffer()), promise: promise)
        noteHeld()
    }
}
