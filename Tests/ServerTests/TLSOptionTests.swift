import Testing

@testable import Server

@Suite("Options about encryption (server.md §2.4, §6)")
struct TLSOptionTests {
    private static let pair = ["--cert-file=/c", "--key-file=/k", "--peer-cert-file=/pc", "--peer-key-file=/pk"]
    private static let encrypted = [
        "--listen-client-urls=https://127.0.0.1:1", "--advertise-client-urls=https://127.0.0.1:1", "--listen-peer-urls=https://127.0.0.1:2",
        "--initial-advertise-peer-urls=https://127.0.0.1:2", "--initial-cluster=default=https://127.0.0.1:2",
    ]

    @Test("What does not fit together is said before anything is done", arguments: [
        (["--cert-file=/c"], "KeyFile and CertFile must both be present[key: , cert: /c]"),
        (["--peer-key-file=/k"], "KeyFile and CertFile must both be present[key: /k, cert: ]"),
        (["--cipher-suites=TLS_NULL"], "unexpected TLS cipher suite \"TLS_NULL\""),
        (["--tls-min-version=TLS1.3", "--tls-max-version=TLS1.2"], "min version (TLS1.3) is greater than max version (TLS1.2)"),
        (["--tls-min-version=TLS1.3", "--cipher-suites=TLS_RSA_WITH_AES_128_CBC_SHA"], "cipher suites cannot be configured when only TLS1.3 is enabled"),
        (["--peer-cert-allowed-cn=a", "--peer-cert-allowed-hostname=b"], "AllowedCN and AllowedHostname are mutually exclusive (cn=\"a\", hostname=\"b\")"),
    ])
    func refused(flags: [String], sentence: String) {
        let outcome = Outcome(flags)
        #expect(outcome.code == 1)
        #expect(outcome.lines.last == "C | etcdmain: " + sentence)
    }

    @Test("An authority of 0.4 and 2.x requires certificates as well")
    func oldAuthority() {
        let tls = Outcome(Self.encrypted + Self.pair + ["-ca-file=/ca", "-peer-ca-file=/pca"]).configuration
        #expect(tls.clientTLS.trustedCAFile == "/ca" && tls.clientTLS.requiresCertificate)
        #expect(tls.peerTLS.trustedCAFile == "/pca" && tls.peerTLS.requiresCertificate && tls.peerTLS.checksAddress)
        #expect(!tls.clientTLS.checksAddress)
    }

    @Test("The addresses of 0.4.6 mean https when there is a certificate")
    func oldAddresses() {
        let configuration = Outcome(["-addr=127.0.0.1:4001", "-peer-addr=127.0.0.1:7001"] + Self.pair).configuration
        #expect(configuration.listenClientURLs.map(\.text) == ["https://127.0.0.1:4001"])
        #expect(configuration.advertiseClientURLs.map(\.text) == ["https://127.0.0.1:4001"])
        #expect(configuration.initialAdvertisePeerURLs.map(\.text) == ["https://127.0.0.1:7001"])
    }

    @Test("Given certificates win over those that a member makes, and what is ignored is said")
    func notices() {
        let outcome = Outcome(Self.encrypted + Self.pair + ["--auto-tls", "--peer-auto-tls"])
        #expect(!outcome.configuration.clientAutoTLS && !outcome.configuration.peerAutoTLS && !outcome.configuration.peerTLS.trustsAnyServer)
        #expect(outcome.notices.contains("W | embed: ignoring client auto TLS since certs given"))
        #expect(outcome.notices.contains("W | embed: ignoring peer auto TLS since certs given"))
        let clear = Outcome(["--client-cert-auth"] + Self.pair)
        #expect(
            clear.notices.contains(
                "W | embed: The scheme of client url http://localhost:2379 is HTTP while peer key/cert files are presented. Ignored key/cert files."))
        #expect(clear.notices.contains { $0.contains("is HTTP while client cert auth (--client-cert-auth) is enabled") })
        let useless = ["--client-crl-file=/r", "--client-cert-allowed-hostname=h", "--peer-crl-file=/r", "--peer-cert-allowed-cn=n"]
        let open = Outcome(Self.encrypted + Self.pair + useless).notices.filter { $0.contains("no certificate is asked for") }
        #expect(open.count == useless.count, "\(open)")
        let asked = Outcome(Self.encrypted + Self.pair + useless + ["--trusted-ca-file=/ca", "--peer-client-cert-auth"]).notices
        #expect(!asked.contains { $0.contains("no certificate is asked for") })
        #expect(asked.contains("W | embed: --peer-client-cert-auth without --peer-trusted-ca-file takes certificates of every authority that this system trusts"))
    }

    @Test("A peer port in clear on other than the loopback says what that means")
    func clearPeers() {
        let flags = { (url: String) in
            ["--listen-peer-urls=\(url)", "--initial-advertise-peer-urls=http://127.0.0.1:2", "--initial-cluster=default=http://127.0.0.1:2"]
        }
        for url in ["http://127.0.0.1:2", "http://localhost:2", "http://[::1]:2"] {
            #expect(!Outcome(flags(url)).notices.contains { $0.contains("in clear") }, "\(url)")
        }
        for url in ["http://0.0.0.0:2", "http://10.0.0.1:2", "http://[::]:2"] {
            #expect(Outcome(flags(url)).notices.contains { $0.contains("\(url) takes members in clear") }, "\(url)")
        }
    }
}
