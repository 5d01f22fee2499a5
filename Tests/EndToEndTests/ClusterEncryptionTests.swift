import Foundation
import HTTPTransport
import NIOPosix
import Synchronization
import TLS
import TestCertificates
import Testing

/// Members that talk with each other over TLS.
@Suite("Encryption between members", .blocking)
struct ClusterEncryptionTests {
    private let place: Workplace
    private let authority: TestAuthority

    init() throws {
        (place, authority) = (try Workplace(), try TestAuthority())
    }

    private func cluster(_ flags: [String] = [], isAutomatic: Bool = false) throws -> [EncryptedMember] {
        let members = try ["a", "b", "c"].map { name in
            let member = try EncryptedMember(name, in: place)
            try member.trust(authority)
            try member.certify(by: authority)
            member.flags = isAutomatic ? ["--auto-tls", "--peer-auto-tls"] : member.files() + member.files("peer-") + flags
            return member
        }
        for member in members { member.initialCluster = members.map { "\($0.name)=\($0.peerURL)" }.joined(separator: ",") }
        return members
    }

    private func start(_ members: [EncryptedMember]) throws {
        for member in members { try member.spawn() }
        for member in members { try member.awaitReady() }
    }

    @Test("Three members that made their own certificates work together")
    func automatic() throws {
        let members = try cluster(isAutomatic: true)
        try start(members)
        #expect(try Run("curl", ["-sSk", "-m", "20", "-XPUT", "-d", "value=1", members[0].url + "/v2/keys/k"]).text.contains("\"set\""))
        #expect(try Run("curl", ["-sSk", "-m", "20", members[2].url + "/v2/keys/k?quorum=true"]).text.contains("\"value\":\"1\""))
        for member in members { try member.stop() }
    }

    @Test("Who has no certificate of the authority, another name or another address is not taken for a member")
    func strangers() throws {
        let members = try cluster(["--peer-cert-allowed-cn", "a"])
        for member in members { try authority.issue("a", hosts: ["127.0.0.1"]).write(to: member.certificates, as: "member") }
        try authority.issue("c", hosts: ["127.0.0.1"]).write(to: members[2].certificates, as: "member")
        for member in members { try member.spawn() }
        try members[0].awaitReady()
        try members[0].awaitLog("CN=c does not have the common name a")
        #expect(!members[2].log.contains("ready to serve"))
        // From an address that it does not name.
        try authority.issue("a", hosts: ["192.0.2.1"]).write(to: members[2].certificates, as: "member")
        try members[0].awaitLog("tls: certificate CN=a is not valid for 127.0.0.1")
        #expect(!members[2].log.contains("ready to serve"))
        // Of an authority that nobody else knows.
        try TestAuthority("Other CA").issue("a", hosts: ["127.0.0.1"]).write(to: members[2].certificates, as: "member")
        try members[0].awaitLog("x509: certificate signed by unknown authority")
        #expect(!members[2].log.contains("ready to serve"))
        try authority.issue("a", hosts: ["127.0.0.1"]).write(to: members[2].certificates, as: "member")
        try members[2].awaitReady()
        for member in members { try member.stop() }
    }

    @Test("A member without encryption does not come into a cluster that has it, and says why")
    func clear() throws {
        let members = try cluster()
        try members[0].spawn()
        try members[1].spawn()
        for member in members.dropLast() { try member.awaitReady() }
        let plain = "http://127.0.0.1:\(members[2].peerPort)"
        let all = members.dropLast().map { "\($0.name)=http\($0.peerURL.dropFirst(5))" } + ["c=\(plain)"]
        let child = try Child(
            Program.server,
            [
                "--name", "c", "--data-dir", place("clear"), "--listen-client-urls", "http://127.0.0.1:\(members[2].port)",
                "--advertise-client-urls", "http://127.0.0.1:\(members[2].port)", "--listen-peer-urls", plain, "--initial-advertise-peer-urls",
                plain, "--initial-cluster", all.joined(separator: ","), "--initial-cluster-state", "existing",
            ], output: place("clear.log"))
        #expect(child.wait(seconds: 60) == .exit(1))
        #expect(child.text.contains("could not get cluster response from http://127.0.0.1:\(members[0].peerPort)"), "\(child.text)")
        for member in members.dropLast() { try member.stop() }
    }

    /// The authority of all three members is replaced by another: first both are trusted, then each gets a certificate of the new one, then
    /// the old one is trusted no more. Clients come anew for every request all the while.
    @Test("The authority is replaced under load, and no request fails")
    func rotation() throws {
        let members = try cluster()
        try start(members)
        let client = place("client")
        try FileManager.default.createDirectory(atPath: client, withIntermediateDirectories: true)
        try authority.certificate.write(toFile: client + "/ca.pem", atomically: true, encoding: .utf8)
        try authority.issue("client").write(to: client, as: "client")
        var settings = TLSSettings()
        settings.trustedCAFile = client + "/ca.pem"
        (settings.certificateFile, settings.keyFile) = (client + "/client.pem", client + "/client-key.pem")
        let load = Callers(members.map(\.url), try TLSPolicy(settings))
        try load.awaitMore(50)

        let next = try TestAuthority("Next CA")
        func each(_ step: String, _ change: (EncryptedMember) throws -> Void) throws {
            for member in members {
                let told = member.log.split(separator: "\n").count { $0.contains("peer certificates are used for new connections") }
                try change(member)
                let isTaken = eventually(within: 20) {
                    member.log.split(separator: "\n").count { $0.contains("peer certificates are used for new connections") } > told
                }
                #expect(isTaken, "\(step) of \(member.name): \(member.log)")
                try load.awaitMore(20)
            }
        }
        try each("both authorities") { try $0.trust(authority, next) }
        try (authority.certificate + next.certificate).write(toFile: client + "/ca.pem", atomically: true, encoding: .utf8)
        try load.renew()
        try each("a new certificate") { try $0.certify(by: next) }
        try next.issue("client").write(to: client, as: "client")
        try load.renew()
        try each("the new authority alone") { try $0.trust(next) }
        try next.certificate.write(toFile: client + "/ca.pem", atomically: true, encoding: .utf8)
        try load.renew()
        try load.awaitMore(50)
        let (count, failures) = load.stop()
        #expect(failures.isEmpty, "\(failures.count) of \(count): \(failures.prefix(3))")

        // The members find each other again with what they have now, and the old authority's certificates are worth nothing.
        try members[1].stop()
        try members[1].start()
        try members[0].awaitLog("became active")
        #expect(try members[1].curl("/v2/keys/load?quorum=true").text.contains("\"dir\":true"))
        try authority.issue("old").write(to: members[0].certificates, as: "old")
        #expect(try !members[0].curl("/version", as: "old").isClean)
        for member in members { try member.stop() }
    }
}

/// Writes and reads in turn on all members, each request on a connection of its own.
private final class Callers: Sendable {
    private struct State {
        var count = 0
        var failures: [String] = []
        var isOver = false
    }

    private let state = Mutex(State())
    private let policy: TLSPolicy
    private let done = DispatchGroup()

    init(_ urls: [String], _ policy: TLSPolicy) {
        self.policy = policy
        let client = HTTPTransport.HTTPClient(eventLoop: MultiThreadedEventLoopGroup.singleton.next(), tls: policy)
        for worker in 0..<2 {
            done.enter()
            Task {
                await self.work(worker, urls, client)
                self.done.leave()
            }
        }
    }

    private func work(_ worker: Int, _ urls: [String], _ client: HTTPTransport.HTTPClient) async {
        var number = worker
        let deadlines = HTTPClientDeadlines(connect: .seconds(10), head: .seconds(10), total: .seconds(10))
        while !state.withLock({ $0.isOver }) {
            number += 1
            do {
                let url = try HTTPURL(parsing: urls[number % urls.count]).with(target: "/v2/keys/load/\(worker)")
                var request = HTTPClientRequest(method: "GET", url: url, deadlines: deadlines)
                if number % 2 == 0 || number < 3 {
                    request.method = "PUT"
                    request.headers = ["Content-Type": "application/x-www-form-urlencoded"]
                    request.body = Array("value=\(number)".utf8)
                }
                let status = try await client.response(to: request).status
                state.withLock {
                    $0.count += 1
                    if status >= 300 { $0.failures.append("\(request.method) \(url.text): \(status)") }
                }
            } catch {
                state.withLock {
                    $0.count += 1
                    $0.failures.append("\(urls[number % urls.count]): \(error)")
                }
            }
        }
    }

    func awaitMore(_ count: Int) throws {
        let before = state.withLock { $0.count }
        guard eventually(within: 60, { state.withLock { $0.count } >= before + count }) else { throw Failure("the load stands still") }
    }

    /// Takes the files of the client as they are now.
    func renew() throws {
        guard policy.reload().kept == nil else { throw Failure("the client's files are not taken") }
    }

    func stop() -> (Int, [String]) {
        state.withLock { $0.isOver = true }
        done.wait()
        return state.withLock { ($0.count, $0.failures) }
    }
}
