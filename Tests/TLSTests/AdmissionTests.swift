import NIOSSL
@testable import TLS
import TestCertificates
import Testing

/// Who may come in, once its certificate has been verified.
@Suite("Who may come in")
struct AdmissionTests {
    let place: CertificatePlace
    let authority: TestAuthority

    init() throws {
        place = try CertificatePlace()
        authority = try TestAuthority()
        try place.write(authority.certificate, "ca.pem")
        try authority.issue("machine0", hosts: ["localhost", "127.0.0.1"]).write(to: place.path, as: "leaf")
    }

    private func certificate(_ pair: TestAuthority.Pair) throws -> NIOSSLCertificate {
        try #require(try NIOSSLCertificate.fromPEMBytes(Array(pair.certificate.utf8)).first)
    }

    private func refusal(_ policy: TLSPolicy, _ pair: TestAuthority.Pair, from address: String? = "127.0.0.1", isDialled: Bool = false) throws -> String? {
        switch policy.judge(try certificate(pair), from: address, isDialled: isDialled) {
        case .admitted: nil
        case .refused(let reason): reason
        case .undecided: "undecided"
        }
    }

    @Test("A common name or a host name can be demanded")
    func names() throws {
        var settings = place.settings
        settings.allowedCommonName = "peer"
        let byName = try TLSPolicy(settings)
        #expect(try refusal(byName, authority.issue("peer")) == nil)
        #expect(try refusal(byName, authority.issue("peers"))?.contains("CN=peers") == true)
        #expect(try refusal(byName, authority.issue("peers"), isDialled: true) != nil)
        settings.allowedCommonName = nil
        settings.allowedHostname = "a.etcd.local"
        let byHost = try TLSPolicy(settings)
        for hosts in [["a.etcd.local"], ["*.etcd.local"], ["b", "A.Etcd.Local."]] {
            #expect(try refusal(byHost, authority.issue("x", hosts: hosts)) == nil, "\(hosts)")
        }
        for hosts in [[], ["etcd.local"], ["*.local"], ["b.etcd.local"], ["*"], ["a.etcd.local.example"]] {
            #expect(try refusal(byHost, authority.issue("a.etcd.local", hosts: hosts)) != nil, "\(hosts)")
        }
    }

    @Test("A peer comes from an address that its certificate names, when it names any")
    func addresses() throws {
        var settings = place.settings
        settings.checksAddress = true
        let policy = try TLSPolicy(settings)
        #expect(try refusal(policy, authority.issue("x", hosts: ["127.0.0.1"])) == nil)
        #expect(try refusal(policy, authority.issue("x", hosts: ["127.0.0.1"]), from: "::ffff:127.0.0.1") == nil)
        #expect(try refusal(policy, authority.issue("x")) == nil)
        #expect(try refusal(policy, authority.issue("x", hosts: ["10.0.0.1"]))?.contains("127.0.0.1") == true)
        #expect(try refusal(policy, authority.issue("x", hosts: ["10.0.0.1"]), from: nil) == nil)
        #expect(try refusal(policy, authority.issue("x", hosts: ["10.0.0.1"]), isDialled: true) == nil)
        #expect(try refusal(policy, authority.issue("x", hosts: ["localhost"])) == "undecided")

        guard case .undecided(let local) = policy.judge(try certificate(authority.issue("x", hosts: ["localhost"])), from: "127.0.0.1") else {
            Issue.record("decided")
            return
        }
        guard case .admitted = TLSPolicy.admitByName(local, from: "127.0.0.1", isOver: { false }) else {
            Issue.record("localhost is 127.0.0.1")
            return
        }
        guard case .refused(let reason) = TLSPolicy.admitByName(local, from: "192.0.2.1", isOver: { false }) else {
            Issue.record("localhost is not 192.0.2.1")
            return
        }
        #expect(reason == #"tls: "192.0.2.1" does not match any of DNSNames ["localhost"]"#)
    }

    @Test("Of a certificate with very many names a few are looked up, and none when nobody waits any more")
    func manyNames() throws {
        let facts = try CertificateFacts(certificate(authority.issue("x", hosts: (0..<100).map { "host\($0).example" })), in: nil)
        var asked: [String] = []
        func ask(while isAwaited: () -> Bool) -> String? {
            asked = []
            let admission = TLSPolicy.admitByName(facts, from: "192.0.2.1", isOver: { !isAwaited() }) { name in
                asked.append(name)
                return name == "host20.example" ? [[192, 0, 2, 1]] : []
            }
            return if case .refused(let reason) = admission { reason } else { nil }
        }
        #expect(ask { true }?.contains("does not match") == true)
        #expect(asked.count == TLSPolicy.namesMax && asked.first == "host0.example")
        #expect(ask { asked.count < 2 } == "tls: no answer from the name server in time")
        #expect(asked.count == 2)
    }

    @Test("A certificate that has expired since its session began does not come in")
    func expired() throws {
        let policy = try TLSPolicy(place.settings)
        #expect(try refusal(policy, authority.issue("late", days: -5 ... -1))?.hasPrefix("tls: certificate CN=late has expired") == true)
        #expect(try refusal(policy, authority.issue("early", days: 1...5)) != nil)
    }

    @Test("What its authority has taken back does not come in, and a list that this authority has not signed is no list")
    func revocations() throws {
        let (good, bad) = (try authority.issue("good"), try authority.issue("bad"))
        var settings = place.settings
        settings.revocationFile = place.path + "/crl.pem"
        try place.write(authority.revocations([bad]), "crl.pem")
        let policy = try TLSPolicy(settings)
        #expect(try refusal(policy, good) == nil)
        #expect(try refusal(policy, bad)?.contains("CN=bad") == true)
        #expect(try refusal(policy, bad)?.contains("revoked") == true)

        try place.write(authority.revocations([]), "crl.pem")
        #expect(policy.poll().renewed?.contains("crl.pem") == true)
        #expect(try refusal(policy, bad) == nil)

        let other = try TestAuthority("Other CA")
        try place.write(authority.revocations([bad], signedBy: other), "crl.pem")
        _ = policy.poll()
        let reason = policy.poll().kept ?? ""
        #expect(reason.contains("crl.pem") && reason.contains("signature"), "\(reason)")
        // The same number of another authority is another certificate.
        try place.write(other.revocations([good]), "crl.pem")
        _ = policy.poll()
        #expect(try refusal(policy, good) == nil)
    }
}
