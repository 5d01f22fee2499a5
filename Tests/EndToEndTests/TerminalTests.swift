import Foundation
import Testing

/// The client before a person, and before a program.
@Suite("Terminal and pipe", .blocking)
struct TerminalTests {
    @Test("A table with colours in a terminal, without them when nobody wants any, and etcdctl's lines in a pipe",
        .enabled(if: Program.isInstalled("script"), "needs script of bsdutils"))
    func memberList() throws {
        let place = try Workplace()
        let server = try Server(place("data"))
        let url = "http://127.0.0.1:\(server.port)"
        let words = ["--endpoints", url, "member", "list"]
        func inTerminal(_ environment: [String: String]) throws -> String {
            let line = ([Program.client] + words).joined(separator: " ")
            return try Run("script", ["-qec", line, "/dev/null"], environment: environment).text
        }
        let coloured = try inTerminal(["TERM": "xterm", "NO_COLOR": ""])
        #expect(coloured.hasPrefix("ID ") && coloured.contains("\u{1b}[32mleader\u{1b}[0m"), "\(coloured)")
        for environment in [["TERM": "dumb"], ["TERM": "xterm", "NO_COLOR": "1"]] {
            let plain = try inTerminal(environment)
            #expect(plain.hasPrefix("ID ") && plain.contains("  leader  ") && !plain.contains("\u{1b}"), "\(plain)")
        }
        let piped = try Run(Program.client, words, environment: ["TERM": "xterm"]).text
        #expect(piped.wholeMatch(of: /[0-9a-f]+: name=default peerURLs=http:\/\/127.0.0.1:\d+ clientURLs=http:\/\/127.0.0.1:\d+ isLeader=true\n/) != nil, "\(piped)")
    }

    @Test("A server whose terminal is closed stops in order", .enabled(if: Program.isInstalled("script"), "needs script of bsdutils"))
    func closedTerminal() throws {
        let place = try Workplace()
        let (port, peer, log) = (try Ports.free(), try Ports.free(), place("log"))
        let (url, peerURL) = ("http://127.0.0.1:\(port)", "http://127.0.0.1:\(peer)")
        let line = [
            Program.server, "--data-dir", place("data"), "--log-outputs", log, "--listen-client-urls", url, "--advertise-client-urls", url,
            "--listen-peer-urls", peerURL, "--initial-advertise-peer-urls", peerURL, "--initial-cluster", "default=\(peerURL)",
        ].joined(separator: " ")
        let window = try Child("script", ["-qec", "exec " + line, "/dev/null"], output: place("window"))
        func says(_ text: String) -> Bool {
            eventually(within: Server.startSeconds) { String(decoding: (try? Files.read(log)) ?? [], as: UTF8.self).contains(text) }
        }
        guard says("ready to serve client requests") else { throw Failure("no start: \(window.text)") }
        #expect(try HTTPClient(port: port).put("/k", "v").isSuccess)
        window.kill()
        #expect(says("received hangup signal, shutting down..."))
        // The lock is empty after a stop in order.
        #expect(eventually(within: 20) { Files.size(place("data") + "/member/lock") == 0 })
    }
}
