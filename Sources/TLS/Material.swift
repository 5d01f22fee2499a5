import NIOSSL
import SwiftASN1

/// One generation of the files: read, checked, and made into what connections need. Never changes.
struct Material: Sendable {
    /// Nil when there is no certificate to listen with.
    let server: NIOSSLContext?
    /// Own certificate; nil for none.
    let leaf: CertificateFacts?
    let revocations: RevocationList?
    let clientConfiguration: TLSConfiguration
    /// The authority that expires first; nil when the system's are trusted.
    let authority: CertificateFacts?

    /// Without files.
    static var empty: Material {
        Material(server: nil, leaf: nil, revocations: nil, clientConfiguration: client(TLSSettings(), roots: .default), authority: nil)
    }

    private init(
        server: NIOSSLContext?, leaf: CertificateFacts?, revocations: RevocationList?, clientConfiguration: TLSConfiguration,
        authority: CertificateFacts?
    ) {
        self.server = server
        self.leaf = leaf
        self.revocations = revocations
        self.clientConfiguration = clientConfiguration
        self.authority = authority
    }

    private static func client(_ settings: TLSSettings, roots: NIOSSLTrustRoots) -> TLSConfiguration {
        var client = TLSConfiguration.makeClientConfiguration()
        client.trustRoots = roots
        client.certificateVerification = settings.trustsAnyServer ? .none : .fullVerification
        apply(settings, to: &client)
        return client
    }

    /// - Throws: one sentence, with the file.
    init(_ settings: TLSSettings) throws(TLSFailure) {
        let authorities = try Material.authorities(settings.trustedCAFile)
        var facts: [CertificateFacts] = []
        for certificate in authorities { facts.append(try CertificateFacts(certificate)) }
        authority = facts.min { $0.notAfter < $1.notAfter }
        if let file = settings.revocationFile {
            revocations = try RevocationList(SecretFile.read(file), file: file, authorities: authorities)
        } else {
            revocations = nil
        }
        let roots = authorities.isEmpty ? NIOSSLTrustRoots.default : .certificates(authorities)
        var client = Material.client(settings, roots: roots)
        guard let certificateFile = settings.certificateFile, let keyFile = settings.keyFile else {
            (server, leaf, clientConfiguration) = (nil, nil, client)
            return
        }
        let chain = try Material.certificates(in: certificateFile)
        let key = try Material.key(in: keyFile)
        leaf = try CertificateFacts(chain[0])
        client.certificateChain = chain.map { .certificate($0) }
        client.privateKey = .privateKey(key)
        clientConfiguration = client

        var server = TLSConfiguration.makeServerConfiguration(certificateChain: client.certificateChain, privateKey: .privateKey(key))
        server.trustRoots = roots
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
            throw TLSFailure(
                Material.isMismatch(error)
                    ? "the key in \(keyFile) is not that of the certificate \(leaf?.subject ?? "") in \(certificateFile) "
                        + "(tls: private key does not match public key)"
                    : "\(certificateFile) and \(keyFile) cannot be used: \(error)")
        }
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

    // MARK: Files

    /// At least one.
    private static func certificates(in file: String) throws(TLSFailure) -> [NIOSSLCertificate] {
        let bytes = try SecretFile.read(file)
        let certificates: [NIOSSLCertificate]
        do {
            certificates = try NIOSSLCertificate.fromPEMBytes(bytes)
        } catch {
            throw TLSFailure("\(file) holds no certificate that can be read (PEM is expected)")
        }
        guard !certificates.isEmpty else { throw TLSFailure("\(file) holds no certificate (PEM is expected)") }
        return certificates
    }

    private static func authorities(_ file: String?) throws(TLSFailure) -> [NIOSSLCertificate] {
        guard let file else { return [] }
        return try certificates(in: file)
    }

    private static func key(in file: String) throws(TLSFailure) -> NIOSSLPrivateKey {
        let bytes = try SecretFile.read(file)
        do {
            return try NIOSSLPrivateKey(bytes: bytes, format: .pem)
        } catch {
            let isSealed = String(decoding: bytes, as: UTF8.self).contains("ENCRYPTED")
            throw TLSFailure("\(file) holds no private key that can be read (\(isSealed ? "it is encrypted" : "PEM is expected"))")
        }
    }

    /// Both files could be read by themselves.
    private static func isMismatch(_ error: any Error) -> Bool { error as? NIOSSLError == .failedToLoadPrivateKey }
}

/// What is spoken on an encrypted connection once it stands: agreed upon in the handshake, and decided in one place.
package enum ApplicationProtocol: Sendable {
    case http1

    /// In the order in which they are preferred (ALPN, RFC 7301).
    static let offered = ["http/1.1"]

    /// Who agrees to nothing, or cannot, is served HTTP/1.1, as etcd does.
    package init(negotiated name: String?) { self = .http1 }
}
