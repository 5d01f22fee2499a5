import Access
import HTTPTransport
import Keyspace
import NIOCore
import ReplicaHost

/// `/v2/keys`: from request to operation, to the replica, and back to bytes (v2-keys.md §2–13).
final class KeysEndpoint {
    private let replica: any ReplicaDoor
    private let metrics: RequestMetrics
    private let machines: MachinesEndpoint
    /// Bodies are written here and copied behind their head: in the common case no answer allocates.
    private var scratch = ByteBuffer()
    private let clusterID: ClusterIDField
    private var large = LargeFile()
    private let authenticator: Authenticator
    private let watches: WatchGuard

    /// Of the path before the key: `/v2/keys`.
    static let prefixBytes = 8
    /// Above this the scratch buffer is given back instead of kept.
    private static let scratchBytesMax = 64 << 10

    init(
        replica: any ReplicaDoor, metrics: RequestMetrics, machines: MachinesEndpoint, clusterID: ClusterIDField,
        authenticator: Authenticator, watches: WatchGuard
    ) {
        self.replica = replica
        self.metrics = metrics
        self.machines = machines
        self.clusterID = clusterID
        self.authenticator = authenticator
        self.watches = watches
    }

    /// - Parameters:
    ///   - sent: The key as it was sent, a slash at its end included.
    ///   - query: The place of the query in the request target.
    func respond(
        to request: HTTPRequest, path: TreePath, sent: @autoclosure () -> ArraySlice<UInt8>, query: Range<Int>?, on exchange: HTTPExchange
    ) {
        let operation: KeysOperation
        let parameters: KeysParameters
        do throws(V2Error) {
            guard path.isWithinLimits else { throw .pathTooLong }
            parameters = try Self.parameters(of: request, query: query)
            operation = try KeysQuery.operation(request.verb, path, parameters) { replica.status.now }
        } catch {
            return refuse(error, on: exchange)
        }
        guard replica.isAccessEnabled else { return perform(operation, request, path, as: nil, on: exchange) }
        let (key, recursive) = (Array(sent()), KeysQuery.isRecursive(parameters))
        if let verdict = authenticator.remembered(request, on: exchange) {
            return decide(verdict, operation, request, path, key, recursive: recursive, on: exchange)
        }
        authenticator.authenticate(request, on: exchange) { [self] verdict in
            // The password may have taken a while.
            guard exchange.isOpen else { return }
            decide(verdict, operation, request, path, key, recursive: recursive, on: exchange)
        }
    }

    /// - Parameter key: as it was sent.
    private func decide(
        _ verdict: Authenticator.Verdict, _ operation: KeysOperation, _ request: HTTPRequest, _ path: TreePath, _ key: AccessName,
        recursive: Bool, on exchange: HTTPExchange
    ) {
        let user: AccessName?
        switch verdict {
        case .guest: user = nil
        case .user(let name): user = name
        case .refused: return refuse(.unauthorized, on: exchange)
        case .busy: return refuse(V2Error(.overloaded), on: exchange)
        }
        guard replica.access.allows(user, operation.act, key, recursive: recursive) else { return refuse(.unauthorized, on: exchange) }
        perform(operation, request, path, as: WatchRight(user: user, key: key, recursive: recursive), on: exchange)
    }

    /// - Parameter right: why it is allowed; nil: everybody may do everything.
    private func perform(
        _ operation: KeysOperation, _ request: HTTPRequest, _ path: TreePath, as right: WatchRight?, on exchange: HTTPExchange
    ) {
        switch operation {
        case .read(let recursive, let quorum):
            let measure = metrics.begin(quorum ? .quorumGet : .get)
            if machines.owns(path) {
                let status = replica.status
                answer(machines.read(path), at: path, index: status.keysIndex, status, measure, on: exchange)
            } else {
                read(path, recursive: recursive, quorum: quorum, isHead: request.verb == .head, measure, on: exchange)
            }
        case .watch(let recursive, let isStream, let since):
            // One that was opened when everybody might do everything needs a right when that ends.
            WatchResponder(
                exchange, replica: replica, isStream: isStream, waitIndex: since, clusterID: clusterID, guardedBy: watches,
                right ?? WatchRight(user: nil, key: path.bytes, recursive: recursive)
            ).start(path, recursive: recursive)
        case .change(let command, let onlyAction):
            let measure = metrics.begin(request.verb == .put ? .put : request.verb == .post ? .post : .delete)
            if machines.owns(path) {
                let error = V2Error.keyword(path, index: replica.status.keysIndex)
                return refuse(error, measure, on: exchange)
            }
            guard command.isWithinLimits else { return refuse(.pathTooLong, measure, on: exchange) }
            let client = right.map { Requester(user: $0.user, address: request.remoteAddress).client } ?? request.remoteAddress
            let token = replica.propose(command, client: client) { [self] result in
                switch result {
                case .applied(let event):
                    metrics.end(measure)
                    let isNew = event.action == .create || event.action == .set && event.previous == nil
                    resetScratch()
                    scratch.writeEvent(event, onlyAction: onlyAction && !event.action.isRemoval)
                    succeed(isNew ? .created : .ok, index: event.index, replica.status, body: scratch, on: exchange)
                case .refused(let refusal, let index):
                    refuse(V2Error(refusal, index: index), measure, on: exchange)
                case .denied: refuse(.unauthorized, measure, on: exchange)
                case .unavailable(let reason):
                    refuse(V2Error(reason), measure, on: exchange)
                }
            }
            withdraw(token, measure, whenLeft: exchange)
        }
    }

    /// Body first, then query; the first error of either is the answer (v2-keys.md §2, 3).
    private static func parameters(of request: HTTPRequest, query: Range<Int>?) throws(V2Error) -> KeysParameters {
        var parameters = KeysParameters()
        do throws(FormText.SyntaxError) {
            if request.verb == .put || request.verb == .post, try isForm(request) {
                if case .tooLarge = request.bodyState {
                    throw FormText.SyntaxError(cause: Array("http: POST too large"))
                }
                try parameters.add(request.body.readableBytesUInt8Span)
            }
            if let query {
                let result = request.withTarget { target in
                    Result { () throws(FormText.SyntaxError) in
                        var more = parameters
                        try more.add(target.extracting(query))
                        return more
                    }
                }
                parameters = try result.get()
            }
        } catch {
            throw .form(error.cause)
        }
        return parameters
    }

    private static func isForm(_ request: HTTPRequest) throws(FormText.SyntaxError) -> Bool {
        let result = request.withField(.contentType) { type in
            Result { () throws(FormText.SyntaxError) in type.isEmpty ? false : try MediaType.isForm(type) }
        }
        return try result?.get() ?? false
    }
}

extension KeysEndpoint {
    private func read(
        _ path: TreePath, recursive: Bool, quorum: Bool, isHead: Bool, _ measure: RequestMetrics.Measure, on exchange: HTTPExchange
    ) {
        if !quorum, let reading = replica.cached(path, recursive: recursive) {
            let status = replica.status
            let index = status.keysIndex
            switch reading {
            case .file(let node): return answer(.found(.file(node)), at: path, index: index, status, measure, on: exchange)
            case .refused(let refusal): return answer(.refused(refusal), at: path, index: index, status, measure, on: exchange)
            case .listing(let body):
                metrics.end(measure)
                return succeed(.ok, index: index, status, body: body, on: exchange)
            }
        }
        let encoder = ListingWriter(now: replica.status.now)
        let token = replica.read(path, recursive: recursive, quorum: quorum, encoder: encoder) { [self] result in
            let status = replica.status
            if case .found(.directory(let node, let listed)) = result.outcome {
                metrics.end(measure)
                // A listing is kept for the next who asks, so it gets a buffer of its own.
                var body = ByteBufferAllocator().buffer(capacity: 256 + listed.count * 160)
                body.writeReading(.directory(node, listed), at: path, now: status.now)
                if node?.expiration == nil, listed.allSatisfy({ $0.node.expiration == nil }) {
                    replica.keep(body, path: path, recursive: recursive)
                }
                return succeed(.ok, index: result.index, status, body: body, on: exchange)
            }
            if case .listed(let file) = result.outcome {
                metrics.end(measure)
                return send(file, index: result.index, status, isHead: isHead, on: exchange)
            }
            answer(result.outcome, at: path, index: result.index, status, measure, on: exchange)
        }
        withdraw(token, measure, whenLeft: exchange)
    }

    private func send(_ file: ListingFile, index: UInt64, _ status: ReplicaStatus, isHead: Bool, on exchange: HTTPExchange) {
        exchange.startStream(.ok, .json, contentLength: file.size) { fields in
            fields.writeKeysFields(index: index, status, clusterID)
        }
        if isHead { return exchange.endStream() }
        FileTransfer(file.descriptor, size: file.size, on: exchange) { withExtendedLifetime(file) {} }.start()
    }

    /// Nothing is begun any more for a client that has gone. One that has only ended its side may still read: most are answered in a moment,
    /// and get their answer. But while no leader is known nothing moves, and who has left must not find later that he was served.
    private func withdraw(_ token: RequestToken, _ measure: RequestMetrics.Measure, whenLeft exchange: HTTPExchange) {
        if token == .answered { return }
        exchange.onClose { [self] in replica.withdraw(token) }
        exchange.onInputClosed { [self] in
            guard exchange.isOpen, replica.status.leader == 0 else { return }
            replica.withdraw(token)
            refuse(V2Error(.noLeader), measure, on: exchange)
        }
    }

    /// - Parameter status: asked for once; that is a tenth of what a read costs here.
    private func answer(
        _ outcome: ReadResult.Outcome, at path: TreePath, index: UInt64, _ status: ReplicaStatus, _ measure: RequestMetrics.Measure,
        on exchange: HTTPExchange
    ) {
        switch outcome {
        case .found(.file(let node)) where LargeFile.isOne(node):
            metrics.end(measure)
            succeed(.ok, index: index, status, body: large.body(of: node, at: path), on: exchange)
        case .found(let reading):
            metrics.end(measure)
            resetScratch()
            scratch.writeReading(reading, at: path, now: status.now)
            succeed(.ok, index: index, status, body: scratch, on: exchange)
        case .listed(let file):
            metrics.end(measure)
            send(file, index: index, status, isHead: false, on: exchange)
        case .refused(let refusal): refuse(V2Error(refusal, index: index), measure, on: exchange)
        case .unavailable(let reason): refuse(V2Error(reason), measure, on: exchange)
        }
    }

    private func succeed(_ code: HTTPStatus, index: UInt64, _ status: ReplicaStatus, body: ByteBuffer, on exchange: HTTPExchange) {
        exchange.respond(code, .json, body: body) { fields in
            fields.writeKeysFields(index: index, status, clusterID)
        }
    }

    private func refuse(_ error: V2Error, _ measure: RequestMetrics.Measure? = nil, on exchange: HTTPExchange) {
        if let measure { metrics.end(measure, failedWith: error.status) }
        resetScratch()
        error.write(into: &scratch)
        exchange.respond(error, body: scratch, clusterID.line(replica.status.clusterID))
    }

    private func resetScratch() {
        if scratch.capacity > Self.scratchBytesMax { scratch = ByteBuffer() }
        scratch.clear(minimumCapacity: 1024)
    }
}

/// The answer with the large file that was read last: clients that ask for the same one share its bytes, also those who take them slowly.
private struct LargeFile {
    private var shown: (path: TreePath, created: UInt64, modified: UInt64, body: ByteBuffer)?

    /// A shown TTL changes by itself.
    static func isOne(_ node: TreeNode) -> Bool { !node.isDirectory && node.expiration == nil && node.value.count > 64 << 10 }

    mutating func body(of node: TreeNode, at path: TreePath) -> ByteBuffer {
        if let shown, shown.modified == node.modified, shown.created == node.created, shown.path == path { return shown.body }
        var body = ByteBufferAllocator().buffer(capacity: node.value.count + path.bytes.count + 256)
        body.writeReading(.file(node), at: path, now: 0)
        shown = body.readableBytes <= 4 << 20 ? (path, node.created, node.modified, body) : nil
        return body
    }
}

extension HTTPExchange {
    func respond(_ error: V2Error, body: ByteBuffer, _ clusterID: ByteBuffer) {
        respond(error.status, .json, body: body) { fields in
            fields.writeImmutableBuffer(clusterID)
            fields.writeStaticString("X-Etcd-Index: ")
            fields.writeDecimal(error.index)
            fields.writeStaticString("\r\n")
        }
    }
}

extension ByteBuffer {
    /// The headers of a success (v2-keys.md §8).
    mutating func writeKeysFields(index: UInt64, _ status: ReplicaStatus, _ clusterID: ClusterIDField) {
        writeImmutableBuffer(clusterID.line(status.clusterID))
        writeStaticString("X-Etcd-Index: ")
        writeDecimal(index)
        writeStaticString("\r\nX-Raft-Index: ")
        writeDecimal(status.commitIndex)
        writeStaticString("\r\nX-Raft-Term: ")
        writeDecimal(status.term)
        writeStaticString("\r\n")
    }
}

/// The `X-Etcd-Cluster-Id` line, written once: the id hardly ever changes.
final class ClusterIDField {
    private var id: UInt64?
    private var text = ByteBuffer()

    func line(_ id: UInt64) -> ByteBuffer {
        if self.id != id {
            self.id = id
            text = ByteBuffer(string: "X-Etcd-Cluster-Id: ")
            text.writeHexadecimal(id)
            text.writeStaticString("\r\n")
        }
        return text
    }
}
