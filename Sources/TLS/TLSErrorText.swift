import NIOSSL

/// What went wrong on an encrypted connection, in the words of Go's `crypto/tls` where it has some: users and scripts know them (ctl.md A1).
package enum TLSErrorText {
    /// The connection has ended without the farewell that tells a real end from one that somebody on the way has made.
    package static func isCutOff(_ error: any Error) -> Bool { error as? NIOSSLError == .uncleanShutdown }

    /// Nil for an error that has nothing to do with encryption.
    package static func text(_ error: any Error) -> String? {
        switch error {
        case let error as TLSFailure: return error.description
        case let error as NIOSSLExtraError:
            return error == .failedToValidateHostname
                ? "x509: certificate is not valid for the name or address that was dialled (\(detail(error)))" : "tls: \(error)"
        case NIOSSLError.uncleanShutdown: return "unexpected EOF"
        case NIOSSLError.handshakeFailed(let inner): return text(of: inner)
        case NIOSSLError.unableToValidateCertificate: return "x509: certificate is not valid for the address that was dialled"
        case let error as NIOSSLError: return "tls: \(error)"
        case let error as BoringSSLError: return text(of: error)
        default: return nil
        }
    }

    private static func detail(_ error: NIOSSLExtraError) -> String {
        let text = "\(error)"
        return text.firstRange(of: ": ").map { String(text[$0.upperBound...]) } ?? text
    }

    private static func text(of error: BoringSSLError) -> String {
        let reasons: [BoringSSLInternalError]
        switch error {
        case .sslError(let stack), .unknownError(let stack): reasons = stack
        default: return "tls: \(error)"
        }
        let words = reasons.map(\.description).joined(separator: "; ")
        if let known = known.first(where: { words.contains($0.key) }) { return known.text }
        return "tls: \(words.isEmpty ? "the handshake failed" : reason(words))"
    }

    /// Most specific first.
    private static let known: [(key: String, text: String)] = [
        ("CERTIFICATE_VERIFY_FAILED", "x509: certificate signed by unknown authority, or not valid now"),
        ("PEER_DID_NOT_RETURN_A_CERTIFICATE", "tls: client didn't provide a certificate"),
        ("ALERT_BAD_CERTIFICATE", "remote error: tls: bad certificate"),
        ("ALERT_CERTIFICATE_REQUIRED", "remote error: tls: certificate required"),
        ("ALERT_UNKNOWN_CA", "remote error: tls: unknown certificate authority"),
        ("ALERT_CERTIFICATE_EXPIRED", "remote error: tls: expired certificate"),
        ("ALERT_CERTIFICATE_UNKNOWN", "remote error: tls: unknown certificate"),
        ("ALERT_UNSUPPORTED_CERTIFICATE", "remote error: tls: unsupported certificate"),
        ("ALERT_ACCESS_DENIED", "remote error: tls: access denied"),
        ("ALERT_HANDSHAKE_FAILURE", "remote error: tls: handshake failure"),
        ("ALERT_PROTOCOL_VERSION", "remote error: tls: protocol version not supported"),
        ("HTTP_REQUEST", "tls: first record does not look like a TLS handshake"),
        ("WRONG_VERSION_NUMBER", "tls: first record does not look like a TLS handshake"),
        ("NO_COMMON_SIGNATURE_ALGORITHMS", "tls: peer doesn't support any of the certificate's signature algorithms"),
        ("NO_SHARED_CIPHER", "tls: no cipher suite supported by both client and server"),
        ("UNSUPPORTED_PROTOCOL", "tls: client offered only unsupported versions"),
        ("EOF during handshake", "EOF"),
    ]

    /// Of `error:1000007d:SSL routines:OPENSSL_internal:SOME_REASON at …` the reason.
    private static func reason(_ words: String) -> String {
        guard let begin = words.firstRange(of: "OPENSSL_internal:")?.upperBound else { return words }
        return words[begin...].prefix { $0 != " " && $0 != ";" }.lowercased().split(separator: "_").joined(separator: " ")
    }
}
