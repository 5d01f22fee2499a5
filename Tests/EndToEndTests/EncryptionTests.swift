import Foundation
import TestCertificates
import Testing

/// The real server behind TLS, with the clients that people have.
@Suite("Encryption", .blocking, .enabled(if: Program.isInstalled("curl"), "needs curl"))
struct EncryptionTests {
    private let place: Workplace
    private let authority: TestAuthority

    init() throws {
        (place, authority) = (try Workplace(), try TestAuthority())
    }

    private func member(_ name: String = "a", requires: Bool = true, flags: [String] = []) throws -> EncryptedMember {
        let member = try EncryptedMember(name, in: place)
        try member.trust(authority)
        try member.certify(by: authority)
        member.flags = member.files(requires: requires) + member.files("peer-") + flags
        return member
    }

    @Test("curl, etcdctl and etclitectl are served with a certificate, and not without")
    func clients() throws {
        let member = try member()
        try member.start()
        #expect(try member.curl("/v2/keys/k", ["-XPUT", "-d", "value=1"]).text.contains("\"action\":\"set\""))
        let none = try member.curl("/version", as: nil)
        #expect(!none.isClean && none.text.contains("alert"), "\(none.text)")
        try member.awaitLog("tls: client didn't provide a certificate")
        #expect(member.log.contains("rejected connection from \"127.0.0.1:"))
        #expect(member.log.contains("serving client requests on 127.0.0.1:\(member.port)"))
        let clear = try Run("curl", ["-sS", "-m", "10", "http://127.0.0.1:\(member.port)/version"])
        #expect(!clear.isClean && clear.text.contains("Empty reply from server"), "\(clear.text)")

        let files = ["cert-file": "member.pem", "key-file": "member-key.pem", "ca-file": "ca.pem"].mapValues { "\(member.certificates)/\($0)" }
        let flags = files.flatMap { ["--" + $0.key, $0.value] }
        let variables = Dictionary(uniqueKeysWithValues: files.map { ("ETCDCTL_" + $0.key.uppercased().split(separator: "-").joined(separator: "_"), $0.value) })
        for client in [Program.client] + (Program.isInstalled("etcdctl") ? ["etcdctl"] : []) {
            let environment = ["ETCDCTL_API": "2"]
            let endpoints = ["--endpoints", member.url]
            #expect(try Run(client, flags + endpoints + ["set", "/c", client], environment: environment).text == client + "\n")
            #expect(try Run(client, endpoints + ["get", "/c"], environment: environment.merging(variables) { $1 }).text == client + "\n")
            let health = try Run(client, flags + endpoints + ["cluster-health"], environment: environment)
            #expect(health.text.contains("cluster is healthy"), "\(client): \(health.text)")
            let untrusting = try Run(client, endpoints + ["get", "/c"], environment: environment)
            #expect(untrusting.ending == .exit(4) && untrusting.text.contains("x509: certificate signed by unknown authority"), "\(client): \(untrusting.text)")
            let bare = try Run(client, ["--ca-file", "\(member.certificates)/ca.pem"] + endpoints + ["get", "/c"], environment: environment)
            #expect(!bare.isClean && bare.text.contains("remote error: tls: "), "\(client): \(bare.text)")
            if client == Program.client {
                let directory = try Run(client, flags + endpoints + ["backup", "--backup-dir", place("backup.etcd")])
                #expect(directory.isClean, "\(directory.text)")
            }
            let missing = try Run(client, ["--ca-file", "/nonexist.pem"] + endpoints + ["ls"], environment: environment)
            #expect(missing.ending == .exit(1) && missing.text.contains("open /nonexist.pem: no such file or directory"), "\(client): \(missing.text)")
        }

        let backup = try Program.etcliteutl(
            "backup", "--endpoint", member.url, "--ca-file", "\(member.certificates)/ca.pem", "--cert-file", "\(member.certificates)/member.pem",
            "--key-file", "\(member.certificates)/member-key.pem", place("backup.db"))
        #expect(backup.isClean, "\(backup.text)")

        let metrics = try member.curl("/metrics").text
        func days(_ port: String, _ kind: String) -> Double? {
            let name = "etclite_tls_days_until_expiry{port=\"\(port)\",kind=\"\(kind)\"} "
            return metrics.split(separator: "\n").first { $0.hasPrefix(name) }.flatMap { Double($0.dropFirst(name.count)) }
        }
        // Whole seconds: within the second in which it was made, it has all of its days.
        #expect(try (9.9...10).contains(#require(days("client", "certificate"))), "\(metrics)")
        #expect(try (29.9...30).contains(#require(days("peer", "authority"))), "\(metrics)")
        try member.stop()
    }

    @Test("Files that cannot be used stop the start before anything is done, with one sentence")
    func unusable() throws {
        func end(_ change: (EncryptedMember) throws -> Void) throws -> String {
            let member = try member("b\(Files.names(place.path).count)")
            try change(member)
            try member.spawn()
            #expect(member.child?.wait(seconds: 20) == .exit(1))
            #expect(!Files.exists(member.directory), "\(member.log)")
            return String(member.log.split(separator: "\n").last ?? "")
        }
        #expect(try end { Files.remove($0.certificates + "/member.pem") }.hasSuffix("/member.pem: no such file or directory"))
        #expect(try end { Files.remove($0.certificates + "/ca.pem") }.hasSuffix("/ca.pem: no such file or directory"))
        let mismatch = try end { member in
            try authority.issue("other").key.write(toFile: member.certificates + "/member-key.pem", atomically: true, encoding: .utf8)
        }
        #expect(mismatch.contains("member-key.pem is not that of the certificate CN=b") && mismatch.contains("member.pem"), "\(mismatch)")
        #expect(try end { try Files.write(Array("x".utf8), to: $0.certificates + "/member-key.pem") }.contains("member-key.pem holds no private key"))
        #expect(try end { $0.flags += ["--client-crl-file", $0.certificates + "/member.pem"] }.contains("member.pem is no list of revoked certificates"))
    }

    @Test("An expired certificate is said with file, subject and date, and is replaced while the server runs")
    func expired() throws {
        let member = try member(requires: false)
        try authority.issue("old", hosts: ["127.0.0.1"], days: -5 ... -1).write(to: member.certificates, as: "member")
        try member.start()
        try member.awaitLog("member.pem: certificate CN=old has expired: it was valid until 20")
        #expect(try !member.curl("/version", as: nil).isClean)
        try Files.write(Array("x".utf8), to: member.certificates + "/member.pem")
        try member.awaitLog("new client certificates cannot be used, the old ones are kept: \(member.certificates)/member.pem holds no certificate")
        try member.certify(by: authority)
        try member.awaitLog("new client certificates are used for new connections: certificate CN=a")
        #expect(try member.curl("/version", as: nil).isClean)
        // Asked for, they are read without a change.
        member.child?.send(SIGHUP)
        let isTold = eventually { member.log.split(separator: "\n").count { $0.contains("new client certificates are used") } == 2 }
        #expect(isTold, "\(member.log)")
        try member.stop()
    }

    @Test("A client whose certificate was taken back does not come in")
    func revoked() throws {
        let member = try member()
        let (alice, mallory) = (try authority.issue("alice"), try authority.issue("mallory"))
        try alice.write(to: member.certificates, as: "alice")
        try mallory.write(to: member.certificates, as: "mallory")
        let list = member.certificates + "/crl.pem"
        try authority.revocations([]).write(toFile: list, atomically: true, encoding: .utf8)
        member.flags += ["--client-crl-file", list]
        try member.start()
        #expect(try member.curl("/version", as: "mallory").isClean)
        try authority.revocations([mallory]).write(toFile: list, atomically: true, encoding: .utf8)
        try member.awaitLog("revocations of \(list)")
        #expect(try !member.curl("/version", as: "mallory").isClean)
        #expect(try member.curl("/version", as: "alice").isClean)
        try member.awaitLog("certificate CN=mallory with serial number ")
        try member.stop()
    }

    @Test("With required certificates the common name is the user, unless a password is sent")
    func commonName() throws {
        let member = try member()
        for name in ["root", "alice", "nobody"] { try authority.issue(name).write(to: member.certificates, as: name) }
        try member.start()
        func put(_ path: String, _ json: String, as name: String = "root", _ more: [String] = []) throws -> String {
            try member.curl(path, ["-XPUT", "-H", "Content-Type: application/json", "-d", json, "-w", " %{http_code}"] + more, as: name).text
        }
        #expect(try put("/v2/auth/users/root", #"{"user":"root","password":"r"}"#).hasSuffix(" 201"))
        #expect(try put("/v2/auth/roles/app", #"{"role":"app","permissions":{"kv":{"read":["/app/*"],"write":["/app/*"]}}}"#).hasSuffix(" 201"))
        #expect(try put("/v2/auth/users/alice", #"{"user":"alice","password":"a","roles":["app"]}"#).contains(" 20"))
        #expect(try put("/v2/auth/roles/guest", #"{"role":"guest"}"#).hasSuffix(" 201"))
        #expect(try put("/v2/auth/enable", "").hasSuffix(" 200"))

        func status(_ path: String, as name: String, _ more: [String] = []) throws -> String {
            try member.curl(path, ["-o", "/dev/null", "-w", "%{http_code}"] + more, as: name).text
        }
        let write = ["-XPUT", "-d", "value=1"]
        #expect(try status("/v2/keys/app/a", as: "alice", write) == "201")
        #expect(try status("/v2/keys/other", as: "alice", write) == "401")
        #expect(try status("/v2/keys/other", as: "root", write) == "201")
        #expect(try status("/v2/keys/app/a", as: "nobody") == "401")
        #expect(try status("/v2/auth/users", as: "root") == "200")
        #expect(try status("/v2/auth/users", as: "alice") == "401")
        // A password speaks before the certificate, right or wrong.
        #expect(try status("/v2/auth/users", as: "alice", ["-u", "root:r"]) == "200")
        #expect(try status("/v2/auth/users", as: "root", ["-u", "root:wrong"]) == "401")
        try member.stop()
        let log = try Program.etcliteutl("log", member.directory, "--user", "alice")
        #expect(log.text.contains("alice@127.0.0.1:"), "\(log.text)")
    }

    @Test("An authority alone asks for certificates, and they name no user")
    func authorityAlone() throws {
        let member = try member()
        member.flags.removeAll { $0 == "--client-cert-auth" }
        try authority.issue("root").write(to: member.certificates, as: "root")
        try member.start()
        #expect(try !member.curl("/version", as: nil).isClean)
        #expect(try member.curl("/v2/auth/users/root", ["-XPUT", "-d", #"{"user":"root","password":"r"}"#], as: "root").isClean)
        #expect(try member.curl("/v2/auth/enable", ["-XPUT"], as: "root", in: nil).isClean)
        #expect(try member.curl("/v2/auth/users", ["-o", "/dev/null", "-w", "%{http_code}"], as: "root").text == "401")
        try member.stop()
    }

    @Test("A member makes its own certificate and uses it again")
    func automatic() throws {
        let member = try EncryptedMember("a", in: place, flags: ["--auto-tls", "--peer-auto-tls"])
        try member.start()
        let version = ["-sSk", "-m", "20", member.url + "/version"]
        #expect(try Run("curl", version).text.contains("etcdserver"))
        for kind in ["client", "peer"] { #expect(Files.names("\(member.directory)/fixtures/\(kind)") == ["cert.pem", "key.pem"]) }
        let made = try Files.read(member.directory + "/fixtures/client/cert.pem")
        try member.stop()
        try member.start()
        #expect(try Files.read(member.directory + "/fixtures/client/cert.pem") == made)
        let trusting = try Run("curl", ["-sS", "-m", "20", "--cacert", member.directory + "/fixtures/client/cert.pem", member.url + "/version"])
        #expect(trusting.text.contains("etcdserver"), "\(trusting.text)")
        try member.stop()
    }

    @Test("One address with both schemes, and sockets in the file system")
    func addresses() throws {
        let member = try member(requires: false)
        let (clear, sealed) = (place("clear.sock"), place("sealed.sock"))
        member.flags += ["--listen-client-urls", "\(member.url),http://127.0.0.1:\(member.port),unix://\(clear),unixs://\(sealed)"]
        try member.start()
        #expect(try member.curl("/version", as: nil).text.contains("etcdserver"))
        #expect(try Run("curl", ["-sS", "http://127.0.0.1:\(member.port)/version"]).text.contains("etcdserver"))
        #expect(try Run("curl", ["-sS", "--unix-socket", clear, "http://localhost/version"]).text.contains("etcdserver"))
        let files = ["--cacert", member.certificates + "/ca.pem"]
        #expect(try Run("curl", ["-sS", "--unix-socket", sealed] + files + ["https://localhost/version"]).text.contains("etcdserver"))
        #expect(try !Run("curl", ["-sS", "--unix-socket", sealed, "http://localhost/version"]).isClean)
        for (endpoint, more) in [("unix://" + clear, []), ("unixs://" + sealed, ["--ca-file", member.certificates + "/ca.pem"])] {
            let run = try Run(Program.client, ["--no-sync", "--endpoints", endpoint] + more + ["set", "/s", endpoint])
            #expect(run.text == endpoint + "\n")
        }
        try member.stop()
        #expect(!Files.exists(clear) && !Files.exists(sealed))
    }

    @Test("A thousand connections that never finish their handshake cost little, and others are served meanwhile")
    func unfinished() throws {
        let member = try member(requires: false)
        try member.start()
        func resident() throws -> Int {
            let line = try member.curl("/metrics", as: nil).text.split(separator: "\n").first { $0.hasPrefix("process_resident_memory_bytes ") }
            return line.flatMap { Int($0.split(separator: " ")[1]) } ?? 0
        }
        let before = try resident()
        // The head of a record with a greeting that never comes.
        let start: [UInt8] = [22, 3, 1, 2, 0, 1, 0, 1, 252, 3, 3]
        var silent: [Socket] = []
        for _ in 0..<1000 {
            let socket = try Socket(connectingTo: member.port)
            try socket.send(start)
            silent.append(socket)
        }
        for _ in 0..<5 { #expect(try member.curl("/v2/keys/k", ["-XPUT", "-d", "value=1"], as: nil).isClean) }
        let grown = try resident() - before
        #expect(grown < 100 << 20, "\(grown) bytes")
        let metrics = try member.curl("/metrics", as: nil).text
        #expect(metrics.contains("etclite_client_handshakes_unfinished "))
        #expect(try eventually(within: 40) { try member.curl("/metrics", as: nil).text.contains("etclite_client_connections 1\n") })
        withExtendedLifetime(silent) {}
        try member.stop()
    }
}
