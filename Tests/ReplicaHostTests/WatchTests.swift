import Keyspace
import Raft
import ReplicaHost
import Storage
import TestSupport
import Testing
import Wire

@Suite("Watches, with writers at work")
struct WatchTests {
    private let directory: TemporaryDirectory
    private let host: Host

    init() async throws {
        directory = try TemporaryDirectory()
        host = try await Host(directory.file("data")) { $0.historyEvents = 10_000 }
    }

    @Test("A one-shot watch gets the next event and no other, with the flush behind it")
    func oneShot() async throws {
        let sink = try await host.watch("/k")
        try await eventually { !sink.told.isEmpty }
        #expect(sink.told == [.started(3)])
        try await host.make(.set, "/other")
        let event = try await host.make(.set, "/k", "1")
        try await host.make(.set, "/k", "2")
        #expect(sink.told == [.started(3), .event(event, twice: false)])
        #expect(sink.flushedCount == 2)
        #expect(try await host.onLoop { host.service.storeStatistics.watchers } == 0)
        try await host.stop()
    }

    @Test("A stream gets every event from its start on: in order, none twice, none missing", arguments: 1...3)
    func streams(seed: UInt64) async throws {
        let total = 600
        let writers = Task {
            await withTaskGroup(of: Void.self) { group in
                for writer in 0..<6 {
                    group.addTask {
                        for number in 0..<(total / 6) {
                            _ = await host.propose(Command(.set, TreePath("/w/\(writer)/k\(number % 7)")))
                        }
                    }
                }
            }
        }
        var generator = SeededGenerator(seed: seed)
        var sinks: [Sink] = []
        for _ in 0..<15 {
            sinks.append(try await host.watch("/w", recursive: true, isStream: true))
            try await Task.sleep(for: .milliseconds(Int.random(in: 0...4, using: &generator)))
        }
        await writers.value
        let last = try await host.status().keysIndex
        #expect(last == UInt64(3 + total))
        for (number, sink) in sinks.enumerated() {
            guard case .started(let index) = sink.told.first else {
                Issue.record("watcher \(number) heard \(sink.told.prefix(1)) first")
                continue
            }
            #expect(
                sink.events.map(\.index) == (index < last ? Array((index + 1)...last) : []), "watcher \(number), seed \(seed)")
            #expect(sink.told.count == sink.events.count + 1)
            #expect(sink.flushedCount == sink.told.count || sink.events.isEmpty, "flushed after the last event")
        }
        let first = sinks[0].events.count
        let tokens = sinks.map(\.token)
        try await host.onLoop { for token in tokens { host.service.cancel(token) } }
        try await host.make(.set, "/w/after")
        #expect(sinks[0].events.count == first, "a cancelled watch hears nothing")
        #expect(try await host.onLoop { host.service.storeStatistics.watchers } == 0)
        try await host.stop()
    }

    @Test("A client that watches from the index after its last event misses nothing and sees nothing twice")
    func chains() async throws {
        let total = 200
        let chains = (0..<4).map { _ in
            Task { [host] in
                var next: UInt64 = 4
                var seen: [UInt64] = []
                while seen.count < total {
                    let sink = try await host.watch("/w", recursive: true, since: next)
                    try await eventually { !sink.events.isEmpty }
                    guard let event = sink.events.first, sink.events.count == 1 else { break }
                    seen.append(event.index)
                    next = event.index + 1
                }
                return seen
            }
        }
        for number in 0..<total { try await host.make(.set, TreePath("/w/k\(number)")) }
        for chain in chains { #expect(try await chain.value == Array(4...UInt64(total + 3))) }
        try await host.stop()
    }

    @Test("A waitIndex in the future waits for it; one that has left the history is told so")
    func otherTimes() async throws {
        let future = try await host.watch("/k", since: 6)
        for _ in 4...8 { try await host.make(.set, "/k") }
        #expect(future.events.map(\.index) == [6])
        try await host.stop()

        let small = try await Host(directory.file("data")) { $0.historyEvents = 3 }
        let cleared = try await small.watch("/k", since: 4)
        try await eventually { !cleared.told.isEmpty }
        #expect(cleared.told == [.cleared(oldest: 6, index: 8)])
        let found = try await small.watch("/k", isStream: true, since: 6)
        try await eventually { !found.events.isEmpty }
        #expect(found.told.first == .started(8) && found.events.map(\.index) == [6])
        try await small.stop()
    }

    @Test("The removal of a directory is told to watchers of what lay in it, and twice to a stream of the directory itself")
    func removal() async throws {
        try await host.make(.set, "/d/x")
        let inside = try await host.watch("/d/x")
        let never = try await host.watch("/d/never")
        let stream = try await host.watch("/d", recursive: true, isStream: true)
        let event = try await host.make(.delete, "/d") { $0.isRecursive = true }
        #expect(inside.events.map(\.index) == [event.index])
        #expect(never.events.isEmpty)
        #expect(stream.told.last == .event(event, twice: true))
        try await host.stop()
    }
}
