import Foundation
import Testing

/// What must survive a `kill -9` besides keys: TTLs, the history of watches, the index.
@Suite("Over a restart", .blocking)
struct RestartTests {
    @Test("A TTL fires neither early nor more than a second late, also when the server was killed meanwhile")
    func timeToLive() throws {
        let place = try Workplace()
        let server = try Server(place("data"))
        let client = server.client()
        // One runs out while the server is up again, one while it is down, one much later.
        var deadlines: [String: (asked: Double, told: Double)] = [:]
        for (key, ttl) in [("/up", 4), ("/down", 1), ("/later", 600)] {
            let asked = steadySeconds
            let answer = try client.put(key, "x", ["ttl": "\(ttl)"]).answer()
            #expect(answer.node?.ttl == ttl)
            deadlines[key] = (asked + Double(ttl), steadySeconds + Double(ttl))
        }
        server.kill()
        usleep(1_300_000)
        try server.restart()
        let started = steadySeconds
        let reader = server.client()
        func isThere(_ key: String) throws -> Bool { try reader.get(key).status == 200 }

        #expect(try eventually(within: 1.5) { try !isThere("/down") }, "it ran out while the server was down")
        let up = try #require(deadlines["/up"])
        var seen = steadySeconds
        while try isThere("/up"), steadySeconds < up.told + 3 {
            seen = steadySeconds
            usleep(20_000)
        }
        let gone = steadySeconds
        #expect(gone > up.asked, "it ran out early: \(gone - up.asked) s")
        #expect(gone < max(up.told, started) + 1.5 && gone - seen < 1, "it ran out late: \(gone - up.told) s")
        let later = try reader.get("/later").answer()
        #expect((590...600).contains(later.node?.ttl ?? 0), "\(later)")

        // Expiry is an event like any other, and has its place in the log.
        #expect(try server.client().request("GET", "/v2/stats/store").text.contains("\"expireCount\":2"))
        let entries = try Program.etcliteutl("log", server.directory)
        #expect(entries.isClean && entries.text.contains("expire"), "\(entries.text)")
    }

    @Test("Watches find the past after a kill; an index from before it is never given again")
    func history() throws {
        let place = try Workplace()
        let server = try Server(place("data"))
        let client = server.client()
        let first = try client.put("/a", "1").index
        let second = try client.put("/a", "2").index
        try client.put("/b", "3")
        #expect(try client.request("DELETE", "/v2/keys/b").isSuccess)
        server.kill()
        try server.restart()

        let event = try server.client().request("GET", "/v2/keys/a?wait=true&waitIndex=\(second)").answer()
        #expect(event.action == "set" && event.node?.value == "2" && event.node?.modifiedIndex == second)
        #expect(event.prevNode?.value == "1" && event.prevNode?.modifiedIndex == first)
        let removal = try server.client().request("GET", "/v2/keys/?wait=true&recursive=true&waitIndex=\(second + 2)").answer()
        #expect(removal.action == "delete" && removal.node?.key == "/b" && removal.prevNode?.value == "3")
        // A watch that waits is told of what comes.
        let watcher = server.client()
        let head = try watcher.watch("/a", "waitIndex=\(second + 3)")
        #expect(head.status == 200 && head.index >= second + 2)
        let third = try server.client().put("/a", "4").index
        #expect(third > second + 2)
        #expect(try watcher.nextEvent()?.node?.modifiedIndex == third)
    }

    @Test("The window of the past is 1000 events, or --history-events, before and after a restart", arguments: [nil, 50, 1500])
    func historyWindow(events: Int?) throws {
        let place = try Workplace()
        let server = try Server(place("data"), flags: events.map { ["--history-events", "\($0)"] } ?? [])
        let ledger = Ledger()
        let window = UInt64(events ?? 1000)
        let load = Load(on: server.port, ledger, .init(writers: 16))
        #expect(eventually(within: 60) { ledger.highest > window + 60 })
        try load.stop()
        for _ in 1...2 {
            let index = try server.client().get("/").index
            try #require(index > window, "the index is \(index)")
            let oldest = index - window + 1
            let kept = try server.client().request("GET", "/v2/keys/?wait=true&recursive=true&waitIndex=\(oldest)")
            #expect(try kept.status == 200 && kept.answer().node?.modifiedIndex == oldest, "\(kept.text)")
            let cleared = try server.client().request("GET", "/v2/keys/?wait=true&recursive=true&waitIndex=\(oldest - 1)")
            let error = try cleared.answer()
            #expect(cleared.status == 400 && error.errorCode == 401 && error.index == index)
            #expect(error.cause == "the requested history has been cleared [\(oldest)/\(oldest - 1)]")
            server.kill()
            try server.restart()
            // The new term brings no event.
            let indexAfter = try server.client().get("/").index
            #expect(indexAfter == index)
        }
    }
}
