import Keyspace
import NIOCore
import NIOPosix
import ReplicaHost
import Storage
import TestSupport
import Testing

@Suite("A lone voter that has just come to lead", .serialized)
struct LoneLeaderTests {
    private let directory: TemporaryDirectory

    init() throws { directory = try TemporaryDirectory() }

    /// What a member finds when the other of two has removed itself, and after a crash: entries that are committed, perhaps answered, and not
    /// known to be.
    @Test("A quorum read waits until the opening entry, and so everything answered before, is applied", arguments: 1...5)
    func opening(round: Int) async throws {
        let host = try await Host(directory.file("data"))
        try await host.make(.set, "/key", "old")
        try await eventually { try inTree(of: DataDirectory(path: host.path)) }
        let crashed = DataDirectory(path: directory.file("crashed"))
        let source = DataDirectory(path: host.path)
        try FileOperations.makeDirectories(crashed.member)
        // The tree as it was before, and then a log that has more.
        for suffix in ["", "-wal"] { try Files.write(try Files.read(source.tree + suffix), to: crashed.tree + suffix) }
        try await host.make(.set, "/key", "new")
        for suffix in ["-wal", ""] { try Files.write(try Files.read(source.log + suffix), to: crashed.log + suffix) }
        try await host.stop()

        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let loop = group.next()
        let read = loop.makePromise(of: ReadResult.self)
        _ = try crashed.openForServing()
        let service = try ReplicaService.open(
            crashed, Host.configuration(), on: loop, notice: { _ in }, fail: { fatalError("\($0)") }, published: {})
        @Sendable func askTheNewLeader() {
            guard service.status.isLeader else { return loop.execute(askTheNewLeader) }
            service.read("/key", recursive: false, quorum: true) { read.succeed($0) }
        }
        loop.execute(askTheNewLeader)
        guard case .found(.file(let node)) = try await read.futureResult.get().outcome else {
            Issue.record("nothing was read")
            return
        }
        #expect(String(decoding: node.value, as: UTF8.self) == "new", "round \(round)")
        let stopped = loop.makePromise(of: Void.self)
        loop.execute { service.stop { stopped.succeed(()) } }
        try await stopped.futureResult.get()
        try await group.shutdownGracefully()
    }

    private func inTree(of directory: DataDirectory) throws -> Bool {
        let reader = try TreeReader(path: directory.tree, as: .reader)
        defer { reader.close() }
        return try reader.node(at: "/key") != nil
    }
}
