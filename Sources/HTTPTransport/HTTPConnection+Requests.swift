import NIOCore

/// From bytes to requests.
extension HTTPConnection {
    /// Goes as far as the bytes allow. Answers that are given on the way leave together in one flush.
    func process() {
        if isProcessing { return }
        isProcessing = true
        while !isHeldBack, advance() {}
        if isTooMuch { refuse(.overloaded) }
        isProcessing = false
        if needsFlush { flush() }
        noteHeld()
        if input.readableBytes == 0 {
            // Lets go of the read buffer: an idle connection or watcher holds none.
            input = ByteBuffer()
        } else if input.readerIndex > HTTPServerLimits.pipelinedBytesMax {
            input.discardReadBytes()
        }
        if isReadHeld, !mustHoldRead {
            isReadHeld = false
            context?.read()
        }
    }

    /// One step; false when nothing more can be done with what is here.
    private func advance() -> Bool {
        switch phase {
        case .head:
            if input.readableBytes == 0 { return false }
            switch parser.next(from: &input) {
            case .incomplete:
                let limit = listener.second + listener.limits.headSecondsMax
                if input.readableBytes > 0, deadline > limit { deadline = limit }
                return false
            case .parsed(let head):
                begin(head)
                return true
            case .refused(let refusal):
                refuse(refusal)
                return false
            }
        case .body(let head, let reader):
            return readBody(of: head, with: reader)
        case .answering, .streaming, .lingering, .closed:
            return false
        }
    }

    private func begin(_ head: ParsedHead) {
        isHead = head.request.verb == .head
        isHTTP10 = head.isHTTP10
        isKeepAlive = head.request.isKeepAlive && !listener.isDraining && !isInputClosed
        leavesInput = false
        switch head.body {
        case .none:
            dispatch(head.request)
        case .bytes(let length) where length > listener.limits.bodyBytesMax:
            dispatchTooLarge(head)
        case .bytes(let length):
            // Small bodies come with their head: hand out the slice as it is.
            if let whole = input.readSlice(length: length) {
                var request = head.request
                request.body = whole
                request.bodyState = .complete
                dispatch(request)
            } else {
                waitForBody(of: head, .bytes(remaining: length), placeFor: length > HTTPServerLimits.smallBytesMax ? length : nil)
            }
        case .chunked:
            waitForBody(of: head, .chunked(ChunkedBody()))
        }
    }

    private func waitForBody(of head: ParsedHead, _ reader: BodyReader, placeFor bytes: Int? = nil) {
        deadline = listener.second + listener.limits.bodySecondsMax
        phase = .body(head, reader)
        mustContinue = head.expectsContinue && input.readableBytes == 0
        if let bytes { askForPlace(bytes: bytes) }
        if mustContinue, !isWaitingForPlace { sayContinue() }
    }

    /// Once the body may come.
    private func sayContinue() {
        guard let context else { return }
        mustContinue = false
        give(ByteBuffer(string: "HTTP/1.1 100 Continue\r\n\r\n"), to: context)
        flush()
    }

    private func askForPlace(bytes: Int) {
        hasPlace = listener.largeBodies.ask(self, bytes: bytes, second: listener.second)
        isWaitingForPlace = !hasPlace
        if isWaitingForPlace { deadline = listener.second + listener.limits.largeBodyWaitSecondsMax }
    }

    /// Its turn has come.
    func takePlace() {
        (hasPlace, isWaitingForPlace) = (true, false)
        deadline = listener.second + listener.limits.bodySecondsMax
        processSoon()
    }

    /// Lets others have it; also when there is none.
    func leavePlace() {
        guard hasPlace || isWaitingForPlace else { return }
        (hasPlace, isWaitingForPlace) = (false, false)
        listener.largeBodies.leave(self)
        listener.givePlaces()
    }

    /// Others wait, and it has not arrived.
    func endSlowBody() { if case .body = phase { close() } }

    /// Nobody waits for ever.
    func giveUpPlace() {
        refuse(.overloaded)
        // What it goes on sending is to be thrown away.
        processSoon()
    }

    private func readBody(of head: ParsedHead, with reader: BodyReader) -> Bool {
        if isWaitingForPlace { return false }
        if mustContinue { sayContinue() }
        switch reader {
        case .bytes(let remaining):
            if body.capacity == 0 {
                body = context?.channel.allocator.buffer(capacity: min(body.readableBytes + remaining, 1 << 20)) ?? ByteBuffer()
            }
            guard let part = input.readSlice(length: min(remaining, input.readableBytes)), part.readableBytes > 0
            else { return false }
            body.writeImmutableBuffer(part)
            guard part.readableBytes == remaining else {
                phase = .body(head, .bytes(remaining: remaining - part.readableBytes))
                return false
            }
            dispatchWithBody(head)
            return true
        case .chunked(var chunks):
            switch chunks.read(from: &input, into: &body, bytesMax: listener.limits.bodyBytesMax) {
            case .incomplete:
                phase = .body(head, .chunked(chunks))
                // How long it will be, nobody knows.
                if !hasPlace, body.readableBytes > HTTPServerLimits.smallBytesMax { askForPlace(bytes: listener.limits.bodyBytesMax) }
                return false
            case .complete: dispatchWithBody(head)
            case .tooLarge: dispatchTooLarge(head)
            case .malformed: refuse(.bodyMalformed)
            }
            return true
        }
    }

    private func dispatchWithBody(_ head: ParsedHead) {
        var request = head.request
        request.body = body
        request.bodyState = .complete
        body = ByteBuffer()
        dispatch(request)
    }

    private func dispatchTooLarge(_ head: ParsedHead) {
        var request = head.request
        request.bodyState = .tooLarge
        body = ByteBuffer()
        isKeepAlive = false
        leavesInput = true
        dispatch(request)
    }

    private func dispatch(_ request: HTTPRequest) {
        var request = request
        request.remoteAddress = remoteAddress
        if let encryption { (request.isEncrypted, request.commonName) = (true, encryption.commonName) }
        // Only these are answered in bounded time.
        if request.verb != .put, request.verb != .post { leavePlace() }
        deadline = Int.max
        phase = .answering
        generation &+= 1
        listener.requestsTotal &+= 1
        listener.responder.respond(to: request, on: HTTPExchange(connection: self, generation: generation))
    }

    /// Go's server answers what it cannot parse like this, and so do we (v2-keys.md §2).
    private func refuse(_ refusal: HTTPRefusal) {
        let (code, text): (UInt16, StaticString) =
            switch refusal {
            case .malformed, .bodyMalformed: (400, "400 Bad Request")
            case .headTooLarge: (431, "431 Request Header Fields Too Large")
            case .codingUnknown: (501, "501 Not Implemented: unsupported transfer encoding")
            case .versionUnknown: (505, "505 HTTP Version Not Supported: unsupported protocol version")
            case .expectationUnknown: (417, "417 Expectation Failed")
            case .overloaded: (503, "503 Service Unavailable: too many bytes are held for clients")
            }
        isHead = false
        isHTTP10 = false
        body = ByteBuffer()
        commonFields = ByteBuffer()
        phase = .answering
        generation &+= 1
        endAfterAnswer()
        respond(HTTPStatus(code), .text, body: ByteBuffer(staticString: text), fields: { _ in })
    }
}
