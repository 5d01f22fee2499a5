import Foundation
import Testing

/// Starting and stopping the real binary (server.md §3, §8 and §11).
@Suite("Start-up and the end", .blocking)
struct StartupTests {
    /// Starts a server that must refuse; its last sentence.
    private func refusal(_ directory: String, flags: [String] = [], port: UInt16? = nil) throws -> String {
        let server = try Server(spawning: directory, flags: flags, port: port)
        let ending = server.child.wait(seconds: 20)
        #expect(ending == .exit(1), "\(server.log)")
        return server.messages.last ?? ""
    }

    @Test("The lines that scripts wait for come, in etcd's order; a restart says so; SIGTERM ends in order with 143")
    func startAndStop() throws {
        let place = try Workplace()
        let server = try Server(place("data"), flags: ["--name", "default"])
        let first = [
            "etcdmain: etcd Version:", "embed: name = default", "embed: data dir = \(place("data"))",
            "embed: listening for peers on 127.0.0.1:", "etcdserver: starting member", "became leader at term",
            "elected leader", "enabled capabilities for version 3.4",
            "etcdserver: published {Name:default ClientURLs:[http://127.0.0.1:\(server.port)]} to cluster",
            "embed: ready to serve client requests", "embed: serving insecure client requests on 127.0.0.1:\(server.port)",
        ]
        expect(server.messages, contains: first)
        // What the founders have agreed on before the election is applied beside it.
        expect(server.messages, contains: ["etcdserver: starting member", "etcdserver/membership: added member", "enabled capabilities"])
        #expect(try server.client().put("/a", "1").isSuccess)
        #expect(try server.stop() == .signal(SIGTERM))
        #expect(server.messages.suffix(2).first?.contains("received terminated signal, shutting down...") == true)
        #expect(try Files.read(server.directory + "/member/lock").isEmpty)

        // Flags that found a cluster are ignored now, others count.
        try server.restart(moreFlags: ["--name", "renamed", "--initial-cluster-token", "other", "--initial-cluster", "renamed=http://127.0.0.1:1"])
        expect(server.messages, contains: [
            "already initialized as member before", "etcdserver: restarting member", "published {Name:renamed",
            "ready to serve client requests",
        ])
        #expect(try server.client().get("/a").answer().node?.value == "1")
        #expect(try server.client().request("GET", "/v2/members").text.contains("\"name\":\"renamed\""))
        server.child.send(SIGINT)
        #expect(server.child.wait(seconds: 20) == .signal(SIGINT))
        let check = try Program.etcliteutl("check", server.directory)
        #expect(check.isClean && !check.text.contains("not in the tree"), "\(check.text)")
    }

    private func expect(_ messages: [String], contains wanted: [String]) {
        var rest = messages[...]
        for line in wanted {
            guard let place = rest.firstIndex(where: { $0.contains(line) }) else {
                Issue.record("\(line): missing, or out of order, in\n\(messages.joined(separator: "\n"))")
                return
            }
            rest = rest[(place + 1)...]
        }
    }

    @Test("A stop under load answers or cuts every client, and loses nothing")
    func stopUnderLoad() throws {
        let place = try Workplace()
        let ledger = Ledger()
        let server = try Server(place("data"))
        for round in 1...3 {
            let load = Load(on: server.port, ledger, .init(toleratesRefusals: true, round: round))
            let watcher = server.client()
            #expect(try watcher.watch("/none", "recursive=true").status == 200)
            usleep(300_000)
            #expect(try server.stop() == .signal(SIGTERM))
            try load.stop()
            #expect((try? watcher.nextEvent()) == nil)
            try server.restart()
            #expect(try ledger.complaints(about: server) == [])
        }
    }

    @Test("A second process on a directory ends at once and names the first, which goes on")
    func secondProcess() throws {
        let place = try Workplace()
        let server = try Server(place("data"))
        let start = steadySeconds
        let sentence = try refusal(place("data") + "/")
        #expect(steadySeconds - start < 3)
        #expect(sentence.contains("is in use by process \(server.child.pid);"), "\(sentence)")
        #expect(try server.client().put("/a", "1").isSuccess)
    }

    @Test("A taken port is found before any data is written")
    func takenPort() throws {
        let place = try Workplace()
        let port = try Ports.free()
        let taken = try Socket(listeningOn: port)
        defer { taken.close() }
        let sentence = try refusal(place("data"), port: port)
        #expect(sentence.contains("listen tcp 127.0.0.1:\(port): bind: address already in use"), "\(sentence)")
        #expect(!Files.exists(place("data")))
    }

    @Test("A directory of etcd is refused, and left as it is")
    func foreignDirectory() throws {
        let place = try Workplace()
        for folder in ["snap", "wal"] {
            try FileManager.default.createDirectory(atPath: place("etcd/member/\(folder)"), withIntermediateDirectories: true)
        }
        let sentence = try refusal(place("etcd"))
        #expect(sentence.contains("holds files of etcd (member/wal, member/snap)") && sentence.contains("--data-dir"), "\(sentence)")
        #expect(Files.names(place("etcd/member")) == ["snap", "wal"])
    }

    @Test("A path that is no directory, or cannot be written to, is refused with a sentence")
    func unusableDirectories() throws {
        let place = try Workplace()
        try Files.write([1], to: place("file"))
        #expect(try refusal(place("file")).contains(place("file")))

        // Root may write anywhere but on a read-only file system.
        try FileManager.default.createDirectory(atPath: place("ro"), withIntermediateDirectories: true)
        guard geteuid() != 0 else {
            let mount = try Run("mount", ["-t", "tmpfs", "-o", "ro,size=1m", "tmpfs", place("ro")])
            guard mount.isClean else { return print("not tested: a read-only file system (mounting is not allowed here)") }
            defer { _ = try? Run("umount", ["-l", place("ro")]) }
            let sentence = try refusal(place("ro"))
            #expect(sentence.contains(place("ro")) && sentence.contains("read-only file system"), "\(sentence)")
            return
        }
        chmod(place("ro"), 0o500)
        let sentence = try refusal(place("ro"))
        #expect(sentence.contains(place("ro")) && sentence.contains("permission denied"), "\(sentence)")
    }

    @Test("Files of a newer version are refused, by name and number", arguments: ["log.db", "tree.db"])
    func newerSchema(file: String) throws {
        let place = try Workplace()
        let (directory, ledger) = try Sample.short().copy(to: place("data"))
        let path = directory + "/member/" + file
        let edit = try Program.sqlite3(path, "insert into schema_migrations values (99, 'from the future', '')")
        try #require(edit.isClean, "\(edit.text)")
        let sentence = try refusal(directory)
        #expect(sentence.contains(path) && sentence.contains("99"), "\(sentence)")
        let undo = try Program.sqlite3(path, "delete from schema_migrations where number = 99")
        try #require(undo.isClean)
        let server = try Server(directory)
        #expect(try ledger.complaints(about: server) == [])
    }

    @Test("A lost tree is made again from the log; a lost log is not made up")
    func missingFiles() throws {
        let place = try Workplace()
        let (directory, ledger) = try Sample.short().copy(to: place("data"))
        for name in Files.names(directory + "/member") where name.hasPrefix("tree.db") { Files.remove(directory + "/member/" + name) }
        let server = try Server(directory)
        #expect(try ledger.complaints(about: server) == [])
        #expect(server.log.contains("tree.db was missing; it is made again from the log"))
        try server.stop()
        for name in Files.names(directory + "/member") where name.hasPrefix("log.db") { Files.remove(directory + "/member/" + name) }
        let sentence = try refusal(directory)
        #expect(sentence.contains("log.db") && sentence.contains("restore a backup"), "\(sentence)")
    }

    @Test("A directory that is made is for its owner only; one that was there keeps what others may do in it, with a warning")
    func mode() throws {
        func mode(_ path: String) throws -> Int? { try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int }
        let place = try Workplace()
        let server = try Server(place("data"))
        #expect(try mode(server.directory) == 0o700 && mode(server.directory + "/member") == 0o700)
        #expect(!server.log.contains("check file permission"))
        try server.stop()
        chmod(server.directory, 0o750)
        try server.restart()
        #expect(try mode(server.directory) == 0o750 && mode(server.directory + "/member") == 0o700)
        #expect(server.log.contains("check file permission: directory \"\(server.directory)\" exist, but the permission is \"drwxr-x---\""))
    }
}
