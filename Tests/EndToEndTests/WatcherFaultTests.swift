import Foundation
import TestSupport
import Testing

/// Watchers that do not read, leave, or end half of their connection, beside writers: whatever they do, the member goes on.
@Suite("Watchers that misbehave", .blocking)
struct WatcherFaultTests {
    private static let seed = UInt64(ProcessInfo.processInfo.environment["ETCLITE_SEED"] ?? "") ?? 20_261_128

    private func watch(_ port: UInt16, _ key: String = "/", isStream: Bool = true) throws -> Socket {
        let socket = try Socket(connectingTo: port)
        let kind = isStream ? "&stream=true" : ""
        try socket.send(Array("GET /v2/keys\(key)?wait=true\(kind)&recursive=true HTTP/1.1\r\nHost: x\r\n\r\n".utf8))
        return socket
    }

    @Test("Readers that do not read are disconnected, and nobody else is")
    func stalled() throws {
        let place = try Workplace()
        let server = try Server(place("data"))
        let stalled = try (0..<3).map { _ in try watch(server.port, "/w") }
        let reader = server.client()
        #expect(try reader.watch("/w", "stream=true&recursive=true").status == 200)
        for socket in stalled { _ = try socket.receive() }
        let value = String(repeating: "x", count: 100_000)
        let writer = server.client()
        for number in 0..<80 {
            try #require(try writer.put("/w/\(number)", value).isSuccess, "\(server.log.suffix(2000))")
            #expect(try reader.nextEvent()?.node?.key == "/w/\(number)")
        }
        let isForgotten = try eventually(within: 20) {
            try writer.request("GET", "/v2/stats/store").text.contains("\"watchers\":1")
        }
        #expect(isForgotten, "the stalled ones are still there")
        #expect(server.child.ended == nil)
        #expect(try server.stop() == .signal(SIGTERM))
    }

    @Test("Watchers come and go in every way beside writers: no write is lost, none waits, and the process stays the same")
    func comeAndGo() throws {
        let place = try Workplace()
        let server = try Server(place("data"))
        let ledger = Ledger()
        // Lone events and bursts, small and large.
        let load = Load(on: server.port, ledger, .init(writers: 4, valueBytesMax: 4000))
        let isOver = NSLock()
        isOver.lock()
        let large = DispatchQueue(label: "large")
        let port = server.port
        large.async {
            let client = HTTPClient(port: port)
            let value = String(repeating: "x", count: 100_000)
            while !isOver.try() { _ = try? client.put("/large", value) }
        }
        var generator = SeededGenerator(seed: Self.seed)
        var stalled: [Socket] = []
        var ways: [Int: Int] = [:]
        for number in 0..<500 {
            try #require(server.child.ended == nil, "watcher \(number), ways \(ways): \(server.log.suffix(2000))")
            let isStream = !Int.random(in: 0..<4, using: &generator).isMultiple(of: 4)
            let socket = try watch(server.port, number.isMultiple(of: 3) ? "/load" : "/", isStream: isStream)
            if Bool.random(using: &generator) { _ = try? socket.receive() }
            usleep(UInt32.random(in: 0...6000, using: &generator))
            let way = Int.random(in: 0..<5, using: &generator)
            ways[way, default: 0] += 1
            switch way {
            case 0: socket.close()
            case 1: socket.reset()
            case 2:
                socket.finishSending()
                stalled.append(socket)
            case 3: stalled.append(socket)
            default:
                // Asks for more behind the watch, which nobody will answer, and leaves.
                try? socket.send(Array("GET /v2/keys/ HTTP/1.1\r\nHost: x\r\n\r\nGET /v2".utf8))
                socket.close()
            }
            if stalled.count > 24 { stalled.remove(at: Int.random(in: 0..<stalled.count, using: &generator)).reset() }
        }
        try load.stop()
        isOver.unlock()
        large.sync {}
        for socket in stalled { socket.close() }
        let client = server.client()
        #expect(try client.put("/load/after", "1").isSuccess)
        let isForgotten = try eventually(within: 20) {
            _ = try client.put("/load/after", "2")
            return try client.request("GET", "/v2/stats/store").text.contains("\"watchers\":0")
        }
        #expect(isForgotten)
        try #require(client.request("DELETE", "/v2/keys/load/after").isSuccess)
        #expect(try ledger.complaints(about: server) == [])
        #expect(try server.stop() == .signal(SIGTERM))
        #expect(try Program.etcliteutl("check", server.directory).isClean)
    }
}
