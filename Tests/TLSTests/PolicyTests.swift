import Foundation
import NIOSSL
import TLS
import TestCertificates
import Testing

/// A directory of certificate files, gone with this object.
final class CertificatePlace {
    let path: String

    init() throws {
        path = NSTemporaryDirectory() + "etclite-tls-" + UUID().uuidString
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    func write(_ text: String, _ name: String) throws { try text.write(toFile: "\(path)/\(name)", atomically: true, encoding: .utf8) }

    /// Of `leaf.pem` and `leaf-key.pem`, with the authority in `ca.pem`.
    var settings: TLSSettings {
        var settings = TLSSettings()
        settings.certificateFile = path + "/leaf.pem"
        settings.keyFile = path + "/leaf-key.pem"
        settings.trustedCAFile = path + "/ca.pem"
        return settings
    }
}

@Suite("Certificate files")
struct FileTests {
    let place: CertificatePlace
    let authority: TestAuthority

    init() throws {
        place = try CertificatePlace()
        authority = try TestAuthority()
        try place.write(authority.certificate, "ca.pem")
        try authority.issue("machine0", hosts: ["localhost", "127.0.0.1"]).write(to: place.path, as: "leaf")
    }

    private func failure(_ settings: TLSSettings) -> String {
        do throws(TLSFailure) {
            _ = try TLSPolicy(settings)
            return ""
        } catch {
            return error.description
        }
    }

    @Test("A pair and its authority are taken; without a certificate nothing can be listened with")
    func sound() throws {
        #expect(try TLSPolicy(place.settings).canListen)
        #expect(!TLSPolicy.system.canListen)
        #expect(try TLSPolicy(place.settings).dateWarnings().isEmpty)
    }

    @Test("A file that is missing, empty, no certificate or too long is named in one sentence")
    func unreadable() throws {
        var settings = place.settings
        settings.certificateFile = "/nonexist.pem"
        #expect(failure(settings) == "open /nonexist.pem: no such file or directory")
        settings = place.settings
        settings.keyFile = "/nonexist-key.pem"
        #expect(failure(settings) == "open /nonexist-key.pem: no such file or directory")
        for text in ["", "hello\n", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
            try place.write(text, "bad.pem")
            for part in [\TLSSettings.certificateFile, \.keyFile, \.trustedCAFile, \.revocationFile] {
                settings = place.settings
                settings[keyPath: part] = place.path + "/bad.pem"
                #expect(failure(settings).contains("bad.pem"), "\(text) \(part)")
            }
        }
        // Each kind of file may be longer than the one before.
        for (count, part) in [(2, \TLSSettings.certificateFile), (5, \.trustedCAFile), (17, \.revocationFile)] {
            try place.write(String(repeating: "a", count: (count - 1) << 20), "bad.pem")
            settings = place.settings
            settings[keyPath: part] = place.path + "/bad.pem"
            #expect(!failure(settings).contains("larger than"), "\(part)")
            try place.write(String(repeating: "a", count: count << 20), "bad.pem")
            #expect(failure(settings).contains("bad.pem is larger than"), "\(part)")
        }
        settings = place.settings
        settings.certificateFile = place.path
        #expect(failure(settings).contains("is a directory"))
    }

    @Test("A key of another certificate is said with both files and the subject")
    func mismatch() throws {
        try authority.issue("other").write(to: place.path, as: "other")
        var settings = place.settings
        settings.keyFile = place.path + "/other-key.pem"
        let text = failure(settings)
        #expect(text.contains("other-key.pem") && text.contains("leaf.pem") && text.contains("CN=machine0"), "\(text)")
        #expect(text.contains("private key does not match"))
    }

    @Test("What has expired or does not count yet is said with file, subject and date, and so is what expires soon")
    func dates() throws {
        try authority.issue("late", days: -5 ... -1).write(to: place.path, as: "leaf")
        let late = try TLSPolicy(place.settings).dateWarnings()
        #expect(late.count == 1 && late[0].contains("leaf.pem: certificate CN=late has expired: it was valid until 20"), "\(late)")
        try authority.issue("early", days: 1...5).write(to: place.path, as: "leaf")
        let early = try TLSPolicy(place.settings).dateWarnings()
        #expect(early.count == 1 && early[0].contains("certificate CN=early is not valid yet: only from 20"), "\(early)")
        try authority.issue("soon", days: -1...5).write(to: place.path, as: "leaf")
        let soon = try TLSPolicy(place.settings)
        #expect(soon.dateWarnings().isEmpty)
        #expect(soon.dateWarnings(secondsAhead: 14 * 86_400).first?.contains("expires soon") == true)
        let expires = try #require(soon.figures.certificateExpires)
        #expect(abs(Double(expires) - Date().timeIntervalSince1970 - 5 * 86_400) < 600)
    }

    @Test("New files are taken when they change, and the old ones are kept with one line when the new are wrong")
    func renewal() throws {
        let policy = try TLSPolicy(place.settings)
        let expires = policy.figures.certificateExpires
        #expect(policy.poll() == .unchanged)
        try authority.issue("machine1", days: -1...20).write(to: place.path, as: "leaf")
        let what = try #require(policy.poll().renewed)
        #expect(what.contains("CN=machine1") && !what.contains("ca.pem"))
        #expect(policy.poll() == .unchanged)
        #expect(policy.figures.certificateExpires != expires)

        // One half is written, the other is not yet.
        let next = try authority.issue("machine2")
        try place.write(next.certificate, "leaf.pem")
        #expect(policy.poll() == .unchanged)
        let half = try #require(policy.poll().kept)
        #expect(half.contains("leaf-key.pem") && half.contains("CN=machine2"), "\(half)")
        #expect(policy.poll() == .unchanged)
        #expect(policy.canListen)
        try place.write(next.key, "leaf-key.pem")
        #expect(policy.poll().renewed?.contains("CN=machine2") == true)
        try place.write("half", "ca.pem")
        #expect(policy.poll() == .unchanged)
        #expect(policy.poll().kept?.contains("ca.pem") == true)
        // Asked for, it is told again, and what is good is read again.
        let asked = policy.reload()
        #expect(asked.kept?.contains("ca.pem") == true && asked.renewed?.contains("CN=machine2") == true, "\(asked)")
        #expect(policy.figures.renewals == 3 && policy.figures.failures == 3)
    }

    @Test("A new certificate that has expired does not take the place of one that counts")
    func expiredRenewal() throws {
        let policy = try TLSPolicy(place.settings)
        try authority.issue("late", days: -5 ... -1).write(to: place.path, as: "leaf")
        #expect(policy.poll() == .unchanged)
        #expect(policy.poll().kept?.contains("CN=late has expired") == true)
        #expect(policy.dateWarnings().isEmpty)
    }

    @Test("New authorities and revocations are taken although the own certificate is of no use, and the other way round")
    func parts() throws {
        var settings = place.settings
        settings.revocationFile = place.path + "/crl.pem"
        try place.write(authority.revocations([]), "crl.pem")
        let policy = try TLSPolicy(settings)
        let expires = policy.figures.authorityExpires
        let next = try TestAuthority("Next CA", days: -1...3)
        let mallory = try next.issue("mallory")
        try authority.issue("late", days: -5 ... -1).write(to: place.path, as: "leaf")
        try place.write(next.certificate, "ca.pem")
        try place.write(next.revocations([mallory]), "crl.pem")
        let first = policy.poll()
        #expect(first.renewed?.contains("ca.pem") == true && first.renewed?.contains("crl.pem") == true && first.kept == nil, "\(first)")
        #expect(policy.figures.authorityExpires != expires)
        let certificate = try #require(try NIOSSLCertificate.fromPEMBytes(Array(mallory.certificate.utf8)).first)
        guard case .refused(let reason) = policy.judge(certificate, from: nil), reason.contains("revoked") else {
            Issue.record("let in")
            return
        }
        let second = policy.poll()
        #expect(second.renewed == nil && second.kept?.contains("CN=late has expired") == true, "\(second)")
        #expect(policy.poll() == .unchanged)

        try place.write("half", "ca.pem")
        try authority.issue("machine1").write(to: place.path, as: "leaf")
        let third = policy.poll()
        #expect(third.renewed?.contains("CN=machine1") == true && third.renewed?.contains("ca.pem") == false && third.kept == nil, "\(third)")
        #expect(policy.poll().kept?.contains("ca.pem") == true)
    }

    @Test("New authorities are asked about the revocations that are there")
    func signedByOthers() throws {
        var settings = place.settings
        settings.revocationFile = place.path + "/crl.pem"
        try place.write(authority.revocations([]), "crl.pem")
        let policy = try TLSPolicy(settings)
        // Of the same name, with another key.
        try place.write(TestAuthority().certificate, "ca.pem")
        let outcome = policy.poll()
        #expect(outcome.renewed?.contains("ca.pem") == true && outcome.kept?.contains("crl.pem: the signature is not that of") == true, "\(outcome)")
        #expect(policy.poll() == .unchanged)
    }

    @Test("A member makes its certificate itself, once")
    func automatic() throws {
        let directory = place.path + "/data/fixtures/client"
        let paths = try AutoCertificate.ensure(in: directory, hosts: ["127.0.0.1", "localhost", "::1"], years: 1)
        let made = try String(contentsOfFile: paths.certificate, encoding: .utf8)
        #expect(try AutoCertificate.ensure(in: directory, hosts: ["127.0.0.1"], years: 1) == paths)
        #expect(try String(contentsOfFile: paths.certificate, encoding: .utf8) == made)
        #expect(paths.certificate == directory + "/cert.pem" && paths.key == directory + "/key.pem")
        let mode = try FileManager.default.attributesOfItem(atPath: paths.key)[.posixPermissions] as? Int
        #expect(mode == 0o600)
        var settings = TLSSettings()
        (settings.certificateFile, settings.keyFile) = (paths.certificate, paths.key)
        let policy = try TLSPolicy(settings)
        #expect(policy.canListen)
        let expires = try #require(policy.figures.certificateExpires)
        #expect(abs(Double(expires) - Date().timeIntervalSince1970 - 365 * 86_400) < 600)
    }
}
