import Glibc
import Keyspace
import NIOCore
import ReplicaHost
import Storage
import TestSupport
import Testing
import Wire

@Suite("Reads beside the apply thread")
struct LongReadTests {
    private let directory: TemporaryDirectory
    private var path: String { directory.file("data") }

    init() throws { directory = try TemporaryDirectory() }

    private func fill(_ host: Host, _ count: Int, _ prefix: String = "/big/k", expiration: Int64? = nil) async throws {
        let left = Shared(count)
        try await host.onLoop {
            for number in 0..<count {
                var command = Command(.set, TreePath("\(prefix)\(number)"))
                command.value = Array("v\(number)".utf8)
                command.expiration = expiration.map { $0 + Int64(number) }
                host.service.propose(command, client: []) { result in
                    if case .applied = result { left.change { $0 -= 1 } }
                }
            }
        }
        try await eventually(seconds: 60, "not all were set") { left.value == 0 }
    }

    private func text(_ file: ListingFile) -> String {
        var bytes = [UInt8](repeating: 0, count: Int(file.size))
        let count = pread(file.descriptor, &bytes, bytes.count, 0)
        return String(decoding: bytes.prefix(max(0, count)), as: UTF8.self)
    }

    @Test("A large listing comes in a file, with everything that was answered before it was asked for; a small one as ever")
    func listing() async throws {
        let host = try await Host(path)
        try await fill(host, 6000)
        try await host.make(.set, "/small/a", "1")
        for recursive in [true, false] {
            let newest = try await host.make(.set, "/big/newest", "\(recursive)")
            let result = await host.read("/big", recursive: recursive, quorum: recursive)
            guard case .listed(let file) = result.outcome else {
                Issue.record("\(result.outcome)")
                return
            }
            #expect(result.index >= newest.index)
            let lines = text(file).split(separator: "\n")
            #expect(lines.count == 6003 && lines.last == "end" && lines.contains("1 /big/newest \(recursive)"))
            #expect(lines[1] == "1 /big/k0 v0" && lines[2] == "1 /big/k1 v1" && lines[3] == "1 /big/k10 v10")
        }
        guard case .found(.directory(_, let small)) = await host.read("/small").outcome else { throw Host.Unexpected() }
        #expect(small.count == 1)
        // What is not there, and what is no directory, is no listing, whatever stands beside it.
        guard case .refused(.keyNotFound("/bog")) = await host.read("/bog", recursive: true).outcome else { throw Host.Unexpected() }
        #expect(FileOperations.names(in: path + "/member/transfer").isEmpty)
        try await host.stop()
    }

    @Test("Many at a time, under writes, each whole; those that nobody wants any more, and those that are too many, are told so")
    func many() async throws {
        let host = try await Host(path)
        try await fill(host, 5000)
        let isOver = Shared(false)
        let writer = Task {
            var number = 0
            while !isOver.value {
                number += 1
                try await host.make(.set, "/other", "\(number)")
            }
        }
        let answers = Shared<[String]>([])
        try await host.onLoop {
            for number in 0..<200 {
                let token = host.service.read("/big", recursive: true, quorum: false, encoder: TestEncoding()) { result in
                    let text =
                        switch result.outcome {
                        case .listed(let file): "listed \(self.text(file).split(separator: "\n").count)"
                        case .unavailable(let reason): "\(reason)"
                        case .found, .refused: "\(result.outcome)"
                        }
                    answers.change { $0.append(text) }
                }
                if number == 3 { host.service.withdraw(token) }
            }
        }
        try await eventually(seconds: 60) { answers.value.count == 199 }
        isOver.change { $0 = true }
        try await writer.value
        let listed = answers.value.count { $0 == "listed 5002" }
        #expect(listed > 0 && answers.value.contains("overloaded"))
        #expect(answers.value.allSatisfy { ["listed 5002", "overloaded", "timedOut"].contains($0) }, "\(Set(answers.value))")
        #expect(answers.value.count == 199, "whoever has left is told nothing")
        try await host.stop()
    }

    @Test("A stop does not wait for listings, and answers them")
    func stop() async throws {
        let host = try await Host(path)
        try await fill(host, 5000)
        let answers = Shared(0)
        try await host.onLoop {
            for _ in 0..<20 {
                host.service.read("/big", recursive: true, quorum: false, encoder: TestEncoding()) { _ in answers.change { $0 += 1 } }
            }
        }
        try await host.stop()
        #expect(answers.value == 20)
    }

    @Test("A watch that asks for a distant past gets its event, or waits, with no gap and no repetition")
    func past() async throws {
        let host = try await Host(path) { $0.historyEvents = 100_000 }
        try await host.make(.set, "/early", "1")
        let early = try await host.status().keysIndex
        try await fill(host, 5000)
        let late = try await host.make(.set, "/late", "1")
        try await fill(host, 3000, "/more/k")

        let first = try await host.watch("/early", since: 1)
        try await eventually { first.events.count == 1 }
        #expect(first.events.map(\.index) == [early])

        let far = try await host.watch("/late", since: 1)
        try await eventually { far.events.count == 1 }
        #expect(far.events.map(\.index) == [late.index])

        // Nothing is found: it waits, and what happens while the past is looked at is not lost.
        let sinks = try await host.onLoop { [5, 6, 7].map { _ in Sink() } }
        for sink in sinks {
            sink.token = try await host.onLoop { host.service.watch("/next", recursive: false, isStream: true, since: 2, sink: sink) }
        }
        var indexes: [UInt64] = []
        for number in 0..<20 { indexes.append(try await host.make(.set, "/next", "\(number)").index) }
        try await eventually { sinks.allSatisfy { !$0.told.isEmpty } }
        // Registered: what comes from now on comes live.
        for number in 20..<25 { indexes.append(try await host.make(.set, "/next", "\(number)").index) }
        for sink in sinks {
            try await eventually { !sink.events.isEmpty }
            let heard = sink.events.map(\.index)
            #expect(heard == Array(indexes.suffix(heard.count)) || heard.count == 1 && indexes.contains(heard[0]), "\(heard)")
        }

        let gone = try await host.watch("/none", since: 3)
        try await host.onLoop { host.service.cancel(gone.token) }
        try await host.make(.set, "/none", "1")
        #expect(gone.events.isEmpty)
        try await host.stop()
    }

    @Test("Many keys of one age go in slices, each once and in order, and writes have their turn between")
    func expiry() async throws {
        let host = try await Host(path) { $0.historyEvents = 100_000 }
        let stream = try await host.watch("/big", recursive: true, isStream: true)
        let soon = try await host.status().now + 3_000_000_000
        try await fill(host, 4000, expiration: soon)
        try await eventually(seconds: 30) { stream.events.count { $0.action == .expire } >= 1 }
        var between: [UInt64] = []
        while stream.events.count(where: { $0.action == .expire }) < 4000 { between.append(try await host.make(.set, "/w", "1").index) }
        let expired = stream.events.filter { $0.action == .expire }
        #expect(expired.count == 4000 && Set(expired.map(\.path)).count == 4000)
        #expect(expired.map(\.index) == expired.map(\.index).sorted())
        // One entry has one time.
        #expect(Set(expired.map(\.time)).count >= 8, "\(Set(expired.map(\.time)).count) slices")
        #expect(expired.allSatisfy { $0.time >= $0.previous?.expiration ?? .max })
        #expect(between.contains { $0 > expired[0].index && $0 < expired[3999].index })
        guard case .found(.directory(_, let rest)) = await host.read("/big").outcome else { throw Host.Unexpected() }
        #expect(rest.isEmpty)
        try await host.stop()
    }

    @Test("A backup is made under writes that never pause")
    func flushUnderWrites() async throws {
        let host = try await Host(path)
        let isOver = Shared(false)
        let writers = (0..<8).map { writer in
            Task {
                while !isOver.value { try await host.make(.set, TreePath("/w\(writer)"), "1") }
            }
        }
        let isMade = Shared(false)
        _ = try await host.onLoop {
            host.service.backup { result in
                if case .success(let copy) = result {
                    copy.done()
                    isMade.change { $0 = true }
                }
            }
        }
        try await eventually(seconds: 30) { isMade.value }
        isOver.change { $0 = true }
        for writer in writers { try await writer.value }
        try await host.stop()
    }
}
