import Foundation
import TestCertificates
import Testing

/// Debian's python-etcd, behind certificates and users. `Clients/python-etcd.txt` is what etcd 3.4.23 lets it see.
@Suite("python-etcd", .blocking, .enabled(if: Program.python.has("etcd"), "needs python3-etcd"))
struct PythonClientTests {
    private static let clients = URL(fileURLWithPath: #filePath).deletingLastPathComponent().path + "/Clients/"

    @Test("A session over TLS with users sees what it sees of etcd", arguments: ["etclite", "etcd"])
    func session(with server: String) throws {
        if server == "etcd", !Program.speaksV2("etcd") { return }
        let place = try Workplace()
        let (authority, other) = (try TestAuthority(), try TestAuthority("Another CA"))
        let member = try EncryptedMember("m", in: place, program: server == "etcd" ? "etcd" : Program.server)
        try member.trust(authority)
        try member.certify(by: authority)
        try authority.issue("alice").write(to: member.certificates, as: "alice")
        try other.certificate.write(toFile: member.certificates + "/other.pem", atomically: true, encoding: .utf8)
        member.flags = member.files() + member.files("peer-") + (server == "etcd" ? ["--enable-v2"] : [])
        try member.start()
        let run = try Run(Program.python.path, [Self.clients + "python-etcd.py", "\(member.port)", member.certificates], seconds: 120)
        let expected = String(decoding: try Files.read(Self.clients + "python-etcd.txt"), as: UTF8.self)
        let (seen, wanted) = (run.text.split(separator: "\n"), expected.split(separator: "\n"))
        for (one, other) in zip(seen, wanted) where one != other {
            Issue.record("saw    \(one)\nwanted \(other)")
        }
        #expect(run.isClean && seen.count == wanted.count, "\(run.text.suffix(2000))")
    }
}
