import NIOSSL

/// Whose signature makes a certificate count.
struct Authorities: Sendable {
    /// Of the file; none: the system's count.
    let certificates: [NIOSSLCertificate]
    /// The one that expires first; nil when the system's count.
    let nextToExpire: CertificateFacts?

    static let system = Authorities(certificates: [], nextToExpire: nil)

    private init(certificates: [NIOSSLCertificate], nextToExpire: CertificateFacts?) {
        self.certificates = certificates
        self.nextToExpire = nextToExpire
    }

    /// - Throws: one sentence with the file.
    init(file: String) throws(TLSFailure) {
        certificates = try SecretFile.certificates(in: file, bytesMax: SecretFile.authoritiesBytesMax)
        var facts: [CertificateFacts] = []
        for certificate in certificates { facts.append(try CertificateFacts(certificate, in: file)) }
        nextToExpire = facts.min { $0.notAfter < $1.notAfter }
    }

    var roots: NIOSSLTrustRoots { certificates.isEmpty ? .default : .certificates(certificates) }
}
