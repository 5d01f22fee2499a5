import NIOCore

/// Answers that come in pieces.
extension HTTPConnection {
    func startStream(
        _ status: HTTPStatus, _ type: HTTPContentType?, contentLength: UInt64?, fields: (inout ByteBuffer) -> Void
    ) {
        guard let context else { return }
        let hasBody = !isHead && !status.hasNoBody
        streamIsChunked = contentLength == nil && hasBody && !isHTTP10
        // Without chunks only the end of the connection ends the body.
        if isHTTP10, contentLength == nil, hasBody { isKeepAlive = false }
        writeHead(status, type, contentLength: contentLength, fields: fields)
        give(listener.scratch, to: context)
        needsFlush = true
        phase = .streaming
        mayHaveUnsentParts = true
        unflushedBytes = 0
        if isInputClosed { close() }
    }

    /// A lone chunk of a stream goes to the socket at the flush, in one system call and nothing else: one event may have thousands of
    /// watchers. What comes in a burst, or finds the socket full, takes the way of the channel.
    func push(_ chunk: StreamChunk) -> Bool {
        guard let context, case .streaming = phase else { return false }
        let bytes = streamIsChunked ? chunk.framed : chunk.payload
        if heldChunk == nil, !needsFlush, mayWriteDirectly(context) {
            heldChunk = bytes
            return true
        }
        if let held = heldChunk {
            heldChunk = nil
            write(held, context)
        }
        if unflushedBytes > listener.limits.unsentStreamBytesMax {
            // One burst may be larger than the bound: only what the socket did not take counts.
            flush()
            if holding.unsent > listener.limits.unsentStreamBytesMax {
                close()
                return false
            }
            unflushedBytes = holding.unsent
        }
        write(bytes, context)
        return true
    }

    private func write(_ bytes: ByteBuffer, _ context: ChannelHandlerContext) {
        giveBody(bytes, to: context)
        unflushedBytes += bytes.readableBytes
        mayHaveUnsentParts = true
        needsFlush = true
    }

    /// Never past the encryption.
    private func mayWriteDirectly(_ context: ChannelHandlerContext) -> Bool {
        if encryption != nil { return false }
        if mayHaveUnsentParts {
            guard unsentNow == 0 else { return false }
            mayHaveUnsentParts = false
            unflushedBytes = 0
        }
        if descriptor < 0 {
            descriptor = (try? context.pipeline.syncOperations.withUnsafeTransportIfAvailable { (socket: CInt) in socket }) ?? -1
        }
        return descriptor >= 0
    }

    /// What is to be sent now, if it still is; the number of a closed socket may belong to somebody else by now.
    func takeHeldChunk() -> StreamSender.Piece? {
        guard let held = heldChunk, let context, context.channel.isActive else { return nil }
        heldChunk = nil
        return StreamSender.Piece(descriptor: descriptor, bytes: held)
    }

    /// The rest of a chunk of which the socket took `sent` bytes, or its error, is the channel's.
    func heldChunkWasSent(_ piece: StreamSender.Piece, sent: Int) {
        holding.noteSent(sent)
        guard sent < piece.bytes.readableBytes, let context else { return }
        var rest = piece.bytes
        rest.moveReaderIndex(forwardBy: sent)
        write(rest, context)
        flush()
    }

    func send(_ piece: ByteBuffer, sent: @escaping @Sendable (Bool) -> Void) {
        guard let context, case .streaming = phase else { return sent(false) }
        let piece = streamIsChunked ? StreamChunk(piece, allocator: context.channel.allocator).framed : piece
        let promise = context.eventLoop.makePromise(of: Void.self)
        promise.futureResult.whenComplete { result in
            if case .success = result { sent(true) } else { sent(false) }
        }
        holding.noteWritten(piece.readableBytes)
        context.write(wrapOutboundOut(piece), promise: promise)
        flush()
    }

    func endStream() {
        guard let context, case .streaming = phase else { return }
        if let held = heldChunk {
            heldChunk = nil
            write(held, context)
        }
        if streamIsChunked { give(listener.endOfStream, to: context) }
        needsFlush = true
        finish()
    }
}
