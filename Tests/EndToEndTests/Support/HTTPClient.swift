import Foundation

/// A small blocking HTTP/1.1 client on one kept connection: what it sends and receives is all there is.
final class HTTPClient {
    struct Response {
        var status = 0
        /// Names in lower case.
        var headers: [String: String] = [:]
        var body: [UInt8] = []

        var text: String { String(decoding: body, as: UTF8.self) }
        var index: UInt64 { headers["x-etcd-index"].flatMap { UInt64($0) } ?? 0 }
        var isSuccess: Bool { status == 200 || status == 201 }

        /// The body as an answer of the keys API.
        func answer() throws -> Answer {
            do { return try JSONDecoder().decode(Answer.self, from: Data(body)) } catch {
                throw Failure("status \(status), no answer of the keys API: \(text.prefix(300))")
            }
        }
    }

    private let port: UInt16
    private let timeoutSeconds: Int
    /// `name:password` for HTTP Basic.
    var user: String?
    private var socket: Socket?
    private var buffer: [UInt8] = []

    init(port: UInt16, timeoutSeconds: Int = 20) {
        self.port = port
        self.timeoutSeconds = timeoutSeconds
    }

    /// A failed exchange closes the connection; the next one makes another.
    func request(_ method: String, _ target: String, _ form: [String: String]? = nil) throws -> Response {
        try exchange(method, target, form.map { Body($0) })
    }

    func request(_ method: String, _ target: String, json: String) throws -> Response {
        try exchange(method, target, Body(type: "application/json", text: json))
    }

    private struct Body {
        var type: String
        var text: String

        init(type: String, text: String) { (self.type, self.text) = (type, text) }

        init(_ form: [String: String]) {
            let fields = form.map { "\($0.key)=\(HTTPClient.escape($0.value))" }
            self.init(type: "application/x-www-form-urlencoded", text: fields.joined(separator: "&"))
        }
    }

    private func exchange(_ method: String, _ target: String, _ body: Body?) throws -> Response {
        do {
            try send(method, target, body)
            var response = try receiveHead()
            if method != "HEAD" { response.body = try receiveBody(response) }
            if response.headers["connection"]?.lowercased() == "close" { close() }
            return response
        } catch {
            close()
            throw error
        }
    }

    func get(_ key: String, _ query: String = "") throws -> Response {
        try request("GET", "/v2/keys" + key + (query.isEmpty ? "" : "?" + query))
    }

    @discardableResult
    func put(_ key: String, _ value: String, _ more: [String: String] = [:]) throws -> Response {
        try request("PUT", "/v2/keys" + key, more.merging(["value": value]) { $1 })
    }

    /// All files of the key tree below `key`, and the index of that moment.
    func files(_ key: String, _ query: String) throws -> (files: [String: Answer.Node], index: UInt64) {
        let response = try get(key, query)
        if response.status == 404 { return ([:], response.index) }
        let answer = try response.answer()
        guard let node = answer.node else { throw Failure("listing \(key): \(response.text.prefix(300))") }
        return (node.files, response.index)
    }

    /// Sends a watch and reads its head; `nextEvent` reads on.
    func watch(_ key: String, _ query: String) throws -> Response {
        try send("GET", "/v2/keys\(key)?wait=true&\(query)", nil)
        return try receiveHead()
    }

    /// The next chunk of a watch; nil at its end.
    func nextEvent() throws -> Answer? {
        guard let chunk = try receiveChunk() else { return nil }
        return try JSONDecoder().decode(Answer.self, from: Data(chunk))
    }

    func close() {
        socket?.close()
        socket = nil
        buffer = []
    }

    // MARK: The wire

    private func send(_ method: String, _ target: String, _ body: Body?) throws {
        var head = "\(method) \(target) HTTP/1.1\r\nHost: 127.0.0.1:\(port)\r\n"
        if let user { head += "Authorization: Basic \(Data(user.utf8).base64EncodedString())\r\n" }
        if let body { head += "Content-Type: \(body.type)\r\nContent-Length: \(body.text.utf8.count)\r\n" }
        let socket = try self.socket ?? Socket(connectingTo: port, timeoutSeconds: timeoutSeconds)
        self.socket = socket
        try socket.send(Array((head + "\r\n" + (body?.text ?? "")).utf8))
    }

    private func receiveHead() throws -> Response {
        var response = Response()
        let line = try receiveLine()
        let words = line.split(separator: " ")
        guard words.count >= 2, words[0].hasPrefix("HTTP/1."), let status = Int(words[1]) else {
            throw Failure("not an HTTP answer: \(line)")
        }
        response.status = status
        while true {
            let line = try receiveLine()
            if line.isEmpty { return response }
            guard let colon = line.firstIndex(of: ":") else { throw Failure("not a header: \(line)") }
            let value = line[line.index(after: colon)...].trimmingCharacters(in: .whitespaces)
            response.headers[line[..<colon].lowercased()] = value
        }
    }

    private func receiveBody(_ response: Response) throws -> [UInt8] {
        if response.headers["transfer-encoding"] == "chunked" {
            var body: [UInt8] = []
            while let chunk = try receiveChunk() { body += chunk }
            return body
        }
        guard let length = response.headers["content-length"].flatMap({ Int($0) }), length >= 0 else { return [] }
        return try receiveBytes(length)
    }

    private func receiveChunk() throws -> [UInt8]? {
        guard let size = Int(try receiveLine(), radix: 16), size >= 0 else { throw Failure("not a chunk") }
        let bytes = try receiveBytes(size)
        _ = try receiveLine()
        return size == 0 ? nil : bytes
    }

    private func receiveLine() throws -> String {
        var searched = 0
        while true {
            if let end = buffer[searched...].firstIndex(of: 10) {
                let line = buffer[..<end].last == 13 ? buffer[..<(end - 1)] : buffer[..<end]
                let text = String(decoding: line, as: UTF8.self)
                buffer.removeFirst(end + 1)
                return text
            }
            searched = buffer.count
            try receiveMore()
        }
    }

    private func receiveBytes(_ count: Int) throws -> [UInt8] {
        while buffer.count < count { try receiveMore() }
        let bytes = Array(buffer[..<count])
        buffer.removeFirst(count)
        return bytes
    }

    private func receiveMore() throws {
        guard let bytes = try socket?.receive(), !bytes.isEmpty else { throw Failure("the server closed the connection") }
        buffer += bytes
    }

    static func escape(_ text: String) -> String {
        let plain = CharacterSet(charactersIn: "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.~")
        return text.addingPercentEncoding(withAllowedCharacters: plain) ?? ""
    }
}

/// An answer or an error of the keys API (v2-keys.md §5 and §6).
struct Answer: Decodable {
    struct Node: Decodable, Equatable {
        var key: String?
        var value: String?
        var dir: Bool?
        var nodes: [Node]?
        var createdIndex: UInt64?
        var modifiedIndex: UInt64?
        var ttl: Int?
        var expiration: String?

        /// Itself and everything below it.
        var all: [Node] { [self] + (nodes ?? []).flatMap(\.all) }
        /// Everything below it that is a file, by key.
        var files: [String: Node] {
            Dictionary(all.filter { $0.dir != true }.compactMap { node in node.key.map { ($0, node) } }) { first, _ in first }
        }
    }

    var action: String?
    var node: Node?
    var prevNode: Node?
    var errorCode: Int?
    var message: String?
    var cause: String?
    var index: UInt64?
}
