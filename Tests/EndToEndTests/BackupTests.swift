import Foundation
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
