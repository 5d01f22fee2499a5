import HTTPTransport
import Keyspace
import NIOCore
import ReplicaHost

/// An error of the keys API. This file is the only place where its codes are written (v2-keys.md §6).
struct V2Error: Error, Equatable {
    let code: Int
    let status: HTTPStatus
    let message: StaticString
    /// Left out of the body when empty. Bytes, because keys and values are.
    let cause: [UInt8]
    /// Zero for errors found in the request and for 300.
    let index: UInt64

    private init(_ code: Int, _ status: HTTPStatus, _ message: StaticString, cause: [UInt8], index: UInt64 = 0) {
        self.code = code
        self.status = status
        self.message = message
        self.cause = cause
        self.index = index
    }

    static func == (left: V2Error, right: V2Error) -> Bool {
        left.code == right.code && left.cause == right.cause && left.index == right.index
    }

    init(_ refusal: Refusal, index: UInt64) {
        switch refusal {
        case .keyNotFound(let path):
            self.init(100, .notFound, "Key not found", cause: path.shown, index: index)
        case .compareFailed(let value, let number):
            let parts = [
                value.map { Self.comparison($0.given, $0.actual) },
                number.map { Self.comparison(Array(String($0.given).utf8), Array(String($0.actual).utf8)) },
            ].compactMap { $0 }
            let cause = Array(parts.joined(separator: [UInt8(ascii: " ")]))
            self.init(101, .preconditionFailed, "Compare failed", cause: cause, index: index)
        case .notAFile(let path):
            self.init(102, .forbidden, "Not a file", cause: path?.shown ?? [], index: index)
        case .notADirectory(let path):
            self.init(104, .badRequest, "Not a directory", cause: path.shown, index: index)
        case .keyAlreadyExists(let path):
            self.init(105, .preconditionFailed, "Key already exists", cause: path.shown, index: index)
        case .rootIsReadOnly:
            self.init(107, .badRequest, "Root is read only", cause: Array("/".utf8), index: index)
        case .directoryNotEmpty(let path):
            self.init(108, .forbidden, "Directory not empty", cause: path.shown, index: index)
        }
    }

    init(_ reason: Unavailable) {
        let cause =
            switch reason {
            case .timedOut: "etcdserver: request timed out"
            case .timedOutLeaderLost: "etcdserver: request timed out, possibly due to previous leader failure"
            case .timedOutConnectionLost: "etcdserver: request timed out, possibly due to connection lost"
            case .noLeader: "etcdserver: no leader"
            case .stopped: "etcdserver: server stopped"
            case .diskFull: "etcdserver: no space left on the disk of this member; it refuses writes until there is some"
            case .overloaded: "etcdserver: too many requests"
            }
        self.init(300, .internalServerError, "Raft Internal Error", cause: Array(cause.utf8))
    }

    /// A change of `/_etcd/machines`, which is made from the membership (cluster.md §5.1).
    static func keyword(_ path: TreePath, index: UInt64) -> V2Error {
        V2Error(106, .badRequest, "The prefix of given key is a keyword in etcd", cause: path.shown, index: index)
    }

    static let unauthorized = V2Error(
        110, .unauthorized, "The request requires user authentication", cause: Array("Insufficient credentials".utf8))

    static func previousValue(_ cause: StaticString) -> V2Error {
        V2Error(201, .badRequest, "PrevValue is Required in POST form", cause: Array(cause))
    }

    static func ttl(_ cause: StaticString) -> V2Error {
        V2Error(202, .badRequest, "The given TTL in POST form is not a number", cause: Array(cause))
    }

    static func index(_ cause: StaticString) -> V2Error {
        V2Error(203, .badRequest, "The given index in POST form is not a number", cause: Array(cause))
    }

    static func field(_ cause: StaticString) -> V2Error {
        V2Error(209, .badRequest, "Invalid field", cause: Array(cause))
    }

    /// The field is the key. etcd never answers this: it closes the connection.
    static let pathTooLong = V2Error(
        209, .badRequest, "Invalid field",
        cause: Array("key is longer than \(TreePath.bytesMax) bytes or deeper than \(TreePath.segmentsMax) levels".utf8))

    static func form(_ cause: [UInt8]) -> V2Error {
        V2Error(210, .badRequest, "Invalid POST form", cause: cause)
    }

    static let refreshValue = V2Error(
        211, .badRequest, "Value provided on refresh", cause: Array("A value was provided on a refresh".utf8))
    static let refreshTTL = V2Error(
        212, .badRequest, "A TTL must be provided on refresh", cause: Array("No TTL value set".utf8))

    /// As 0.4 answered `/v2/leader`.
    static func election(index: UInt64) -> V2Error {
        V2Error(301, .internalServerError, "During Leader Election", cause: [], index: index)
    }

    static func cleared(oldest: UInt64, waitIndex: UInt64, index: UInt64) -> V2Error {
        let cause = Array("the requested history has been cleared [\(oldest)/\(waitIndex)]".utf8)
        let message: StaticString = "The event in requested index is outdated and cleared"
        return V2Error(401, .badRequest, message, cause: cause, index: index)
    }

    private static func comparison(_ given: [UInt8], _ actual: [UInt8]) -> [UInt8] {
        [UInt8(ascii: "[")] + given + Array(" != ".utf8) + actual + [UInt8(ascii: "]")]
    }

    /// The body, with its newline.
    func write(into buffer: inout ByteBuffer) {
        buffer.writeStaticString("{\"errorCode\":")
        buffer.writeDecimal(UInt64(code.magnitude))
        buffer.writeStaticString(",\"message\":\"")
        buffer.writeStaticString(message)
        buffer.writeStaticString("\"")
        if !cause.isEmpty {
            buffer.writeStaticString(",\"cause\":")
            buffer.writeJSONString(cause)
        }
        buffer.writeStaticString(",\"index\":")
        buffer.writeDecimal(index)
        buffer.writeStaticString("}\n")
    }
}

extension TreePath {
    /// As errors show it: the root is a slash.
    fileprivate var shown: [UInt8] { isRoot ? [UInt8(ascii: "/")] : bytes }
}

extension Array where Element == UInt8 {
    init(_ text: StaticString) {
        self = text.withUTF8Buffer { Array($0) }
    }
}
