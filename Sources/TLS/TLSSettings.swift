/// What one kind of port (for clients, for peers) is told about encryption, and what goes out from it (server.md §2.4, §6).
package struct TLSSettings: Sendable, Equatable {
    /// PEM: the certificate first, then what leads to the root. Without one there is nothing to listen with.
    package var certificateFile: String?
    /// PEM.
    package var keyFile: String?
    /// PEM: who may have signed the others' certificates; nil: the system's authorities.
    package var trustedCAFile: String?
    /// PEM or DER.
    package var revocationFile: String?
    /// Who comes must show a certificate. A trusted CA alone asks for one as well, as in etcd.
    package var requiresCertificate = false
    /// Of what the other side shows.
    package var allowedCommonName: String?
    package var allowedHostname: String?
    /// Who comes must come from an address that its certificate names, if it names any.
    package var checksAddress = false
    /// Whom this side dials need not prove who it is: the certificates were made by the members themselves.
    package var trustsAnyServer = false
    /// Names of Go's `crypto/tls`, for TLS 1.2; empty: the library's choice.
    package var cipherSuites: [CipherSuite] = []
    package var minimumVersion = Version.tls12
    package var maximumVersion = Version.tls13

    package enum Version: String, Sendable, CaseIterable {
        case tls12 = "TLS1.2"
        case tls13 = "TLS1.3"
    }

    package init() {}

    /// Whether who comes has to show a certificate.
    package var demandsCertificate: Bool { requiresCertificate || trustedCAFile != nil }

    /// The files of the own certificate and of its key; nil without a certificate.
    var pair: (certificate: String, key: String)? {
        if let certificateFile, let keyFile { (certificateFile, keyFile) } else { nil }
    }

    /// Nothing is asked for: ports are clear, and only public servers can be dialled.
    package var isEmpty: Bool { certificateFile == nil && keyFile == nil && trustedCAFile == nil }
}
