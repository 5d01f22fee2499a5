import HTTPTransport
import NIOCore
import ReplicaHost

/// `/v2/members` (v2-keys.md §15, cluster.md §5): who is in the cluster, and changes of it.
final class MembersEndpoint {
    private let replica: any ReplicaDoor
    private let clusterID: ClusterIDField

    init(replica: any ReplicaDoor, clusterID: ClusterIDField) {
        self.replica = replica
        self.clusterID = clusterID
    }

    /// - Parameter name: What follows `/v2/members/`; empty for the collection.
    func respond(to request: HTTPRequest, name: [UInt8], on exchange: HTTPExchange) {
        let clusterLine = clusterID.line(replica.status.clusterID)
        switch request.verb {
        case .get: list(name, clusterLine, on: exchange)
        case .post: add(request, clusterLine, on: exchange)
        case .put, .delete:
            if name.isEmpty {
                return PlainAnswers.methodNotAllowed(exchange, allowed: nil, clusterID: clusterLine)
            }
            change(request, name, clusterLine, on: exchange)
        case .head, .options, .other: PlainAnswers.methodNotAllowed(exchange, allowed: nil, clusterID: clusterLine)
        }
    }

    private func list(_ name: [UInt8], _ clusterLine: ByteBuffer, on exchange: HTTPExchange) {
        var body = ByteBuffer()
        if name.isEmpty {
            body.writeStaticString("{\"members\":[")
            for (position, member) in replica.members.sorted(by: { $0.id < $1.id }).enumerated() {
                if position > 0 { body.writeStaticString(",") }
                body.writeMember(member)
            }
            body.writeStaticString("]}\n")
            return PlainAnswers.json(exchange, .ok, body, clusterID: clusterLine)
        }
        guard name.span.equals("leader") else {
            return PlainAnswers.message(exchange, .notFound, "Not found", clusterID: clusterLine)
        }
        let leader = replica.status.leader
        guard leader != 0, let member = replica.members.first(where: { $0.id == leader }) else {
            return PlainAnswers.message(exchange, .serviceUnavailable, "During election", clusterID: clusterLine)
        }
        body.writeMember(member)
        body.writeStaticString("\n")
        PlainAnswers.json(exchange, .ok, body, clusterID: clusterLine)
    }

    private func add(_ request: HTTPRequest, _ clusterLine: ByteBuffer, on exchange: HTTPExchange) {
        do throws(RequestError) {
            let body = try Self.body(of: request)
            let urls = try Self.peerURLs(in: body)
            // A field of ours: a member that joins by `-peers` asks for itself.
            replica.change(.add(peerURLs: urls, isStarting: body["starting"] == .bool(true))) { Self.answer(with: $0, clusterLine, on: exchange) }
        } catch {
            PlainAnswers.message(exchange, error.status, error.message, clusterID: clusterLine)
        }
    }

    private func change(_ request: HTTPRequest, _ name: [UInt8], _ clusterLine: ByteBuffer, on exchange: HTTPExchange) {
        do throws(RequestError) {
            guard let id = Self.id(name) else { throw .noSuchMember(name) }
            // From here on without the leading zeros that the path may have had.
            let name = Array(String(id, radix: 16).utf8)
            let urls = request.verb == .put ? try Self.peerURLs(in: Self.body(of: request)) : []
            // 0 is no identity; nobody has it.
            guard id != 0 else { throw .noSuchMember(name) }
            if request.verb == .put {
                replica.change(.update(id, peerURLs: urls)) { Self.answer(with: $0, for: name, isUpdate: true, clusterLine, on: exchange) }
            } else {
                replica.change(.remove(id)) { Self.answer(with: $0, for: name, clusterLine, on: exchange) }
            }
        } catch {
            PlainAnswers.message(exchange, error.status, error.message, clusterID: clusterLine)
        }
    }

    private static func answer(
        with result: MemberChangeResult, for name: [UInt8] = [], isUpdate: Bool = false, _ clusterLine: ByteBuffer,
        on exchange: HTTPExchange
    ) {
        guard exchange.isOpen else { return }
        func refuse(_ status: HTTPStatus, _ text: [UInt8]) {
            PlainAnswers.message(exchange, status, text, clusterID: clusterLine)
        }
        switch result {
        case .done(let member?):
            var body = ByteBuffer()
            body.writeMember(member)
            body.writeStaticString("\n")
            PlainAnswers.json(exchange, .created, body, clusterID: clusterLine)
        case .done: exchange.respond(.noContent, nil) { fields in fields.writeImmutableBuffer(clusterLine) }
        case .idExists: refuse(.conflict, Array("membership: ID exists".utf8))
        case .urlExists: refuse(.conflict, Array("membership: peerURL exists".utf8))
        case .unknown: refuse(.notFound, Array("No such member: ".utf8) + name)
        case .removed where isUpdate: refuse(.internalServerError, Array("membership: ID removed".utf8))
        case .removed: refuse(.gone, Array("Member permanently removed: ".utf8) + name)
        case .refused(let text): refuse(.internalServerError, Array(text.utf8))
        case .unavailable(let reason): refuse(.internalServerError, V2Error(reason).cause)
        }
    }

    /// Hexadecimal, up to 64 bits.
    private static func id(_ name: [UInt8]) -> UInt64? {
        guard !name.isEmpty, name.allSatisfy({ Token.hexValue($0) != nil }) else { return nil }
        return UInt64(String(decoding: name, as: UTF8.self), radix: 16)
    }

    /// An object, or null.
    private static func body(of request: HTTPRequest) throws(RequestError) -> JSONValue {
        let type = request.bytes(of: .contentType) ?? []
        guard MediaType.isJSON(type) else { throw .badContentType(type) }
        if case .tooLarge = request.bodyState { throw .badRequest("request body too large") }
        do throws(JSONValue.Malformed) {
            let value = try JSONValue.parse(request.body.readableBytesUInt8Span.array)
            switch value {
            case .object, .null: return value
            case .bool, .number, .string, .array:
                throw JSONValue.Malformed(message: "json: cannot unmarshal \(value.kind) into an object with peerURLs")
            }
        } catch {
            throw .badRequest(error.message)
        }
    }

    private static func peerURLs(in body: JSONValue) throws(RequestError) -> [String] {
        let urls: [JSONValue]
        switch body["peerURLs"] {
        case .none, .some(.null): urls = []
        case .some(.array(let values)): urls = values
        case .some(let value):
            throw .badRequest("json: cannot unmarshal \(value.kind) into Go struct field .peerURLs of type []string")
        }
        if urls.isEmpty { throw .badRequest("no valid URLs given") }
        var texts: [String] = []
        for url in urls {
            guard case .string(let bytes) = url else {
                throw .badRequest("json: cannot unmarshal \(url.kind) into Go struct field .peerURLs of type string")
            }
            let text = PeerURL.trimmed(String(decoding: bytes, as: UTF8.self))
            if let reason = PeerURL.refusal(text) { throw .badRequest(reason) }
            texts.append(text)
        }
        return texts
    }

    private enum RequestError: Error {
        case noSuchMember([UInt8])
        case badContentType([UInt8])
        case badRequest(String)

        var status: HTTPStatus {
            switch self {
            case .noSuchMember: .notFound
            case .badContentType: .unsupportedMediaType
            case .badRequest: .badRequest
            }
        }

        var message: [UInt8] {
            switch self {
            case .noSuchMember(let name): Array("No such member: ".utf8) + name
            case .badContentType(let type):
                Array("Bad Content-Type ".utf8) + type + Array(", accept application/json".utf8)
            case .badRequest(let text): Array(text.utf8)
            }
        }
    }
}

extension ByteBuffer {
    mutating func writeMember(_ member: MemberRecord) {
        writeStaticString("{\"id\":\"")
        writeHexadecimal(member.id)
        writeStaticString("\",\"name\":")
        writeJSONString(member.name)
        writeStaticString(",\"peerURLs\":")
        writeStrings(member.peerURLs)
        writeStaticString(",\"clientURLs\":")
        writeStrings(member.clientURLs)
        writeStaticString("}")
    }

    mutating func writeStrings(_ texts: [String]) {
        writeStaticString("[")
        for (position, text) in texts.enumerated() {
            if position > 0 { writeStaticString(",") }
            writeJSONString(text)
        }
        writeStaticString("]")
    }
}
