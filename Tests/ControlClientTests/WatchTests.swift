import Foundation
import Testing

@testable import ControlClient

@Suite("ctl.md A3: watching")
struct WatchTests {
    private static let cleared = StubServer.Answer.json(
        400,
        #"{"errorCode":401,"message":"The event in requested index is outdated and cleared","cause":"c","index":9}"#)
    private static let clearedLine =
        "Error:  401: The event in requested index is outdated and cleared (c) [9]\n"

    @Test("A watch ends after one event, and starts behind the given index")
    func oneEvent() async throws {
        try await StubServer.run(answer: { _, _ in nodeAnswer(value: "w") }) { server in
            let flags = ["--no-sync", "--endpoints", server.url]
            #expect(await etcdctl(flags + ["watch", "/k"]) == Outcome(out: "w\n"))
            #expect(await etcdctl(flags + ["watch", "-r", "--after-index", "3", "/k"]) == Outcome(out: "[set] /k\nw\n"))
            #expect(
                server.lines == [
                    "GET /v2/keys/k?recursive=false&wait=true&waitIndex=0",
                    "GET /v2/keys/k?recursive=true&wait=true&waitIndex=4",
                ])
        }
    }

    @Test("A watch for ever goes on behind each event, over directories and empty answers, until an error")
    func forever() async throws {
        try await StubServer.run(answer: { _, number in
            switch number {
            case 1: nodeAnswer(value: "one", index: 7)
            case 2: .json(200, "")
            case 3: .json(200, #"{"action":"create","node":{"key":"/k","dir":true,"modifiedIndex":8}}"#)
            case 4: nodeAnswer("delete", value: "", previous: "one", index: 9)
            default: Self.cleared
            }
        }) { server in
            #expect(
                await etcdctl(["--no-sync", "--endpoints", server.url, "watch", "-f", "/k"])
                    == Outcome(out: "one\nPrevNode.Value: one\n", err: Self.clearedLine, status: 4))
            #expect(server.lines.map { $0.split(separator: "=").last } == ["0", "8", "8", "9", "10"])
        }
    }

    @Test("exec-watch starts its program for each event with the event in the environment")
    func execWatch() async throws {
        let file = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString)
        defer { try? FileManager.default.removeItem(at: file) }
        try await StubServer.run(answer: { _, number in
            number == 1 ? nodeAnswer(value: "one") : Self.cleared
        }) { server in
            let script = """
                echo $ETCD_WATCH_ACTION $ETCD_WATCH_KEY $ETCD_WATCH_VALUE $ETCD_WATCH_MODIFIED_INDEX $0 \
                > "$OUT.part" && mv "$OUT.part" "$OUT"
                """
            let outcome = await etcdctl(
                ["--no-sync", "--endpoints", server.url, "exec-watch", "/k", "--", "sh", "-c", script, "-r"],
                environment: ["OUT": file.path, "PATH": "/usr/bin:/bin"])
            #expect(outcome == Outcome(err: Self.clearedLine, status: 4))
        }
        var text: String?
        let limit = ContinuousClock.now + .seconds(10)
        while text == nil, ContinuousClock.now < limit {
            text = try? String(contentsOf: file, encoding: .utf8)
            if text == nil { try await Task.sleep(for: .milliseconds(10)) }
        }
        #expect(text == "set /k one 7 -r\n")
    }

    @Test("A program that cannot start ends exec-watch with status 1")
    func execWatchOfNothing() async throws {
        try await StubServer.run(answer: { _, _ in nodeAnswer() }) { server in
            let flags = ["--no-sync", "--endpoints", server.url, "exec-watch", "/k"]
            #expect(
                await etcdctl(flags + ["/nosuch/program"])
                    == Outcome(err: "fork/exec /nosuch/program: no such file or directory", status: 1))
            #expect(
                await etcdctl(flags + ["no-such-program"])
                    == Outcome(err: "exec: \"no-such-program\": executable file not found in $PATH", status: 1))
        }
    }
}
