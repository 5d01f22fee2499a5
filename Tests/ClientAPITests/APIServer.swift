import ClientAPI
import Glibc
import HTTPTransport
import Keyspace
import NIOCore
import NIOPosix
import ReplicaHost
import TestSupport

/// The client API over a fake replica, on a port of its own.
final class APIServer: Sendable {
    let port: Int
    let peerPort: Int
    private let group: MultiThreadedEventLoopGroup
    private typealias State = NIOLoopBound<(replica: FakeReplica, door: ClientDoor, listeners: [Listener])>

    private let state: State

    init(
        _ configuration: ClientAPIConfiguration = ClientAPIConfiguration(),
        limits: HTTPServerLimits = HTTPServerLimits(), isReady: Bool = true
    ) throws {
        group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let loop = group.next()
        let (state, ports) = try loop.flatSubmit { () -> EventLoopFuture<(State, [Int])> in
            let replica = FakeReplica()
            let clients = ClientDoor(configuration: configuration, loop: loop)
            if isReady { clients.open(replica) }
            let doors: [any HTTPResponder] = [
                clients,
                PeerDoor(replica: replica, configuration: configuration),
            ]
            let listeners = doors.map { Listener(responder: $0, limits: limits, loop: loop) }
            clients.listener = listeners.first
            let state = State((replica: replica, door: clients, listeners: listeners), eventLoop: loop)
            let ports = listeners.map { $0.bind(.tcp(host: "127.0.0.1", port: 0)).map { $0 ?? 0 } }
            return EventLoopFuture.whenAllSucceed(ports, on: loop).map { (state, $0) }
        }.wait()
        self.state = state
        port = ports[0]
        peerPort = ports[1]
    }

    deinit {
        let state = state
        state.eventLoop.execute { for listener in state.value.listeners { listener.close() } }
        group.shutdownGracefully { _ in }
    }

    func onLoop<Value: Sendable>(_ body: @escaping @Sendable (FakeReplica) -> Value) throws -> Value {
        let state = state
        return try state.eventLoop.submit { body(state.value.replica) }.wait()
    }

    /// For one that was made not ready.
    func atDoor(_ body: @escaping @Sendable (ClientDoor, FakeReplica) -> Void) throws {
        let state = state
        try state.eventLoop.submit { body(state.value.door, state.value.replica) }.wait()
    }

    /// Waits until that of the client port is as it should be, a few seconds at most.
    func eventuallyAtListener(_ condition: @escaping @Sendable (Listener) -> Bool) throws -> Bool {
        let state = state
        for _ in 0..<1000 {
            if try state.eventLoop.submit({ condition(state.value.listeners[0]) }).wait() { return true }
            usleep(10_000)
        }
        return false
    }

    /// Waits until `condition` holds, a few seconds at most.
    func eventually(_ condition: @escaping @Sendable (FakeReplica) -> Bool) throws -> Bool {
        for _ in 0..<500 {
            if try onLoop(condition) { return true }
            usleep(10_000)
        }
        return false
    }

    func client() throws -> RawClient { try RawClient(port: port) }

    /// Sends a request on a connection of its own and gives the whole answer.
    func ask(_ verb: String, _ target: String, form: String? = nil, fields: String = "") throws -> String {
        let client = try client()
        client.send(Self.request(verb, target, form: form, fields: fields))
        return try client.answer(isHead: verb == "HEAD")
    }

    static func request(_ verb: String, _ target: String, form: String? = nil, fields: String = "") -> String {
        let body = form ?? ""
        let type = form == nil ? "" : "Content-Type: application/x-www-form-urlencoded\r\n"
        let length = form == nil ? "" : "Content-Length: \(body.utf8.count)\r\n"
        return "\(verb) \(target) HTTP/1.1\r\nHost: localhost\r\n\(fields)\(type)\(length)\r\n\(body)"
    }
}

extension String {
    /// The body of an answer.
    var body: String {
        guard let end = range(of: "\n\n") else { return "" }
        return String(self[end.upperBound...])
    }

    var status: Int { Int(dropFirst(9).prefix(3)) ?? 0 }
}
