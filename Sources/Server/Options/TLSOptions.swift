import TLS

/// The options about encryption: for clients, and with `peer-` in front for peers (server.md §2.4, §6).
enum TLSOptions {
    static func clients(_ settings: Settings) -> TLSSettings {
        var tls = common(settings, "")
        tls.revocationFile = given("client-crl-file", settings)
        tls.allowedHostname = given("client-cert-allowed-hostname", settings)
        return tls
    }

    static func peers(_ settings: Settings) -> TLSSettings {
        var tls = common(settings, "peer-")
        tls.revocationFile = given("peer-crl-file", settings)
        tls.allowedCommonName = given("peer-cert-allowed-cn", settings)
        tls.allowedHostname = given("peer-cert-allowed-hostname", settings)
        tls.checksAddress = !settings.boolean("experimental-peer-skip-client-san-verification")
        tls.trustsAnyServer = isAutomatic("peer-", settings)
        return tls
    }

    /// The member makes its certificate itself: asked for, and none is given.
    static func isAutomatic(_ prefix: String, _ settings: Settings) -> Bool {
        settings.boolean(prefix + "auto-tls") && given(prefix + "cert-file", settings) == nil
    }

    private static func common(_ settings: Settings, _ prefix: String) -> TLSSettings {
        var tls = TLSSettings()
        tls.certificateFile = given(prefix + "cert-file", settings)
        tls.keyFile = given(prefix + "key-file", settings)
        // As 0.4 and 2.x had it: the authority, and certificates are required.
        let old = given(prefix + "ca-file", settings)
        tls.trustedCAFile = given(prefix + "trusted-ca-file", settings) ?? old
        tls.requiresCertificate = settings.boolean(prefix + "client-cert-auth") || old != nil
        tls.cipherSuites = Blanks.items(settings.text("cipher-suites")).compactMap { CipherSuite($0) }
        tls.minimumVersion = TLSSettings.Version(rawValue: settings.text("tls-min-version")) ?? .tls12
        tls.maximumVersion = TLSSettings.Version(rawValue: settings.text("tls-max-version")) ?? .tls13
        return tls
    }

    private static func given(_ name: String, _ settings: Settings) -> String? {
        settings.isGiven(name) ? settings.text(name) : nil
    }

    // MARK: Checks

    /// What can be said before a file is read.
    static func verify(_ settings: Settings) throws(StartupFailure) {
        for name in Blanks.items(settings.text("cipher-suites")) where CipherSuite(name) == nil {
            throw .fatal("unexpected TLS cipher suite \(Quoted.go(name))")
        }
        let (least, most) = (settings.text("tls-min-version"), settings.text("tls-max-version"))
        if least == "TLS1.3", most == "TLS1.2" {
            throw .fatal("min version (\(least)) is greater than max version (\(most))")
        }
        if least == "TLS1.3", settings.isGiven("cipher-suites") {
            throw .fatal("cipher suites cannot be configured when only TLS1.3 is enabled")
        }
        for prefix in ["", "peer-"] {
            let (certificate, key) = (settings.text(prefix + "cert-file"), settings.text(prefix + "key-file"))
            guard certificate.isEmpty == key.isEmpty else {
                throw .fatal("KeyFile and CertFile must both be present[key: \(key), cert: \(certificate)]")
            }
        }
        let (name, host) = (settings.text("peer-cert-allowed-cn"), settings.text("peer-cert-allowed-hostname"))
        if !name.isEmpty, !host.isEmpty {
            throw .fatal("AllowedCN and AllowedHostname are mutually exclusive (cn=\(Quoted.go(name)), hostname=\(Quoted.go(host)))")
        }
        if !isListening("peer-", settings), let url = settings.urls("listen-peer-urls").first(where: \.scheme.isEncrypted) {
            throw .fatal("cannot listen on TLS for \(url.hostAndPort): KeyFile and CertFile are not presented")
        }
        if !isListening("", settings),
            let url = (settings.urls("listen-client-urls") + settings.urls("listen-metrics-urls")).first(where: \.scheme.isEncrypted)
        {
            throw .fatal(
                "TLS key/cert (--cert-file, --key-file) must be provided for client url \(url.text) with HTTPS scheme")
        }
    }

    /// Whether there is a certificate for those who come.
    private static func isListening(_ prefix: String, _ settings: Settings) -> Bool {
        settings.isGiven(prefix + "cert-file") || settings.boolean(prefix + "auto-tls")
    }

    /// What is asked for and does nothing, and what a port in clear means.
    static func notices(_ settings: Settings) -> [Notice] {
        var notices: [Notice] = []
        for (prefix, kind, urls) in [("", "client", settings.urls("listen-client-urls")), ("peer-", "peer", settings.urls("listen-peer-urls"))] {
            if settings.boolean(prefix + "auto-tls"), settings.isGiven(prefix + "cert-file") {
                notices.append(Notice(.warning, "embed", "ignoring \(kind) auto TLS since certs given"))
            }
            let tls = prefix.isEmpty ? clients(settings) : peers(settings)
            let aboutCertificates = prefix.isEmpty
                ? ["client-crl-file", "client-cert-allowed-hostname"]
                : ["peer-crl-file", "peer-cert-allowed-cn", "peer-cert-allowed-hostname"]
            for name in aboutCertificates where settings.isGiven(name) && !tls.demandsCertificate {
                notices.append(
                    Notice(
                        .warning, "embed",
                        "--\(name) keeps nobody out without --\(prefix)client-cert-auth or --\(prefix)trusted-ca-file: no certificate is asked for"))
            }
            if tls.requiresCertificate, tls.trustedCAFile == nil {
                notices.append(
                    Notice(
                        .warning, "embed",
                        "--\(prefix)client-cert-auth without --\(prefix)trusted-ca-file takes certificates of every authority that this system trusts"))
            }
            for url in urls where !url.scheme.isEncrypted {
                if settings.isGiven(prefix + "cert-file") {
                    notices.append(
                        Notice(
                            .warning, "embed",
                            "The scheme of \(kind) url \(url.text) is HTTP while peer key/cert files are presented. Ignored \(prefix.isEmpty ? "" : "peer ")key/cert files."))
                }
                if settings.boolean(prefix + "client-cert-auth") {
                    notices.append(
                        Notice(
                            .warning, "embed",
                            "The scheme of \(kind) url \(url.text) is HTTP while client cert auth (--\(prefix)client-cert-auth) is enabled. "
                                + "Ignored client cert auth for this url."))
                }
                guard kind == "peer", !url.scheme.isSocketFile, !url.isOfThisComputer else { continue }
                notices.append(
                    Notice(
                        .warning, "embed",
                        "\(url.text) takes members in clear: whoever reaches it can read all data and act as a member. Use https and "
                            + "--peer-client-cert-auth, or a network that nobody else is on."))
            }
        }
        return notices
    }
}

extension EndpointURL {
    /// Nobody else's computer reaches it.
    fileprivate var isOfThisComputer: Bool { host == "localhost" || host == "::1" || host.hasPrefix("127.") }
}
