import Foundation
import Testing

@testable import ControlClient

@Suite("ctl.md A5: import of a snapshot of etcd 0.4")
struct ImportTests {
    /// As etcd 0.4's store writes itself; `far` and `near` are times.
    private static func store(far: String, near: String) -> String {
        func node(_ value: String, _ time: String = "0001-01-01T00:00:00Z") -> String {
            #"{"Path":"/x","CreatedIndex":1,"ModifiedIndex":1,"ExpireTime":"\#(time)","ACL":"","Value":"\#(value)","Children":null}"#
        }
        func directory(_ children: String) -> String {
            #"{"Path":"/x","CreatedIndex":1,"ModifiedIndex":1,"ExpireTime":"0001-01-01T00:00:00Z","ACL":"","Value":"","Children":{\#(children)}}"#
        }
        let shown = #""a":\#(node("1")),"d":\#(directory(#""é b":\#(node("2")),"empty":\#(directory("")),"_secret":\#(node("no"))"#))"#
        let times = #""far":\#(node("3", far)),"near":\#(node("4", near))"#
        let hidden = #""_hidden":\#(directory(#""k":\#(node("5"))"#))"#
        return #"{"Root":\#(directory([shown, times, hidden].joined(separator: ","))),"CurrentIndex":9,"Stats":{},"CurrentVersion":2}"#
    }

    private static func file(_ text: String) throws -> String {
        let path = FileManager.default.temporaryDirectory.path + "/etclite-import-\(UUID().uuidString)"
        try Data(text.utf8).write(to: URL(fileURLWithPath: path))
        return path
    }

    private static func time(in seconds: Double) -> String {
        let formatter = ISO8601DateFormatter()
        formatter.timeZone = TimeZone(secondsFromGMT: 7200)
        return formatter.string(from: Date(timeIntervalSinceNow: seconds)).replacing("+", with: ".123456789+")
    }

    @Test("The checksum is that of the standard")
    func checksum() { #expect(LegacySnapshot.crc32(Array("123456789".utf8)[...]) == 0xcbf4_3926) }

    @Test("All keys that are not hidden are set, and hidden ones when they are named; little time left becomes five minutes", arguments: [false, true])
    func imports(isWrapped: Bool) async throws {
        var text = Self.store(far: Self.time(in: 4000), near: Self.time(in: 5))
        if isWrapped {
            let state = Data(text.utf8).base64EncodedString()
            let body = #"{"state":"\#(state)","peers":[{"name":"m","connectionString":"http://127.0.0.1:7001"}],"lastIndex":9,"lastTerm":1,"path":"s"}"#
            let crc = String(LegacySnapshot.crc32(Array(body.utf8)[...]), radix: 16)
            text = String(repeating: "0", count: 8 - crc.count) + crc + "\n" + body
        }
        let file = try Self.file(text)
        let (outcome, lines) = try await StubServer.run(answer: { _, _ in nodeAnswer() }) { server in
            let outcome = await etcdctl(["--no-sync", "--endpoints", server.url, "import", "--snap", file, "--hidden", "/_hidden", "-c", "3"])
            return (outcome, server.lines)
        }
        #expect(outcome.out == "starting to import snapshot \(file) with 3 clients\nfinished importing 5 keys\n")
        #expect(outcome.err == "extending key /near's ttl to 300 seconds\n")
        #expect(outcome.status == 0)
        let plain = lines.filter { !$0.contains("/far ") }.sorted()
        #expect(plain == [
            "PUT /v2/keys/_hidden/k value=5", "PUT /v2/keys/a value=1", "PUT /v2/keys/d/%C3%A9%20b value=2", "PUT /v2/keys/near ttl=300&value=4",
        ])
        let far = try #require(lines.first { $0.contains("/far ") }?.firstMatch(of: /ttl=(\d+)&value=3/))
        #expect(try (3000...4000).contains(#require(Int(far.1))))
    }

    @Test("A file that is none is said to be none, and nothing is set")
    func refuses() async throws {
        #expect(await etcdctl(["import"]) == Outcome(out: "no snapshot file provided (use --snap)\n", status: 1))
        #expect(await etcdctl(["import", "--snap", "/nonexistent"]) == Outcome(out: "cannot read snapshot file /nonexistent\n", status: 1))
        for (text, reason) in [
            ("no", "it is not the JSON of an etcd 0.4 store"), ("00000000\n{}", "bad checksum"),
            (#"{"Root":1}"#, "it is not the JSON of an etcd 0.4 store"),
        ] {
            let file = try Self.file(text)
            #expect(await etcdctl(["import", "--snap", file]) == Outcome(out: "cannot recover the snapshot file: \(reason)\n", status: 1))
        }
        let file = try Self.file(Self.store(far: "0001-01-01T00:00:00Z", near: "0001-01-01T00:00:00Z"))
        let outcome = await etcdctl(["import", "--snap", file, "--hidden", "/nosuch"])
        #expect(outcome == Outcome(err: "Error:  100: Key not found (/nosuch) [0]\n", status: 4))
    }

    @Test("The first key that cannot be set ends it")
    func fails() async throws {
        let file = try Self.file(Self.store(far: "0001-01-01T00:00:00Z", near: "0001-01-01T00:00:00Z"))
        let refusal = StubServer.Answer.json(400, #"{"errorCode":107,"message":"Root is read only","cause":"/","index":1}"#)
        let outcome = try await StubServer.run(answer: { _, _ in refusal }) { server in
            await etcdctl(["--no-sync", "--endpoints", server.url, "import", "--snap", file, "-c", "1"])
        }
        #expect(outcome.err == "failed to copy key /a: 107: Root is read only (/) [1]\n")
        #expect(outcome.status == 1)
    }
}
