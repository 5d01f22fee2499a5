import Keyspace
import NIOCore
import Raft
import ReplicaHost
import SQLite
import Storage
import TestSupport
import Testing
import Wire

@Suite("A replica on a real directory")
struct ReplicaServiceTests {
    private let directory: TemporaryDirectory
    private var path: String { directory.file("data") }

    init() throws { directory = try TemporaryDirectory() }

    @Test("A new directory founds a cluster of one, which leads and has published itself before anybody is served")
    func founding() async throws {
        let host = try await Host(path)
        let status = try await host.status()
        #expect(status.isLeader && status.leader == status.memberID && status.term == 2)
        #expect(status.keysIndex == 3, "member, name and version each take an index")
        #expect(status.appliedIndex == 4 && status.commitIndex == 4)
        let members = try await host.onLoop { host.service.members }
        #expect(
            members == [
                MemberRecord(
                    id: 0x8e9e_05c5_2164_694d, name: "one", peerURLs: ["http://localhost:2380"],
                    clientURLs: ["http://localhost:2379"])
            ])
        #expect(host.notices.all.contains { $0.hasPrefix("founded") })
        try await host.stop()
    }

    @Test("A change is answered with its event, and the next read of any kind sees it")
    func changeAndRead() async throws {
        let host = try await Host(path)
        let event = try await host.make(.set, "/a/b", "one")
        #expect(event.index == 4 && event.action == .set && event.previous == nil)
        #expect(try await host.value("/a/b") == "one")
        let cached = try await host.onLoop { host.service.cached("/a/b", recursive: false) }
        guard case .file(let node) = cached else {
            Issue.record("not cached")
            return
        }
        #expect(node == event.node)
        for quorum in [false, true] {
            let result = await host.read("/a/b", quorum: quorum)
            guard case .found(.file(let node)) = result.outcome else {
                Issue.record("\(result)")
                return
            }
            #expect(node == event.node && result.index == 4)
        }
        let refused = await host.propose(Command(.create, "/a/b"))
        guard case .refused(.keyAlreadyExists("/a/b"), index: 4) = refused else {
            Issue.record("\(refused)")
            return
        }
        guard case .refused(.keyNotFound("/x")) = await host.read("/x/y", quorum: true).outcome else {
            Issue.record("/x/y is there")
            return
        }
        try await host.stop()
    }

    @Test("A stop and a start keep everything: keys, TTLs, index, members, history; the term moves on")
    func restart() async throws {
        let first = try await Host(path)
        for number in 1...50 { try await first.make(.set, TreePath("/d\(number % 5)/k\(number)"), "\(number)") }
        try await first.make(.delete, "/d1") { $0.isRecursive = true }
        let far = try await first.status().now + 3_600_000_000_000
        try await first.make(.set, "/ttl", "x") { $0.expiration = far }
        let before = try await first.everything()
        let term = try await first.status().term
        try await first.stop()

        let second = try await Host(path)
        let after = try await second.everything()
        #expect(after.nodes == before.nodes && after.index == before.index)
        #expect(after.nodes.first { $0.path == "/ttl" }?.node.expiration == far)
        #expect(try await second.status().term == term + 1)
        let sink = try await second.watch("/d2/k2", since: 1)
        try await eventually { !sink.events.isEmpty }
        #expect(sink.events.first?.node.value == Array("2".utf8))
        try await second.stop()
    }

    @Test("The tree is a view: without its file the log makes it again, the same")
    func rebuilt() async throws {
        let first = try await Host(path)
        for number in 1...30 { try await first.make(.set, TreePath("/k\(number)"), "\(number)") }
        let before = try await first.everything()
        try await first.stop()
        let data = DataDirectory(path: path)
        for file in [data.tree, data.tree + "-wal", data.tree + "-shm"] { try FileOperations.remove(file) }
        let second = try await Host(path)
        let after = try await second.everything()
        #expect(after.nodes == before.nodes && after.index == before.index)
        #expect(second.notices.all.contains { $0.hasPrefix("treeRebuilt") })
        try await second.stop()
    }

    @Test("A tree without its log is refused, and stays")
    func withoutLog() async throws {
        try await Host(path).stop()
        let data = DataDirectory(path: path)
        for file in [data.log, data.log + "-wal", data.log + "-shm"] { try FileOperations.remove(file) }
        let error = await #expect(throws: StorageError.self) { try await Host(path) }
        #expect(error?.description.contains("log.db is not") == true)
        #expect(FileOperations.exists(data.tree))
    }

    @Test("Two replicas never share a directory")
    func locked() async throws {
        let host = try await Host(path)
        let error = await #expect(throws: StorageError.self) { try await Host(path) }
        #expect(error?.description.contains("in use by process") == true)
        try await host.make(.set, "/k")
        try await host.stop()
    }

    @Test("No answer before its entry is in the log, committed")
    func answerAfterPersistence() async throws {
        let host = try await Host(path)
        let missing = Shared<[String]>([])
        let log = DataDirectory(path: path).log
        let answered = host.loop.makePromise(of: Void.self)
        let count = 40
        let rest = Shared<Int>(count)
        host.loop.execute {
            for number in 0..<count {
                host.service.propose(Command(.set, TreePath("/k\(number)")), client: []) { result in
                    // In the answer itself: nothing else has happened since.
                    let found = try? Connection(log, as: .reader).integer("SELECT count(*) FROM log WHERE path = '/k\(number)'")
                    if found != 1 { missing.change { $0.append("\(number): \(result)") } }
                    let left = rest.change {
                        $0 -= 1
                        return $0
                    }
                    if left == 0 { answered.succeed(()) }
                }
            }
        }
        try await answered.futureResult.get()
        #expect(missing.value == [])
        try await host.stop()
    }

    @Test("What was answered is there when the process dies at any moment", arguments: 1...3)
    func crashImages(round: Int) async throws {
        let host = try await Host(path)
        let answered = Shared<[Int]>([])
        let writer = Task {
            for number in 0..<400 where !Task.isCancelled {
                try await host.make(.set, TreePath("/k\(number)"), "\(number)")
                answered.change { $0.append(number) }
            }
        }
        try await eventually { answered.value.count > 60 * round }
        // The log first: what is answered by now is in it. The tree may be newer than the log that was copied, so it is left
        // behind: the log alone must have it all.
        let known = answered.value
        let crashed = DataDirectory(path: directory.file("crashed"))
        try FileOperations.makeDirectories(crashed.member)
        let source = DataDirectory(path: path)
        let main = try Files.read(source.log)
        try Files.write(try Files.read(source.log + "-wal"), to: crashed.log + "-wal")
        try Files.write(main, to: crashed.log)
        writer.cancel()
        _ = await writer.result
        let again = try await Host(crashed.path)
        for number in known { #expect(try await again.value(TreePath("/k\(number)")) == "\(number)", "round \(round)") }
        try await again.stop()
        try await host.stop()
    }

    @Test("More proposals than may wait are refused as overload, at once, and later there is room again")
    func overload() async throws {
        let host = try await Host(path) { $0.pendingProposalsMax = 4 }
        let results = Shared<[String: Int]>([:])
        let done = host.loop.makePromise(of: Void.self)
        host.loop.execute {
            for number in 0..<50 {
                host.service.propose(Command(.set, TreePath("/k\(number)")), client: []) { result in
                    let kind =
                        switch result {
                        case .applied: "applied"
                        case .unavailable(.overloaded): "overloaded"
                        default: "\(result)"
                        }
                    let total = results.change {
                        $0[kind, default: 0] += 1
                        return $0.values.reduce(0, +)
                    }
                    if total == 50 { done.succeed(()) }
                }
            }
        }
        try await done.futureResult.get()
        #expect(results.value == ["applied": 4, "overloaded": 46])
        try await host.make(.set, "/again")
        #expect(try await host.onLoop { host.service.counters.proposalsFailed } == 46)
        #expect(try await host.everything().nodes.count == 5)
        try await host.stop()
    }

    @Test("A stop answers everything that waits, once")
    func stopAnswersAll() async throws {
        let host = try await Host(path)
        let sink = try await host.watch("/k", recursive: true, isStream: true)
        let answers = Shared<[Int: Int]>([:])
        try await host.onLoop {
            for number in 0..<60 {
                host.service.propose(Command(.set, TreePath("/k\(number)")), client: []) { _ in
                    answers.change { $0[number, default: 0] += 1 }
                }
                host.service.read("/k", recursive: false, quorum: false) { _ in
                    answers.change { $0[1000 + number, default: 0] += 1 }
                }
            }
            host.service.backup { result in
                answers.change { $0[2000, default: 0] += 1 }
                if case .success(let copy) = result { copy.done() }
            }
        }
        try await host.stop()
        let counts = answers.value
        #expect(counts.count == 121 && counts.values.allSatisfy { $0 == 1 })
        #expect(sink.told.last == .ended)
        #expect(sink.told.filter { $0 == .ended }.count == 1)
    }

    @Test("The log is cut behind what the tree holds, and the next start goes on from there")
    func cut() async throws {
        let host = try await Host(path) { $0.snapshotCount = 100 }
        for batch in 0..<12 {
            await withTaskGroup(of: Void.self) { group in
                for number in 0..<500 {
                    group.addTask { _ = await host.propose(Command(.set, TreePath("/b\(batch)/k\(number)"))) }
                }
            }
        }
        let log = DataDirectory(path: path).log
        // Nobody writes any more: what is due is done all the same.
        try await eventually(seconds: 20, "the log is cut") {
            try (Connection(log, as: .reader).integer("SELECT max(\"index\") - min(\"index\") FROM log") ?? 0) <= 5_100
        }
        let before = try await host.everything(below: "/b7")
        let first = try Connection(log, as: .reader).integer("SELECT min(\"index\") FROM log") ?? 0
        let last = try Connection(log, as: .reader).integer("SELECT max(\"index\") FROM log") ?? 0
        #expect(last - first >= 4_999, "what a peer may need stays")
        try await host.stop()
        let again = try await Host(path)
        #expect(try await again.everything(below: "/b7").nodes == before.nodes && before.nodes.count == 500)
        try await again.stop()
        let tree = DataDirectory(path: path).tree
        for file in [tree, tree + "-wal", tree + "-shm"] { try FileOperations.remove(file) }
        let error = await #expect(throws: StorageError.self) { try await Host(path) }
        #expect(error?.description.contains("no longer reaches back") == true)
    }
}
