import Glibc
import HTTPTransport
import NIOCore
import NIOPosix
import Raft
import TestSupport
import Wire

@testable import PeerTransport

/// Answers HTTP on the peer port.
private final class Responder: HTTPResponder {
    func respond(to request: HTTPRequest, on exchange: HTTPExchange) {
        exchange.respond(.ok, .text, body: ByteBuffer(string: "alive"))
    }
}

/// What a member has been told. On the loop.
final class Record {
    struct Snapshot: Sendable {
        var header: SnapshotHeader
        var from: MemberID
        var path: String
    }

    var messages: [PeerMessage] = []
    /// Messages are counted only.
    var forgetsMessages = false
    var messageCount = 0
    var events: [PeerEvent] = []
    var notices: [PeerNotice] = []
    var snapshots: [Snapshot] = []
    /// Members that are refused, and why.
    var refused: [MemberID: HelloRefusal] = [:]
    var offerRefusal: String?
    var snapshotRefusal: String?
    /// Replies wait here while true.
    var holdsReplies = false
    var heldReplies: [(String?) -> Void] = []
    var outcomes: [SnapshotOutcome] = []
    /// What this member tells the others of the time, and what it is told.
    var time: Int64?
    var told: [Int64] = []
    /// What this member does from within what it is told.
    var onReceived: (() -> Void)?
    var onEvent: ((PeerEvent) -> Void)?

    var texts: [String] { notices.map(\.text) }
}

/// One member: listener and links on a loop of its own.
final class TestMember: Sendable {
    struct State {
        var listener: Listener
        var links: PeerLinks
        var record: Record
    }

    let id: MemberID
    let port: Int
    private let group: MultiThreadedEventLoopGroup
    private let state: NIOLoopBound<State>

    init(
        _ id: UInt64, cluster: UInt64 = 0xc1, port: Int = 0, limits: PeerLimits = PeerLimits(),
        http: HTTPServerLimits = .init(),
        directory: String? = nil
    ) throws {
        self.id = MemberID(id)
        let identity = PeerIdentity(
            cluster: MemberID(cluster), member: MemberID(id), serverVersion: "3.4.23", minimumVersion: "3.0.0")
        group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let loop = group.next()
        let (state, port) = try loop.flatSubmit { () -> EventLoopFuture<(NIOLoopBound<State>, Int)> in
            let record = Record()
            let listener = Listener(responder: Responder(), limits: http, loop: loop)
            let links = PeerLinks(
                loop: loop, identity: identity, transferDirectory: directory, limits: limits, handlers: Self.handlers(record))
            listener.secondProtocol = links.secondProtocol
            let state = NIOLoopBound(State(listener: listener, links: links, record: record), eventLoop: loop)
            return listener.bind(.tcp(host: "127.0.0.1", port: port)).map { (state, $0 ?? 0) }
        }.wait()
        self.state = state
        self.port = port
    }

    deinit {
        let state = state
        state.eventLoop.execute {
            state.value.links.close()
            state.value.listener.close()
        }
        group.shutdownGracefully { _ in }
    }

    private static func handlers(_ record: Record) -> PeerHandlers {
        PeerHandlers(
            accept: { record.refused[$0.from] },
            received: { messages, _ in
                record.messageCount += messages.count
                if !record.forgetsMessages { record.messages += messages }
                record.onReceived?()
            },
            event: {
                record.events.append($0)
                record.onEvent?($0)
            },
            notice: { record.notices.append($0) },
            clock: { record.time }, clockTold: { time, _ in record.told.append(time) },
            snapshotOffered: { _, _ in record.offerRefusal },
            snapshotReceived: { header, from, path, reply in
                record.snapshots.append(Record.Snapshot(header: header, from: from, path: path))
                if record.holdsReplies { record.heldReplies.append(reply) } else { reply(record.snapshotRefusal) }
            })
    }

    var url: String { "http://127.0.0.1:\(port)" }

    @discardableResult
    func onLoop<Value: Sendable>(_ body: @escaping @Sendable (State) -> Value) throws -> Value {
        let state = state
        return try state.eventLoop.submit { body(state.value) }.wait()
    }

    /// Waits until `condition` holds, twenty seconds at most.
    func eventually(_ condition: @escaping @Sendable (State) -> Bool) throws -> Bool {
        for _ in 0..<4000 {
            if try onLoop(condition) { return true }
            pause(milliseconds: 5)
        }
        return false
    }

    func know(_ others: TestMember...) throws {
        try know(others.map { ($0.id, [$0.url]) })
    }

    func know(_ list: [(MemberID, [String])]) throws {
        try onLoop { $0.links.setPeers(list.map { ($0.0, urls: $0.1) }) }
    }

    func send(_ messages: PeerMessage...) throws {
        try onLoop { state in for message in messages { state.links.send(message) } }
    }

    func isConnected(_ other: TestMember) throws -> Bool {
        let id = other.id
        return try eventually { $0.links.isConnected(id) }
    }

    /// As a process that dies: its sockets are closed.
    func stop() throws {
        try onLoop { state in
            state.links.close()
            state.listener.close()
        }
    }

    func answersHTTP() throws -> Bool {
        let client = try RawClient(port: port)
        client.send("GET /alive HTTP/1.1\r\nHost: x\r\n\r\n")
        return try client.answer().hasSuffix("alive")
    }

    func client() throws -> RawClient { try RawClient(port: port) }
}

func pause(milliseconds: UInt32) { usleep(milliseconds * 1000) }

/// Small messages that can be told apart by their number.
func heartbeat(_ number: UInt64, from: TestMember, to: TestMember) -> PeerMessage {
    heartbeat(number, from: from.id, to: to.id)
}

func heartbeat(_ number: UInt64, from: MemberID, to: MemberID) -> PeerMessage {
    .raft(Message(from: from, to: to, term: 3, body: .heartbeat(round: number, commit: 2)), payloads: [])
}

/// An append of one entry with a value of so many bytes.
func append(_ index: UInt64, bytes: Int, from: MemberID, to: MemberID) -> PeerMessage {
    let entry = EntryHeader(position: LogPosition(index: Index(index + 1), term: 3))
    let payload = EntryPayload(kind: .keys, value: [UInt8](repeating: UInt8(truncatingIfNeeded: index), count: bytes))
    let body = Message.Body.append(previous: LogPosition(index: Index(index), term: 3), entries: [entry], commit: 1)
    return .raft(Message(from: from, to: to, term: 3, body: body), payloads: [payload])
}

extension RawClient {
    /// Says hello as a member would, and takes the answer.
    func greet(
        _ purpose: Hello.Purpose, as member: UInt64, to: TestMember, cluster: UInt64 = 0xc1,
        change: (inout Hello) -> Void = { _ in }
    ) throws -> HelloReply? {
        let identity = PeerIdentity(
            cluster: MemberID(cluster), member: MemberID(member), serverVersion: "3.4.23", minimumVersion: "3.0.0")
        var hello = Hello(purpose, from: identity, to: to.id)
        change(&hello)
        send(Hello.preface + Array(Frame.wrap(.hello) { hello.encode(into: &$0) }.readableBytesView))
        return HelloReply(try frame())
    }

    /// The body of the next frame, kind included.
    func frame() throws -> [UInt8] {
        let head = try take(Frame.headBytes)
        let length = head[..<4].reversed().reduce(0) { $0 << 8 | Int($1) }
        return try take(length)
    }

    func send(_ frame: ByteBuffer) { send(Array(frame.readableBytesView)) }

    /// True when the other side closes before it says anything more; fails after the socket's time-out.
    func isClosed() throws -> Bool {
        while try fill() {}
        return received.isEmpty
    }
}

/// A folder that is gone with its owner.
final class TransferFolder: Sendable {
    let path: String

    init() {
        var template = Array("/tmp/etclite-peers-XXXXXX".utf8CString)
        mkdtemp(&template)
        path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    deinit {
        for name in names { unlink("\(path)/\(name)") }
        rmdir(path)
    }

    /// Sorted.
    var names: [String] {
        guard let folder = opendir(path) else { return [] }
        defer { closedir(folder) }
        var names: [String] = []
        while let entry = readdir(folder) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name != ".", name != ".." { names.append(name) }
        }
        return names.sorted()
    }

    @discardableResult
    func write(_ name: String, _ bytes: [UInt8]) -> String {
        let file = fopen("\(path)/\(name)", "w")
        bytes.withUnsafeBytes { _ = fwrite($0.baseAddress, 1, $0.count, file) }
        fclose(file)
        return "\(path)/\(name)"
    }

    static func read(_ path: String) -> [UInt8] {
        guard let file = fopen(path, "r") else { return [] }
        defer { fclose(file) }
        var bytes: [UInt8] = []
        var piece = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let count = fread(&piece, 1, piece.count, file)
            if count == 0 { return bytes }
            bytes += piece[..<count]
        }
    }
}
