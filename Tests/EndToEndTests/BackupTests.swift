import Foundation
import Glibc
import Testing

/// Backups of a running server, and what comes of them.
@Suite("Backup and restore", .blocking)
struct BackupTests {
    @Test("A hot backup under load holds all that was acknowledged before it, and a server starts from it")
    func hotBackup() throws {
        let place = try Workplace()
        let server = try Server(place("data"))
        let before = Ledger()
        let first = Load(on: server.port, before, .init(round: 1))
        #expect(eventually { before.acknowledged > 300 })
        try first.stop()

        // Other keys than those before, so that what must be there is known.
        let client = server.client()
        let isOver = NSLock()
        isOver.lock()
        let writes = DispatchQueue(label: "writes")
        let port = server.port
        writes.async {
            let client = HTTPClient(port: port)
            var number = 0
            while !isOver.try() {
                number += 1
                _ = try? client.put("/during/k\(number % 50)", "\(number)")
            }
        }
        for number in 1...3 {
            let run = try Program.etcliteutl("backup", "--endpoint", "http://127.0.0.1:\(server.port)", place("hot\(number)"), "--json")
            #expect(run.isClean, "\(run.text)")
            let index = try client.put("/index", "\(number)").index
            let report = try JSONDecoder().decode(BackupReport.self, from: Data(run.text.utf8))
            #expect(report.keysIndex >= before.highest && report.keysIndex <= index)
        }
        let plain = try client.request("GET", "/etclite/backup")
        #expect(plain.status == 200 && plain.headers["content-length"] == "\(plain.body.count)")
        try Files.write(plain.body, to: place("plain"))
        isOver.unlock()
        writes.sync {}
        #expect(Files.names(server.directory + "/member/transfer").isEmpty)

        let cluster = try client.get("/").headers["x-etcd-cluster-id"]
        for file in ["hot1", "hot3", "plain"] {
            let restore = try Program.etcliteutl("restore", place(file), "--data-dir", place(file + ".etcd"))
            #expect(restore.isClean, "\(restore.text)")
            let restored = try Server(place(file + ".etcd"))
            #expect(try before.complaints(about: restored) == [])
            let answer = try restored.client().put("/new", "1")
            #expect(answer.index > before.highest)
            #expect(answer.headers["x-etcd-cluster-id"] != cluster)
            #expect(try restored.client().request("GET", "/v2/members").text != server.client().request("GET", "/v2/members").text)
            // Whoever watched the old cluster is told so.
            let cleared = try restored.client().request("GET", "/v2/keys/?wait=true&recursive=true&waitIndex=\(before.highest)")
            #expect(try cleared.answer().errorCode == 401, "\(cleared.text)")
            restored.kill()
            let check = try Program.etcliteutl("check", place(file + ".etcd"))
            #expect(check.isClean, "\(check.text)")
        }
        if Program.isInstalled("sqlite3") {
            let shell = try Program.sqlite3(place("hot1"), "select keys_index >= \(before.highest), length(state_hash) from backup; select count(*) > 0 from keys")
            #expect(shell.text == "1|32\n1\n", "\(shell.text)")
        }
    }

    private struct BackupReport: Decodable {
        let keysIndex: UInt64
    }

    @Test("A backup of a killed server's directory has what was only in its log, and leaves the directory alone")
    func coldBackup() throws {
        let place = try Workplace()
        let (directory, ledger) = try Sample.short().copy(to: place("data"))
        let before = try Sample.fingerprint(directory)
        #expect(try Program.etcliteutl("backup", directory, place("cold")).isClean)
        #expect(try Sample.fingerprint(directory) == before)
        #expect(try Program.etcliteutl("restore", place("cold"), "--data-dir", place("new"), "--bump-index", "1000").isClean)
        let server = try Server(place("new"))
        #expect(try ledger.complaints(about: server) == [])
        #expect(try server.client().put("/new", "1").index > ledger.highest + 1000)
    }

    @Test("etclitectl backup makes a directory of one member with new ids, of a running member, of a killed one, and of one over HTTP")
    func directories() throws {
        let place = try Workplace()
        let cluster = try LocalCluster(["a", "b", "c"], in: place)
        try cluster.start()
        let ledger = Ledger()
        let load = Load(on: try cluster.leader().port, ledger, .init(writers: 4, round: 1))
        #expect(eventually(within: 20) { ledger.acknowledged > 200 })
        // Whatever a member holds: it need not be all that is acknowledged.
        let one = cluster.members[0]
        let least = try one.client().get("/").index
        let hot = try Run(Program.client, ["backup", "--data-dir", one.directory, "--backup-dir", place("hot")])
        let id = try one.id()
        #expect(hot.isClean && hot.text.contains("backed up member \(id) of cluster "), "\(hot.text)")
        try load.stop()
        #expect(eventually { (try? one.files().index) == (try? cluster.leader().files().index) })
        let (before, index) = try one.files()
        let http = try Run(
            Program.client, ["--endpoints", "http://127.0.0.1:\(one.port)", "backup", "--backup-dir", place("new/over/http"), "--with-v3"])
        #expect(http.isClean, "\(http.text)")
        let ids = try one.client().request("GET", "/v2/members").text
        let clusterID = try one.client().get("/").headers["x-etcd-cluster-id"]
        for member in cluster.members { member.kill() }
        mkdir(place("cold"), 0o700)
        let cold = try Run(Program.client, ["backup", "--data-dir", one.directory, "--backup-dir", place("cold")])
        #expect(cold.isClean, "\(cold.text)")
        #expect(Files.names(place.path).allSatisfy { !$0.contains(".backup-") && !$0.contains("partial") })

        for (name, flags) in [("hot", []), ("cold", []), ("new/over/http", ["--force-new-cluster"])] {
            let check = try Program.etcliteutl("check", place(name))
            #expect(check.isClean, "\(check.text)")
            let server = try Server(place(name), flags: flags)
            let text = try server.client().request("GET", "/v2/members").text
            let id = try #require(text.firstMatch(of: /"id":"([0-9a-f]+)"/)).1
            #expect(!ids.contains(id) && text.components(separatedBy: "\"id\"").count == 2, "\(text)")
            #expect(text.contains("\"peerURLs\":[\"http://localhost:2380\"]") && text.contains("\"name\":\"default\""), "\(text)")
            #expect(try server.client().get("/").headers["x-etcd-cluster-id"] != clusterID)
            if name != "hot" {
                let after = try server.files()
                #expect(after.files.mapValues(\.value) == before.mapValues(\.value))
                #expect(after.index >= index)
            }
            #expect(try server.client().put("/new", "1").index > least)
            server.kill()
        }
        let again = try Run(Program.client, ["backup", "--data-dir", one.directory, "--backup-dir", place("cold")])
        #expect(again.ending == .exit(1) && again.text.contains("is not empty"), "\(again.text)")
        let nothing = try Run(Program.client, ["backup", "--data-dir", place("nowhere"), "--backup-dir", place("no")])
        #expect(nothing.ending == .exit(1) && nothing.text.contains("nowhere"), "\(nothing.text)")
        #expect(!Files.exists(place("no")))
    }

    @Test("With users, a backup over HTTP is for root, named by flag or by variable")
    func withUsers() throws {
        let place = try Workplace()
        let server = try Server(place("data"))
        let url = "http://127.0.0.1:\(server.port)"
        func ctl(_ words: [String], _ environment: [String: String] = [:]) throws -> Run {
            try Run(Program.client, ["--endpoints", url] + words, environment: environment)
        }
        for words in [["user", "add", "root:secret"], ["user", "add", "alice:pw"], ["auth", "enable"]] { #expect(try ctl(words).isClean) }
        for (words, environment) in [([], [:]), (["-u", "alice:pw"], [:]), ([], ["ETCDCTL_USERNAME": "root:wrong"])] as [([String], [String: String])] {
            let run = try ctl(words + ["backup", "--backup-dir", place("no")], environment)
            #expect(run.ending == .exit(1) && run.text.contains("401"), "\(run.text)")
        }
        #expect(!Files.exists(place("no")))
        #expect(try ctl(["--username", "root:secret", "backup", "--backup-dir", place("one")]).isClean)
        #expect(try ctl(["backup", "--backup-dir", place("two")], ["ETCDCTL_USERNAME": "root:secret"]).isClean)
        server.kill()
        // Users and roles come along.
        let restored = try Server(place("two"))
        #expect(try Run(Program.client, ["--endpoints", "http://127.0.0.1:\(restored.port)", "-u", "root:secret", "user", "list"]).text == "alice\nroot\n")
    }

    @Test("Of many who ask for a backup at once each gets a whole one or a 503, and there is one at a time on the disk")
    func manyAtOnce() throws {
        let place = try Workplace()
        let server = try Server(place("data"))
        let client = server.client()
        let value = String(repeating: "x", count: 100_000)
        for number in 0..<60 { _ = try client.put("/large/\(number)", value) }
        let answers = Answers()
        for number in 0..<12 { answers.ask("\(number)", server.port) { try $0.request("GET", "/etclite/backup") } }
        var mostAtOnce = 0
        let transfer = server.directory + "/member/transfer"
        for _ in 0..<400 {
            let numbers = Set(Files.names(transfer).compactMap { $0.split(separator: ".").first })
            mostAtOnce = max(mostAtOnce, numbers.count)
            usleep(5000)
        }
        let got = try answers.all(within: 60).map(\.1)
        let whole = got.filter { $0.status == 200 }
        #expect(whole.count >= 5 && whole.count + got.count { $0.status == 503 } == 12, "\(got.map(\.status))")
        for response in whole { #expect(response.headers["content-length"] == "\(response.body.count)" && response.body.count > 6_000_000) }
        #expect(mostAtOnce == 1)
        #expect(try client.request("GET", "/etclite/backup").status == 200)
        #expect(eventually { Files.names(transfer).isEmpty })
    }

    @Test("A client that goes away in the middle of a backup leaves nothing behind")
    func abandonedDownload() throws {
        let place = try Workplace()
        let (directory, ledger) = try Sample.long().copy(to: place("data"))
        let server = try Server(directory)
        for _ in 0..<5 {
            let socket = try Socket(connectingTo: server.port)
            try socket.send(Array("GET /etclite/backup HTTP/1.1\r\nHost: x\r\n\r\n".utf8))
            _ = try socket.receive()
            socket.close()
        }
        #expect(eventually { Files.names(directory + "/member/transfer").isEmpty })
        #expect(try ledger.complaints(about: server) == [])
    }
}
