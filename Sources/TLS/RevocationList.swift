import NIOSSL
import SwiftASN1
import X509

/// Certificates that their authority has taken back (RFC 5280 §5), from a file with one list or several.
struct RevocationList: Sendable {
    private struct Entry: Hashable {
        var issuer: [UInt8]
        var serial: [UInt8]
    }

    private var revoked: Set<Entry> = []

    func contains(_ certificate: CertificateFacts) -> Bool {
        revoked.contains(Entry(issuer: certificate.issuer, serial: certificate.serial))
    }

    /// - Parameter authorities: a list of one of these must be signed by it. Of others, intermediate ones say, the file is believed, as etcd does.
    /// - Throws: for what is no list, or has a wrong signature.
    init(_ bytes: [UInt8], file: String, authorities: [NIOSSLCertificate]) throws(TLSFailure) {
        let trusted = authorities.compactMap { try? Certificate(derEncoded: $0.toDERBytes()) }
        do {
            for der in try RevocationList.documents(bytes) { try add(der, trusted) }
        } catch let failure as TLSFailure {
            throw TLSFailure("\(file): \(failure)")
        } catch {
            throw TLSFailure("\(file) is no list of revoked certificates: \(error)")
        }
    }

    private static func documents(_ bytes: [UInt8]) throws -> [[UInt8]] {
        // DER begins with the tag of a sequence, which no text does.
        if bytes.first == 0x30 { return [bytes] }
        let text = String(decoding: bytes, as: UTF8.self)
        let documents = try PEMDocument.parseMultiple(pemString: text).filter { $0.discriminator == "X509 CRL" }
        guard !documents.isEmpty else { throw ASN1Error.invalidPEMDocument(reason: "there is no X509 CRL in it") }
        return documents.map(\.derBytes)
    }

    private mutating func add(_ der: [UInt8], _ trusted: [Certificate]) throws {
        let list = try SignedList(derEncoded: der)
        let issuers = try trusted.filter { try CertificateFacts.der($0.subject) == list.contents.issuer }
        if !issuers.isEmpty {
            guard let algorithm = list.algorithm else { throw TLSFailure("signed by an algorithm that is not known") }
            guard issuers.contains(where: { $0.publicKey.isValidSignature(list.signature, for: list.signedBytes, signatureAlgorithm: algorithm) })
            else { throw TLSFailure("the signature is not that of \(issuers[0].subject)") }
        }
        for serial in list.contents.serials { revoked.insert(Entry(issuer: list.contents.issuer, serial: serial)) }
    }
}

/// `CertificateList` of RFC 5280 §5.1, as far as it is asked.
private struct SignedList: DERParseable {
    struct Contents {
        var issuer: [UInt8] = []
        var serials: [[UInt8]] = []
    }

    let contents: Contents
    let signedBytes: ArraySlice<UInt8>
    /// Nil for one that this program does not know.
    let algorithm: Certificate.SignatureAlgorithm?
    let signature: ArraySlice<UInt8>

    private static let algorithms: [ASN1ObjectIdentifier: Certificate.SignatureAlgorithm] = [
        [1, 2, 840, 10045, 4, 3, 2]: .ecdsaWithSHA256, [1, 2, 840, 10045, 4, 3, 3]: .ecdsaWithSHA384,
        [1, 2, 840, 10045, 4, 3, 4]: .ecdsaWithSHA512, [1, 2, 840, 113549, 1, 1, 11]: .sha256WithRSAEncryption,
        [1, 2, 840, 113549, 1, 1, 12]: .sha384WithRSAEncryption, [1, 2, 840, 113549, 1, 1, 13]: .sha512WithRSAEncryption,
        [1, 3, 101, 112]: .ed25519,
    ]

    init(derEncoded root: ASN1Node) throws {
        (contents, signedBytes, algorithm, signature) = try DER.sequence(root, identifier: .sequence) { nodes in
            guard let contents = nodes.next(), let algorithm = nodes.next() else { throw TLSFailure("it ends too early") }
            let signature = try ASN1BitString(derEncoded: &nodes)
            let identifier = try DER.sequence(algorithm, identifier: .sequence) { parts in
                let identifier = try ASN1ObjectIdentifier(derEncoded: &parts)
                while parts.next() != nil {}
                return identifier
            }
            return (try SignedList.contents(of: contents), contents.encodedBytes, SignedList.algorithms[identifier], signature.bytes)
        }
    }

    /// `TBSCertList`: an optional version, the algorithm once more, the issuer, one or two times, the list.
    private static func contents(of node: ASN1Node) throws -> Contents {
        try DER.sequence(node, identifier: .sequence) { nodes in
            var contents = Contents()
            var next = nodes.next()
            if next?.identifier == .integer { next = nodes.next() }
            guard next != nil, let issuer = nodes.next() else { throw TLSFailure("it names no issuer") }
            contents.issuer = Array(issuer.encodedBytes)
            while let part = nodes.next() {
                guard part.identifier == .sequence else { continue }
                contents.serials = try DER.sequence(part, identifier: .sequence) { entries in
                    var serials: [[UInt8]] = []
                    while let entry = entries.next() {
                        serials.append(
                            try DER.sequence(entry, identifier: .sequence) { parts in
                                let serial = try ArraySlice<UInt8>(derEncoded: &parts)
                                while parts.next() != nil {}
                                return CertificateFacts.number(serial)
                            })
                    }
                    return serials
                }
            }
            return contents
        }
    }
}
