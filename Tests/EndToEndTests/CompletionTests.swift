import Foundation
import Testing

/// Completion in shells, the pages of the manual, and the names of etcd.
@Suite("Names, completion and manual", .blocking)
struct CompletionTests {
    private static let programs = [("etclite", Program.server), ("etclitectl", Program.client), ("etcliteutl", Program.offlineTool)]

    private static func script(_ program: String, for shell: String, in place: Workplace) throws -> String {
        let run = try Run(program, ["completion", shell])
        guard run.isClean else { throw Failure("\(program) completion \(shell): \(run.text)") }
        let path = place(URL(fileURLWithPath: program).lastPathComponent + "." + shell)
        try Files.write(Array(run.text.utf8), to: path)
        return path
    }

    /// What bash offers for the last of the words.
    private static func offered(_ words: [String], _ function: String, _ script: String) throws -> [String] {
        let list = words.map { "'\($0)'" }.joined(separator: " ")
        let run = try Run(
            "/bin/bash",
            ["-c", "compopt() { :; }; source \(script); COMP_WORDS=(\(list)); COMP_CWORD=\(words.count - 1); \(function); printf '%s\\n' \"${COMPREPLY[@]}\""])
        return run.text.split(separator: "\n").map(String.init).sorted()
    }

    @Test("bash completes commands, flags and the values of flags of server and client", .enabled(if: Program.isInstalled("bash"), "needs bash"))
    func bash() throws {
        let place = try Workplace()
        let client = try Self.script(Program.client, for: "bash", in: place)
        let server = try Self.script(Program.server, for: "bash", in: place)
        for (words, offers) in [
            (["etclitectl", "mem"], ["member"]), (["etclitectl", "member", ""], ["add", "list", "remove", "update"]),
            (["etcdctl", "--output", "e"], ["extended"]), (["etcdctl", "-o", "j"], ["json"]),
            (["etcdctl", "--endpoints", "http://x", "set", "--swap"], ["--swap-with-index", "--swap-with-value"]),
            // The value of a flag is no command.
            (["etcdctl", "--endpoints", "member", "ro"], ["role"]), (["etcdctl", "completion", "f"], ["fish"]),
            (["etcdctl", "--endpoints", ""], []),
        ] { #expect(try Self.offered(words, "_etclitectl", client) == offers, "\(words)") }
        for (words, offers) in [
            (["etcd", "--initial-cluster-s"], ["--initial-cluster-state"]), (["etcd", "--initial-cluster-state", ""], ["existing", "new"]),
            (["etclite", "--force-new-cluster", "--listen-m"], ["--listen-metrics-urls"]), (["etclite", "comp"], ["completion"]),
        ] { #expect(try Self.offered(words, "_etclite", server) == offers, "\(words)") }
        let files = try Self.offered(["etcd", "--config-file", place.path + "/etclitectl"], "_etclite", server)
        #expect(files == [client])
        let utility = try Self.script(Program.offlineTool, for: "bash", in: place)
        #expect(try Run("/bin/bash", ["-n", utility]).isClean)
    }

    @Test("The scripts for zsh and fish are ones that these shells can read", arguments: ["zsh", "fish"])
    func otherShells(shell: String) throws {
        let place = try Workplace()
        for (_, program) in Self.programs {
            let path = try Self.script(program, for: shell, in: place)
            guard Program.isInstalled(shell) else { continue }
            let run = try Run("/usr/bin/env", [shell, "-n", path])
            #expect(run.isClean, "\(program): \(run.text)")
        }
        guard Program.isInstalled(shell), shell == "fish" else { return }
        let script = try Self.script(Program.client, for: "fish", in: place)
        let run = try Run("/usr/bin/env", ["fish", "-c", "source \(script); complete -C 'etclitectl member '; complete -C 'etcdctl --output j'"])
        for word in ["add", "list", "remove", "update", "json"] { #expect(run.text.contains(word), "\(run.text)") }
    }

    @Test("The manual has every flag and command, and man reads it without a complaint", arguments: programs.map(\.0))
    func manual(name: String) throws {
        let place = try Workplace()
        let program = try #require(Self.programs.first { $0.0 == name }).1
        let path = try Self.script(program, for: "man", in: place)
        let text = String(decoding: try Files.read(path), as: UTF8.self)
        let words = ["etclite": ["initial\\-cluster\\-state", "NOTIFY_SOCKET"], "etclitectl": ["member add", "swap\\-with\\-value"], "etcliteutl": ["\\-\\-bump\\-index"]]
        for word in words[name] ?? [] { #expect(text.contains(word), "\(word)") }
        guard Program.isInstalled("man") else { return }
        let run = try Run("/usr/bin/env", ["man", "--warnings", "-l", path], environment: ["MANPAGER": "cat", "LC_ALL": "C.UTF-8", "MANWIDTH": "200"])
        #expect(run.isClean && !run.text.contains("troff:"), "\(run.text.prefix(500))")
    }

    @Test("Called by the names of etcd, server and client behave the same")
    func names() throws {
        let place = try Workplace()
        for (link, program) in [("etcd", Program.server), ("etcdctl", Program.client)] {
            try FileManager.default.createSymbolicLink(atPath: place(link), withDestinationPath: program)
            for arguments in [["--version"], ["--nosuch"], ["completion", "bash"]] {
                let (one, other) = (try Run(place(link), arguments), try Run(program, arguments))
                #expect(one.ending == other.ending)
                // The client's help shows the name that it was called by.
                #expect(one.text.replacing("etcdctl", with: "etclitectl") == other.text.replacing("etcdctl", with: "etclitectl"))
            }
        }
        let port = try Ports.free(), peer = try Ports.free()
        let url = "http://127.0.0.1:\(port)", peerURL = "http://127.0.0.1:\(peer)"
        let server = try Child(
            place("etcd"),
            ["--data-dir", place("data"), "--listen-client-urls", url, "--advertise-client-urls", url, "--listen-peer-urls", peerURL,
             "--initial-advertise-peer-urls", peerURL, "--initial-cluster", "default=\(peerURL)"], output: place("log"))
        #expect(eventually(within: Server.startSeconds) { server.text.contains("ready to serve") })
        #expect(try Run(place("etcdctl"), ["--endpoints", url, "set", "/k", "v"]).text == "v\n")
        #expect(try Run(place("etcdctl"), ["--endpoints", url, "get", "/k"]).text == "v\n")
        server.kill()
    }
}
