import Keyspace
import NIOCore
import Raft
import ReplicaHost
import SQLite
import Storage
import TestSupport
import Testing
import Wire

@Suite("Under load")
struct LoadTests {
    private let directory: TemporaryDirectory
    private var path: String { directory.file("data") }

    init() throws { directory = try TemporaryDirectory() }

    /// Proposes random commands, a few at once, and compares what the loop has cached with a tree in memory whenever both
    /// are at the same index. Confined to the loop.
    private final class CacheChecker: @unchecked Sendable {
        let host: Host
        private var generator: SeededGenerator
        private var model = KeyTree(table: MemoryNodeTable(), index: 3)
        private var rest: Int
        private var onTheirWay = 0
        private let done: EventLoopPromise<Void>
        private(set) var compared = 0
        private(set) var listings = 0
        private(set) var differences: [String] = []

        init(_ host: Host, seed: UInt64, commands: Int, done: EventLoopPromise<Void>) {
            self.host = host
            self.done = done
            generator = SeededGenerator(seed: seed)
            rest = commands
        }

        private func path(depthMax: Int) -> TreePath {
            var path = TreePath.root
            for _ in 0..<Int.random(in: 1...depthMax, using: &generator) {
                path = path.child([[0x61], [0x62], [0x63], [0x5f, 0x68]].randomElement(using: &generator) ?? [0x61])
            }
            return path
        }

        func go() {
            while onTheirWay < 4, rest > 0 {
                rest -= 1
                onTheirWay += 1
                let operations: [Command.Operation] = [
                    .set, .set, .set, .create, .update, .delete, .compareAndDelete, .createInOrder,
                ]
                var command = Command(operations.randomElement(using: &generator) ?? .set, path(depthMax: 3))
                command.value = [UInt8.random(in: 0x61...0x7a, using: &generator)]
                command.isRecursive = Int.random(in: 0..<2, using: &generator) == 0
                command.isDirectory = Int.random(in: 0..<5, using: &generator) == 0
                host.service.propose(command, client: []) { [self] result in
                    _ = model.apply(command, at: 0, watched: WatchedPaths())
                    if case .unavailable(let reason) = result { differences.append("\(reason)") }
                    for _ in 0..<3 { compare(path(depthMax: 3)) }
                    compare(.root)
                    onTheirWay -= 1
                    if rest == 0, onTheirWay == 0 { done.succeed(()) } else { go() }
                }
                let place = Int.random(in: 0..<4, using: &generator) == 0 ? .root : path(depthMax: 3)
                let recursive = Int.random(in: 0..<2, using: &generator) == 0
                host.service.read(place, recursive: recursive, quorum: Int.random(in: 0..<2, using: &generator) == 0) {
                    [self] result in
                    if result.index == model.index { check(result.outcome, place, recursive) }
                    guard case .found(.directory(_, _)) = result.outcome, case .found(let reading) = result.outcome else {
                        return
                    }
                    host.service.keep(ByteBuffer(string: "\(reading)"), path: place, recursive: recursive)
                }
            }
        }

        private func check(_ outcome: ReadResult.Outcome, _ place: TreePath, _ recursive: Bool) {
            let expected = model.get(place, recursive: recursive)
            switch (outcome, expected) {
            case (.found(let one), .success(let two)) where one == two: compared += 1
            case (.refused(let one), .failure(let two)) where one == two: compared += 1
            default: differences.append("read \(place.text): \(outcome), not \(expected)")
            }
        }

        private func compare(_ place: TreePath) {
            guard host.service.status.keysIndex == model.index else { return }
            for recursive in [false, true] {
                guard let cached = host.service.cached(place, recursive: recursive) else { continue }
                let expected = model.get(place, recursive: recursive)
                switch (cached, expected) {
                case (.file(let node), .success(.file(let other))) where node == other: compared += 1
                case (.listing(let body), .success(let reading)) where String(buffer: body) == "\(reading)": listings += 1
                default:
                    differences.append("index \(model.index), \(place.text), recursive \(recursive): \(cached), not \(expected)")
                }
            }
        }
    }

    @Test("What the loop has cached is what the tree holds, at every index", arguments: 1...4)
    func cacheIsCoherent(seed: UInt64) async throws {
        let host = try await Host(path)
        let done = host.loop.makePromise(of: Void.self)
        let checker = CacheChecker(host, seed: seed, commands: 600, done: done)
        host.loop.execute { checker.go() }
        try await done.futureResult.get()
        let (compared, listings, differences) = try await host.onLoop {
            (checker.compared, checker.listings, checker.differences)
        }
        #expect(differences.prefix(3) == [], "seed \(seed)")
        #expect(compared > 100 && listings > 10, "seed \(seed): \(compared) and \(listings) were compared")
        try await host.stop()
    }

    @Test("A backup under load holds everything that was answered before it was asked for, and proves itself")
    func backup() async throws {
        let host = try await Host(path)
        let answered = Shared<UInt64>(0)
        let isEnough = Shared<Bool>(false)
        let writers = (0..<4).map { writer in
            Task {
                var number = 0
                while !isEnough.value {
                    number += 1
                    let event = try await host.make(.set, TreePath("/w\(writer)/k\(number % 200)"), "\(number)")
                    answered.change { $0 = max($0, event.index) }
                }
            }
        }
        try await eventually { answered.value > 200 }
        let finish = Finish()
        for _ in 0..<3 {
            let known = answered.value
            let (path, hash, size) = try await withCheckedThrowingContinuation {
                (continuation: CheckedContinuation<(String, String, UInt64), any Error>) in
                host.loop.execute {
                    host.service.backup { result in
                        if case .success(let copy) = result { finish.done = copy.done }
                        continuation.resume(with: result.map { ($0.path, $0.stateHash, $0.size) }.mapError { $0 as any Error })
                    }
                }
            }
            let manifest = try BackupFile.verify(path)
            #expect(manifest.keysIndex >= known)
            #expect(manifest.stateHash == hash && manifest.member == MemberID(0x8e9e_05c5_2164_694d))
            #expect(size == UInt64(FileOperations.size(path) ?? 0))
            try await host.onLoop { finish.done?() }
            #expect(!FileOperations.exists(path))
        }
        let soFar = answered.value
        try await eventually { answered.value > soFar }
        isEnough.change { $0 = true }
        for writer in writers { try await writer.value }
        try await host.stop()
    }

    /// `@unchecked Sendable`: touched on the replica's loop only.
    private final class Finish: @unchecked Sendable {
        var done: (() -> Void)?
    }

    @Test("Answers come in the order of the log")
    func order() async throws {
        let host = try await Host(path)
        let indexes = Shared<[UInt64]>([])
        let done = host.loop.makePromise(of: Void.self)
        host.loop.execute {
            for number in 0..<300 {
                host.service.propose(Command(.set, TreePath("/k\(number)")), client: []) { result in
                    guard case .applied(let event) = result else { return }
                    let count = indexes.change {
                        $0.append(event.index)
                        return $0.count
                    }
                    if count == 300 { done.succeed(()) }
                }
            }
        }
        try await done.futureResult.get()
        #expect(indexes.value == Array(4...303))
        try await host.stop()
    }
}
