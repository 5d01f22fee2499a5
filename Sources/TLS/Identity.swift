import NIOSSL

/// An own certificate and its key, as two files hold them.
struct Identity: Sendable {
    /// At least one: the certificate, then what leads to the root.
    let chain: [NIOSSLCertificate]
    let key: NIOSSLPrivateKey
    let leaf: CertificateFacts

    /// - Throws: one sentence with the file; also when the key is that of another certificate.
    init(_ certificateFile: String, _ keyFile: String) throws(TLSFailure) {
        chain = try SecretFile.certificates(in: certificateFile, bytesMax: SecretFile.bytesMax)
        key = try Identity.key(in: keyFile)
        leaf = try CertificateFacts(chain[0], in: certificateFile)
        do {
            _ = try NIOSSLContext(configuration: .makeServerConfiguration(certificateChain: chain.map { .certificate($0) }, privateKey: .privateKey(key)))
        } catch {
            // Both files could be read by themselves.
            throw TLSFailure(
                error as? NIOSSLError == .failedToLoadPrivateKey
                    ? "the key in \(keyFile) is not that of the certificate \(leaf.subject) in \(certificateFile) "
                        + "(tls: private key does not match public key)"
                    : "\(certificateFile) and \(keyFile) cannot be used: \(error)")
        }
    }

    private static func key(in file: String) throws(TLSFailure) -> NIOSSLPrivateKey {
        let bytes = try SecretFile.read(file, bytesMax: SecretFile.bytesMax)
        do {
            return try NIOSSLPrivateKey(bytes: bytes, format: .pem)
        } catch {
            let isSealed = String(decoding: bytes, as: UTF8.self).contains("ENCRYPTED")
            throw TLSFailure("\(file) holds no private key that can be read (\(isSealed ? "it is encrypted" : "PEM is expected"))")
        }
    }
}
