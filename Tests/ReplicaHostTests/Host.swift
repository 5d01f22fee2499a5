import Keyspace
import NIOCore
import NIOPosix
import Raft
import ReplicaHost
import Storage
import Synchronization
import Testing
import Wire

extension TreePath: ExpressibleByStringLiteral {
    public init(stringLiteral text: String) { self.init(text) }
}

/// A replica on a loop of its own, with its confined calls turned into waits.
final class Host: Sendable {
    let path: String
    let loop: any EventLoop
    let service: ReplicaService
    let notices: Notices
    private let group: MultiThreadedEventLoopGroup

    final class Notices: Sendable {
        private let texts = Mutex<[String]>([])
        var all: [String] { texts.withLock { $0 } }
        func add(_ notice: ReplicaNotice) { texts.withLock { $0.append("\(notice)") } }
    }

    static func configuration() -> ReplicaConfiguration {
        ReplicaConfiguration(
            name: "one", peerURLs: ["http://localhost:2380"], clientURLs: ["http://localhost:2379"],
            member: MemberID(0x8e9e_05c5_2164_694d), cluster: MemberID(0xcdf8_1819_4e3a_8c32))
    }

    /// Returns when clients may be served.
    init(_ path: String, change: (inout ReplicaConfiguration) -> Void = { _ in }) async throws {
        var configuration = Host.configuration()
        change(&configuration)
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let loop = group.next()
        let notices = Notices()
        let published = loop.makePromise(of: Void.self)
        let data = DataDirectory(path: path)
        do {
            _ = try data.openForServing()
            service = try ReplicaService.open(
                data, configuration, on: loop, notice: { notices.add($0) }, fail: { fatalError("\($0)") },
                published: { published.succeed(()) })
        } catch {
            published.fail(error)
            try await group.shutdownGracefully()
            throw error
        }
        self.path = path
        self.group = group
        self.loop = loop
        self.notices = notices
        try await published.futureResult.get()
    }

    func onLoop<Value: Sendable>(_ body: @escaping @Sendable () -> Value) async throws -> Value {
        try await loop.submit(body).get()
    }

    func propose(_ command: Command) async -> ProposalResult {
        await withCheckedContinuation { continuation in
            loop.execute { self.service.propose(command, client: Array("1.2.3.4:5".utf8)) { continuation.resume(returning: $0) } }
        }
    }

    /// A change that must succeed.
    @discardableResult
    func make(
        _ operation: Command.Operation, _ path: TreePath, _ value: String = "", at location: SourceLocation = #_sourceLocation,
        change: (inout Command) -> Void = { _ in }
    ) async throws -> Event {
        var command = Command(operation, path)
        command.value = Array(value.utf8)
        change(&command)
        let result = await propose(command)
        guard case .applied(let event) = result else {
            Issue.record("\(result)", sourceLocation: location)
            throw Unexpected()
        }
        return event
    }

    func read(_ path: TreePath, recursive: Bool = false, quorum: Bool = false) async -> ReadResult {
        await withCheckedContinuation { continuation in
            loop.execute {
                self.service.read(path, recursive: recursive, quorum: quorum, encoder: TestEncoding()) { continuation.resume(returning: $0) }
            }
        }
    }

    /// Nil when nothing is there.
    func value(_ path: TreePath) async throws -> String? {
        switch await read(path).outcome {
        case .found(.file(let node)): return String(decoding: node.value, as: UTF8.self)
        case .refused(.keyNotFound): return nil
        case let other:
            Issue.record("\(other)")
            throw Unexpected()
        }
    }

    /// Everything in the tree, and the index at which it was read. No more than one listing may hold.
    func everything(below path: TreePath = .root) async throws -> (nodes: [ListedNode], index: UInt64) {
        let result = await read(path, recursive: true)
        guard case .found(.directory(_, let nodes)) = result.outcome else { throw Unexpected() }
        return (nodes, result.index)
    }

    func status() async throws -> ReplicaStatus { try await onLoop { self.service.status } }

    func watch(_ path: TreePath, recursive: Bool = false, isStream: Bool = false, since: UInt64 = 0) async throws -> Sink {
        let sink = Sink()
        let token = try await onLoop {
            self.service.watch(path, recursive: recursive, isStream: isStream, since: since, sink: sink)
        }
        sink.token = token
        return sink
    }

    func stop() async throws {
        await withCheckedContinuation { continuation in
            loop.execute { self.service.stop { continuation.resume() } }
        }
        try await group.shutdownGracefully()
    }

    struct Unexpected: Error {}
}

/// What a watcher was told, in order.
///
/// `@unchecked Sendable`: `token` is set once, before anybody else looks at it; the rest is behind a lock.
final class Sink: WatchSink, @unchecked Sendable {
    enum Told: Equatable, Sendable {
        case started(UInt64)
        case cleared(oldest: UInt64, index: UInt64)
        case event(Event, twice: Bool)
        case ended
        case unavailable(Unavailable)
    }

    var token = WatchToken(0)
    private let heard = Mutex<[Told]>([])
    private let flushed = Mutex<Int>(0)

    var told: [Told] { heard.withLock { $0 } }
    /// How much was said before the last flush.
    var flushedCount: Int { flushed.withLock { $0 } }

    var events: [Event] {
        told.compactMap { if case .event(let event, _) = $0 { event } else { nil } }
    }

    func started(index: UInt64) { hear(.started(index)) }
    func cleared(oldest: UInt64, index: UInt64) { hear(.cleared(oldest: oldest, index: index)) }
    func push(_ event: SharedEvent, twice: Bool) { hear(.event(event.event, twice: twice)) }
    func flushEvents() { flushed.withLock { $0 = told.count } }
    func ended() { hear(.ended) }
    func unavailable(_ reason: Unavailable) { hear(.unavailable(reason)) }

    private func hear(_ told: Told) { heard.withLock { $0.append(told) } }
}

/// Waits until the condition holds; records an issue when it does not within the time.
func eventually(
    seconds: Double = 10, _ note: Comment? = nil, at location: SourceLocation = #_sourceLocation,
    _ condition: () async throws -> Bool
) async throws {
    let end = ContinuousClock.now + .seconds(seconds)
    while ContinuousClock.now < end {
        if try await condition() { return }
        try await Task.sleep(for: .milliseconds(5))
    }
    Issue.record(note ?? "it did not happen in \(seconds) s", sourceLocation: location)
}

/// A value that a test and the callbacks it has given away both look at.
final class Shared<Value: Sendable>: Sendable {
    private let mutex: Mutex<Value>

    init(_ value: Value) { mutex = Mutex(value) }

    var value: Value { mutex.withLock { $0 } }

    @discardableResult
    func change<Result: Sendable>(_ body: (inout Value) -> Result) -> Result {
        mutex.withLock { value in
            var copy = value
            defer { value = copy }
            return body(&copy)
        }
    }
}

/// A line for each node: its depth, its path, its value.
struct TestEncoding: ListingEncoding {
    func begin(_ directory: TreeNode?, at path: TreePath, into body: inout ByteBuffer) {
        body.writeString("\(path.text) \(directory?.created ?? 0)\n")
    }

    func add(_ line: ListedNode, into body: inout ByteBuffer) {
        body.writeString("\(line.depth) \(line.path.text) \(String(decoding: line.node.value, as: UTF8.self))\n")
    }

    func end(into body: inout ByteBuffer) { body.writeString("end\n") }
}
