import Foundation
import TestCertificates

/// A member with encrypted ports, and its certificates in a directory of its own: `ca.pem`, `member.pem`, `member-key.pem`.
final class EncryptedMember {
    let name: String
    let directory: String
    let certificates: String
    let port: UInt16
    let peerPort: UInt16
    var initialCluster = ""
    var flags: [String]
    private let program: String
    private(set) var child: Child?

    init(_ name: String, in place: Workplace, flags: [String] = [], program: String = Program.server) throws {
        self.name = name
        self.program = program
        directory = place(name)
        certificates = place("certificates-" + name)
        (port, peerPort) = (try Ports.free(), try Ports.free())
        self.flags = flags
        try FileManager.default.createDirectory(atPath: certificates, withIntermediateDirectories: true)
        initialCluster = "\(name)=\(peerURL)"
    }

    var url: String { "https://127.0.0.1:\(port)" }
    var peerURL: String { "https://127.0.0.1:\(peerPort)" }
    var log: String { child?.text ?? "" }

    func trust(_ authorities: TestAuthority...) throws {
        try authorities.map(\.certificate).joined().write(toFile: certificates + "/ca.pem", atomically: true, encoding: .utf8)
    }

    func certify(by authority: TestAuthority) throws {
        try authority.issue(name, hosts: ["localhost", "127.0.0.1"]).write(to: certificates, as: "member")
    }

    /// The flags for a pair of its own and the authority, for clients, or for peers with `peer-`.
    func files(_ prefix: String = "", requires: Bool = true) -> [String] {
        [
            "--\(prefix)cert-file", certificates + "/member.pem", "--\(prefix)key-file", certificates + "/member-key.pem",
        ] + (requires ? ["--\(prefix)trusted-ca-file", certificates + "/ca.pem", "--\(prefix)client-cert-auth"] : [])
    }

    func spawn() throws {
        child = try Child(
            program,
            [
                "--name", name, "--data-dir", directory, "--listen-client-urls", url, "--advertise-client-urls", url, "--listen-peer-urls",
                peerURL, "--initial-advertise-peer-urls", peerURL, "--initial-cluster", initialCluster,
            ] + flags, output: directory + ".log")
    }

    func awaitReady() throws {
        let isReady = eventually(within: Server.startSeconds) { log.contains("ready to serve client requests") || child?.ended != nil }
        guard isReady, child?.ended == nil else { throw Failure("\(name) did not start: \(log)") }
    }

    func start() throws {
        try spawn()
        try awaitReady()
    }

    func awaitLog(_ text: String, within seconds: Double = 20) throws {
        guard eventually(within: seconds, { log.contains(text) }) else { throw Failure("\(name) does not say '\(text)': \(log)") }
    }

    func stop() throws {
        child?.send(SIGTERM)
        guard child?.wait(seconds: 20) == .signal(SIGTERM) else { throw Failure("\(name) does not stop: \(log)") }
    }

    /// `curl` that trusts the authority, and shows a certificate if there is one: status, a newline, the body.
    func curl(_ path: String, _ arguments: [String] = [], as pair: String? = "member", in other: String? = nil) throws -> Run {
        let directory = other ?? certificates
        let shown = pair.map { ["--cert", "\(directory)/\($0).pem", "--key", "\(directory)/\($0)-key.pem"] } ?? []
        return try Run("curl", ["-sS", "-m", "20", "--cacert", directory + "/ca.pem"] + shown + arguments + [url + path], seconds: 40)
    }
}
