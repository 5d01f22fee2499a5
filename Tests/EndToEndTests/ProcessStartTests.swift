import Foundation
import Testing

/// What stands between a program and whoever starts it.
@Suite("The start of a process", .blocking)
struct ProcessStartTests {
    /// Shows only with programs that hold Swift's library in themselves, as the release build does (`ETCLITE_BIN`): that of a debug build
    /// knows the arguments before such a library begins.
    @Test("A library that moves the environment before the program begins does not take its arguments away")
    func preloaded() throws {
        guard Program.isInstalled("cc") else { return print("not tested: a preloaded library (there is no cc here)") }
        let place = try Workplace()
        let source = """
            #include <stdlib.h>
            #include <stdio.h>
            __attribute__((constructor)) static void before(void) {
                char name[32];
                for (int i = 0; i < 8; i++) { snprintf(name, sizeof name, "PRELOADED_%d", i); setenv(name, "1", 1); }
            }

            """
        try Files.write(Array(source.utf8), to: place("before.c"))
        let compiled = try Run("cc", ["-shared", "-fPIC", "-o", place("before.so"), place("before.c")])
        try #require(compiled.isClean, "\(compiled.text)")
        let environment = ["LD_PRELOAD": place("before.so")]

        let server = try Run(Program.server, ["--version"], environment: environment, seconds: 20)
        #expect(server.isClean && server.text.hasPrefix("etcd Version: "), "\(server.text)")
        let client = try Run(Program.client, ["--version"], environment: environment, seconds: 20)
        #expect(client.isClean && client.text.contains("etcdctl version"), "\(client.text)")
        let tool = try Run(Program.offlineTool, ["status", place("none")], environment: environment, seconds: 20)
        #expect(tool.ending != .exit(0) && tool.text.contains(place("none")), "\(tool.text)")
        // Options of several words, an empty one among them.
        let refused = try Run(Program.server, ["--name", "", "--snapshot-count", "x y"], environment: environment, seconds: 20)
        #expect(refused.ending == .exit(2) && refused.text.contains("\"x y\""), "\(refused.text)")
    }

    @Test("Closed standard descriptors are nobody else's: no file of the data directory gets the log's lines")
    func closedDescriptors() throws {
        let place = try Workplace()
        let url = "http://127.0.0.1:\(try Ports.free())"
        let peer = "http://127.0.0.1:\(try Ports.free())"
        let flags = [
            "--data-dir", place("data"), "--listen-client-urls", url, "--advertise-client-urls", url, "--listen-peer-urls", peer,
            "--initial-advertise-peer-urls", peer, "--initial-cluster", "default=\(peer)", "--log-level", "debug",
        ]
        let child = try Child(
            "sh", ["-c", "exec \"$0\" \"$@\" <&- >&- 2>&-", Program.server] + flags, output: place("out"))
        let port = try #require(UInt16(url.split(separator: ":").last ?? ""))
        let client = HTTPClient(port: port, timeoutSeconds: 20)
        #expect(eventually(within: Server.startSeconds) { (try? client.put("/a", "1"))?.isSuccess == true })
        #expect(try Files.read(place("data/member/lock")) == Array("\(child.pid)\n".utf8))
        for descriptor in 0...2 {
            #expect(try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/\(child.pid)/fd/\(descriptor)") == "/dev/null")
        }
        child.send(SIGTERM)
        #expect(child.wait(seconds: 20) == .signal(SIGTERM))
        #expect(try Program.etcliteutl("check", place("data")).isClean)
    }

    @Test("etcliteutl on a full disk says so, and does not crash")
    func fullOutput() throws {
        let place = try Workplace()
        let server = try Server(place("data"))
        #expect(try server.client().put("/a", "1").isSuccess)
        let run = try Run("sh", ["-c", "\"$0\" ls \(place("data")) > /dev/full", Program.offlineTool])
        #expect(run.ending == .exit(2) && run.text.contains("no space left"), "\(run.ending) \(run.text)")
    }

    @Test("A member is not added twice, however its URL is spelt")
    func spelling() throws {
        let place = try Workplace()
        let server = try Server(place("data"))
        for url in ["http://[::ffff:127.0.0.1]:\(server.peerPort)", "http://127.1:\(server.peerPort)", "http://127.0.0.1:0\(server.peerPort)"] {
            let answer = try server.client().request("POST", "/v2/members", json: "{\"peerURLs\":[\"\(url)\"]}")
            #expect(answer.status == 409 && answer.text.contains("peerURL exists"), "\(url): \(answer.status) \(answer.text)")
        }
    }
}
