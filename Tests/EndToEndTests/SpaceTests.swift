import Foundation
import Testing

/// What is not needed any more does not stay on the disk.
@Suite("Space given back", .blocking)
struct SpaceTests {
    static let failpoints = ["tree.give-back"]

    private func bytes(_ directory: String) -> Int {
        let member = directory + "/member"
        return Files.names(member).reduce(0) { $0 + Files.size(member + "/" + $1) }
    }

    @Test("After a burst of large values that are gone again, the data directory is small by itself, and whole after kill -9")
    func burst() throws {
        let place = try Workplace()
        let server = try Server(place("data"))
        let client = HTTPClient(port: server.port)
        #expect(try client.put("/kept", "1").isSuccess)
        let value = String(repeating: "v", count: 1 << 16)
        for number in 0..<1000 { #expect(try client.put("/burst/\(number)", value).isSuccess) }
        // It is all in the files before it goes.
        #expect(eventually { bytes(place("data")) > 100 << 20 }, "\(bytes(place("data")))")
        #expect(try client.request("DELETE", "/v2/keys/burst?recursive=true").isSuccess)
        // So that the log, too, is past it: what is kept for members that lag counts in entries and in bytes.
        for number in 0..<6000 { #expect(try client.put("/small", "\(number)").isSuccess) }
        #expect(eventually(within: 90) { bytes(place("data")) < 30 << 20 }, "\(bytes(place("data")))")
        // While it goes on, clients are served.
        #expect(try client.put("/kept", "2").isSuccess)

        server.kill()
        let check = try Program.etcliteutl("check", place("data"))
        #expect(check.isClean, "\(check.text)")
        try server.restart()
        #expect(try HTTPClient(port: server.port).get("/kept").text.contains("\"value\":\"2\""))
        try server.stop()
    }

    @Test("A server that dies while it gives space back has lost nothing, and goes on with it")
    func death() throws {
        let place = try Workplace()
        let server = try Server(place("data"), environment: ["ETCLITE_FAILPOINT": "tree.give-back:3"])
        let client = server.client()
        #expect(try client.put("/kept", "1").isSuccess)
        let value = String(repeating: "v", count: 1 << 16)
        for number in 0..<300 { #expect(try client.put("/burst/\(number)", value).isSuccess) }
        #expect(eventually { Files.size(place("data") + "/member/tree.db") + Files.size(place("data") + "/member/tree.db-wal") > 18 << 20 })
        #expect(try client.request("DELETE", "/v2/keys/burst?recursive=true").isSuccess)
        // So that no event names the values any more.
        for number in 0..<1000 { #expect(try client.put("/small", "\(number)").isSuccess) }
        #expect(server.child.wait(seconds: 60) == .signal(SIGKILL))
        let check = try Program.etcliteutl("check", place("data"))
        #expect(check.isClean, "\(check.text)")
        try server.restart()
        #expect(try server.client().get("/kept").text.contains("\"value\":\"1\""))
        #expect(eventually(within: 60) { Files.size(place("data") + "/member/tree.db") < 4 << 20 })
        server.kill()
        let again = try Program.etcliteutl("check", place("data"))
        #expect(again.isClean, "\(again.text)")
    }
}
