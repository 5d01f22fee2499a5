import Keyspace
import Raft
import ReplicaHost
import SQLite
import Storage
import TestSupport
import Testing
import Wire

@Suite("Expiration by the leader's clock")
struct ExpiryTests {
    private let directory: TemporaryDirectory
    private var path: String { directory.file("data") }

    init() throws { directory = try TemporaryDirectory() }

    private static let second: Int64 = 1_000_000_000

    @Test("A key goes within a second after its time, and never before")
    func onTime() async throws {
        let host = try await Host(path)
        let stream = try await host.watch("/", recursive: true, isStream: true)
        var due: [TreePath: Int64] = [:]
        for number in 0..<8 {
            let key = TreePath("/k\(number)")
            let expiration = try await host.status().now + Self.second / 2 + Int64(number) * Self.second / 10
            due[key] = expiration
            try await host.make(.set, key, "v") { $0.expiration = expiration }
        }
        // One whose time is put off, and one that is told to stay.
        let soon = try await host.status().now + Self.second / 2
        try await host.make(.set, "/later", "v") { $0.expiration = soon }
        try await host.make(.update, "/later", "v") { $0.expiration = soon + 3600 * Self.second }
        try await host.make(.set, "/stays", "v") { $0.expiration = soon }
        try await host.make(.update, "/stays", "v")
        let isExpired: @Sendable (Event) -> Bool = { $0.action == .expire }
        try await eventually(seconds: 5) { stream.events.filter(isExpired).count == due.count }
        for event in stream.events.filter(isExpired) {
            let expiration = try #require(due[event.path])
            #expect(event.time >= expiration, "early: \(event)")
            #expect(event.time - expiration < Self.second, "late: \(event)")
            #expect(event.previous?.value == Array("v".utf8))
        }
        #expect(try await host.everything().nodes.map(\.path.text) == ["/later", "/stays"])
        #expect(try await host.onLoop { host.service.storeStatistics.expires } == 8)
        #expect(try await host.onLoop { host.service.cached("/k1", recursive: false) } == nil)
        try await host.stop()
    }

    @Test("A restart forgets no expiration: what came due meanwhile goes at once, the rest at its time")
    func overARestart() async throws {
        let first = try await Host(path)
        let now = try await first.status().now
        let (soon, later) = (now + Self.second / 5, now + 2 * Self.second)
        try await first.make(.set, "/soon", "v") { $0.expiration = soon }
        try await first.make(.set, "/later", "v") { $0.expiration = later }
        try await first.stop()
        try await Task.sleep(for: .milliseconds(300))
        let second = try await Host(path)
        try await eventually(seconds: 2) { try await second.value("/soon") == nil }
        let stream = try await second.watch("/later", since: 1)
        let expired = try await second.watch("/later", isStream: true)
        try await eventually(seconds: 4) { try await second.value("/later") == nil }
        let event = try #require(expired.events.first)
        #expect(event.action == .expire && event.time >= later && event.time - later < Self.second)
        #expect(stream.events.first?.action == .set, "the past is still there")
        try await second.stop()
    }

    @Test("A follower's clock goes by the leader's, forward and back, and a word that was late does not set it back")
    func follows() {
        var clock = WallClock(notBefore: 0)
        let right = clock.now
        for difference in [3600, -3600] {
            let told = right + Int64(difference) * Self.second
            clock.follow(told, of: UInt64(bitPattern: Int64(difference)))
            #expect(clock.now >= told && clock.now < told + 20 * Self.second)
            // It was said five seconds ago, and has waited somewhere.
            clock.follow(told - 5 * Self.second, of: UInt64(bitPattern: Int64(difference)))
            #expect(clock.now >= told)
        }
        let before = clock.now
        for nonsense in [Int64.min, -1, 0, .max] { clock.follow(nonsense, of: 3) }
        #expect(clock.now >= before && clock.now < before + 20 * Self.second)
    }

    @Test("The clock starts no earlier than the newest entry, and goes on from there")
    func notBefore() async throws {
        let past = WallClock(notBefore: 0)
        #expect(past.now > 1_600_000_000 * Self.second)
        let ahead = past.now + 3600 * Self.second
        let clock = WallClock(notBefore: ahead)
        let one = clock.now
        #expect(one >= ahead && one < ahead + Self.second)
        try await Task.sleep(for: .milliseconds(20))
        #expect(clock.now >= one + 19_000_000)

        // A log whose last entry was written by a clock that was an hour ahead, as after a step back.
        try await Host(path).stop()
        let log = try LogStore(DataDirectory(path: path).log)
        let index = log.tail.position.index.next
        var command = Command(.set, "/ttl")
        command.expiration = ahead + Self.second / 2
        let payload = CommandCodec.encode(command, time: ahead, client: [], request: 0)
        try log.write(nil, [LogEntry(index: index, term: log.tail.position.term, payload: payload)])
        try log.close()
        let host = try await Host(path)
        #expect(try await host.status().now >= ahead)
        let stream = try await host.watch("/ttl", isStream: true)
        try await eventually(seconds: 3) { !stream.events.isEmpty }
        #expect(try #require(stream.events.first).time >= ahead + Self.second / 2)
        try await host.stop()
    }
}
