import NIOSSL
import SwiftASN1
import X509

/// Certificates that their authority has taken back (RFC 5280 §5), from a file with one list or several.
struct RevocationList: Sendable {
    /// Serial numbers by the issuer's name.
    private var revoked: [[UInt8]: Set<[UInt8]>] = [:]

    func contains(_ certificate: CertificateFacts) -> Bool { revoked[certificate.issuer]?.contains(certificate.serial) ?? false }

    /// - Parameter authorities: a list of one of these must be signed by it. Of others, intermediate ones say, the file is believed, as etcd does.
    /// - Throws: one sentence with the file, for what is no list or has a wrong signature.
    init(file: String, _ authorities: Authorities) throws(TLSFailure) {
        let bytes = try SecretFile.read(file, bytesMax: SecretFile.revocationsBytesMax)
        let trusted: [Certificate]
        do { trusted = try authorities.certificates.map { try Certificate(derEncoded: $0.toDERBytes()) } } catch {
            // One that was left out would have its lists believed unsigned.
            throw TLSFailure("\(file): an authority cannot be read, so nothing proves its signature: \(error)")
        }
        do {
            for der in try RevocationList.documents(bytes) { try add(SignedList(der), trusted) }
        } catch let failure as TLSFailure {
            throw TLSFailure("\(file): \(failure)")
        } catch {
            throw TLSFailure("\(file) is no list of revoked certificates: \(error)")
        }
    }

    private static func documents(_ bytes: [UInt8]) throws -> [[UInt8]] {
        // DER begins with the tag of a sequence, which no text does.
        if bytes.first == DERReader.Tag.sequence.byte { return [bytes] }
        let text = String(decoding: bytes, as: UTF8.self)
        let documents = try PEMDocument.parseMultiple(pemString: text).filter { $0.discriminator == "X509 CRL" }
        guard !documents.isEmpty else { throw ASN1Error.invalidPEMDocument(reason: "there is no X509 CRL in it") }
        return documents.map(\.derBytes)
    }

    private mutating func add(_ list: SignedList, _ trusted: [Certificate]) throws {
        let issuers = try trusted.filter { try CertificateFacts.der($0.subject) == list.issuer }
        if !issuers.isEmpty {
            guard let algorithm = list.algorithm else { throw TLSFailure("signed by an algorithm that is not known") }
            guard issuers.contains(where: { $0.publicKey.isValidSignature(list.signature, for: list.signedBytes, signatureAlgorithm: algorithm) })
            else { throw TLSFailure("the signature is not that of \(issuers[0].subject)") }
        }
        revoked[list.issuer, default: []].formUnion(list.serials)
    }
}

/// `CertificateList` of RFC 5280 §5.1, as far as it is asked.
private struct SignedList {
    let signedBytes: ArraySlice<UInt8>
    /// Nil for one that this program does not know.
    let algorithm: Certificate.SignatureAlgorithm?
    let signature: ArraySlice<UInt8>
    private(set) var issuer: [UInt8] = []
    private(set) var serials: [[UInt8]] = []

    private static let algorithms: [[UInt8]: Certificate.SignatureAlgorithm] = [
        // 1.2.840.10045.4.3.{2,3,4}, 1.2.840.113549.1.1.{11,12,13}, 1.3.101.112
        [0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2]: .ecdsaWithSHA256, [0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 3]: .ecdsaWithSHA384,
        [0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 4]: .ecdsaWithSHA512, [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 11]: .sha256WithRSAEncryption,
        [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 12]: .sha384WithRSAEncryption,
        [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 13]: .sha512WithRSAEncryption, [0x2b, 0x65, 0x70]: .ed25519,
    ]

    init(_ der: [UInt8]) throws(TLSFailure) {
        var outer = DERReader(der[...])
        var parts = DERReader(try outer.next(.sequence).content)
        let contents = try parts.next(.sequence)
        var algorithm = DERReader(try parts.next(.sequence).content)
        signedBytes = contents.whole
        self.algorithm = SignedList.algorithms[Array(try algorithm.next(.objectIdentifier).content)]
        let bits = try parts.next(.bitString).content
        // How many bits of the last byte do not count: none, in a signature.
        guard bits.first == 0 else { throw TLSFailure("its signature is none") }
        signature = bits.dropFirst()
        try read(contents.content)
    }

    /// `TBSCertList`: an optional version, the algorithm once more, the issuer, one or two times, the list.
    private mutating func read(_ contents: ArraySlice<UInt8>) throws(TLSFailure) {
        var fields = DERReader(contents)
        if fields.nextTag == .integer { _ = try fields.next(.integer) }
        _ = try fields.next(.sequence)
        issuer = Array(try fields.next(.sequence).whole)
        while let tag = fields.nextTag {
            let field = try fields.next(tag)
            guard tag == .sequence else { continue }
            var entries = DERReader(field.content)
            while entries.nextTag != nil {
                var entry = DERReader(try entries.next(.sequence).content)
                serials.append(CertificateFacts.number(try entry.next(.integer).content))
            }
        }
    }
}
