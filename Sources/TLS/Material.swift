import NIOSSL

/// One generation of the files, made into what connections need. Never changes.
struct Material: Sendable {
    /// Nil when there is no certificate to listen with.
    let server: NIOSSLContext?
    let clientConfiguration: TLSConfiguration
    /// Own certificate; nil for none.
    let leaf: CertificateFacts?
    let revocations: RevocationList?
    /// The authority that expires first; nil when the system's count.
    let authority: CertificateFacts?

    /// Trusts the system's authorities, and shows no certificate.
    static var system: Material { Material(clientConfiguration: client(TLSSettings(), .system)) }

    private init(clientConfiguration: TLSConfiguration) {
        (server, leaf, revocations, authority) = (nil, nil, nil, nil)
        self.clientConfiguration = clientConfiguration
    }

    /// - Throws: when the library does not want together what it has taken piece by piece.
    init(_ settings: TLSSettings, _ files: CertificateFiles) throws(TLSFailure) {
        (leaf, revocations, authority) = (files.identity?.leaf, files.revocations, files.authorities.nextToExpire)
        var client = Material.client(settings, files.authorities)
        guard let identity = files.identity else {
            (server, clientConfiguration) = (nil, client)
            return
        }
        client.certificateChain = identity.chain.map { .certificate($0) }
        client.privateKey = .privateKey(identity.key)
        clientConfiguration = client

        var server = TLSConfiguration.makeServerConfiguration(certificateChain: client.certificateChain, privateKey: .privateKey(identity.key))
        server.trustRoots = files.authorities.roots
        if settings.demandsCertificate {
            server.certificateVerification = .noHostnameVerification
            // So that a client with several certificates can choose.
            server.sendCANameList = true
        }
        server.applicationProtocols = ApplicationProtocol.offered
        Material.apply(settings, to: &server)
        do {
            self.server = try NIOSSLContext(configuration: server)
        } catch {
            throw TLSFailure("\(settings.certificateFile ?? "") and \(settings.trustedCAFile ?? "the system's authorities") cannot be used: \(error)")
        }
    }

    private static func client(_ settings: TLSSettings, _ authorities: Authorities) -> TLSConfiguration {
        var client = TLSConfiguration.makeClientConfiguration()
        client.trustRoots = authorities.roots
        client.certificateVerification = settings.trustsAnyServer ? .none : .fullVerification
        apply(settings, to: &client)
        return client
    }

    private static func apply(_ settings: TLSSettings, to configuration: inout TLSConfiguration) {
        configuration.minimumTLSVersion = settings.minimumVersion == .tls13 ? .tlsv13 : .tlsv12
        configuration.maximumTLSVersion = settings.maximumVersion == .tls12 ? .tlsv12 : .tlsv13
        // The library leaves the last one out, and that is what etcd signs the certificates with which it makes itself.
        configuration.verifySignatureAlgorithms = [
            .ecdsaSecp256R1Sha256, .rsaPssRsaeSha256, .rsaPkcs1Sha256, .ecdsaSecp384R1Sha384, .rsaPssRsaeSha384, .rsaPkcs1Sha384,
            .rsaPssRsaeSha512, .rsaPkcs1Sha512, .ed25519, .ecdsaSecp521R1Sha512,
        ]
        if !settings.cipherSuites.isEmpty { configuration.cipherSuiteValues = settings.cipherSuites.map(\.cipher) }
        // How long the farewell of the other side is waited for.
        configuration.shutdownTimeout = .seconds(2)
        configuration.renegotiationSupport = .none
    }
}

/// What is spoken on an encrypted connection once it stands: agreed upon in the handshake, and decided in one place.
package enum ApplicationProtocol: Sendable {
    case http1

    /// In the order in which they are preferred (ALPN, RFC 7301).
    static let offered = ["http/1.1"]

    /// Who agrees to nothing, or cannot, is served HTTP/1.1, as etcd does.
    package init(negotiated name: String?) { self = .http1 }
}
