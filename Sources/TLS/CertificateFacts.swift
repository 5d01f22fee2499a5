import NIOSSL
import SwiftASN1
import X509

/// What a certificate says, as far as anybody here asks.
package struct CertificateFacts: Sendable, Equatable {
    /// As text, `CN=machine0,O=etcd`; for log lines.
    package let subject: String
    /// The last one, if there are several, as Go has it; empty for none.
    package let commonName: String
    package let dnsNames: [String]
    /// 4 or 16 bytes each.
    package let addresses: [[UInt8]]
    /// Seconds since 1970.
    package let notBefore: Int
    package let notAfter: Int
    /// DER, to compare with a revocation list's.
    let issuer: [UInt8]
    let serial: [UInt8]

    /// - Parameter file: where it stands; nil for one that the other side has shown.
    /// - Throws: what the parser says of a certificate that the TLS library took and this one does not.
    init(_ certificate: NIOSSLCertificate, in file: String?) throws(TLSFailure) {
        do {
            let parsed = try Certificate(derEncoded: certificate.toDERBytes())
            notBefore = certificate.notValidBefore
            notAfter = certificate.notValidAfter
            subject = parsed.subject.isEmpty ? "(no subject)" : parsed.subject.description
            commonName = parsed.subject.lazy.flatMap { $0 }.filter { $0.type == .RDNAttributeType.commonName }
                .compactMap { String($0.value) }.last ?? ""
            var names: [String] = []
            var addresses: [[UInt8]] = []
            for name in try parsed.extensions.subjectAlternativeNames ?? SubjectAlternativeNames() {
                switch name {
                case .dnsName(let name): names.append(name)
                case .ipAddress(let octets): addresses.append(Array(octets.bytes))
                default: continue
                }
            }
            dnsNames = names
            self.addresses = addresses
            issuer = try CertificateFacts.der(parsed.issuer)
            serial = CertificateFacts.number(parsed.serialNumber.bytes)
        } catch {
            throw TLSFailure("\(file.map { "\($0): " } ?? "")cannot read a certificate: \(error)")
        }
    }

    static func der(_ name: DistinguishedName) throws -> [UInt8] {
        var serializer = DER.Serializer()
        try serializer.serialize(name)
        return serializer.serializedBytes
    }

    /// Without the zeros in front that one encoding has and another has not.
    static func number(_ bytes: some Collection<UInt8>) -> [UInt8] { Array(bytes.drop { $0 == 0 }) }

    /// Why it is of no use at that moment; nil when it is.
    package func dateProblem(at now: Int) -> String? {
        if now > notAfter { return "certificate \(subject) has expired: it was valid until \(Moment.text(notAfter))" }
        if now < notBefore { return "certificate \(subject) is not valid yet: only from \(Moment.text(notBefore))" }
        return nil
    }

    /// Whether the certificate names this host: an address, or a name of which a certificate may leave the first part open (RFC 6125).
    package func names(_ host: String) -> Bool {
        if let address = IPAddress.bytes(host) { return addresses.contains(address) }
        let wanted = CertificateFacts.labels(host)
        return !wanted.isEmpty && dnsNames.contains { CertificateFacts.matches(CertificateFacts.labels($0), wanted) }
    }

    static func labels(_ name: String) -> [Substring] {
        var text = name.lowercased()
        if text.hasSuffix(".") { text.removeLast() }
        return text.split(separator: ".", omittingEmptySubsequences: false).map { Substring($0) }
    }

    static func matches(_ pattern: [Substring], _ host: [Substring]) -> Bool {
        guard pattern.count == host.count, let first = pattern.first else { return false }
        return (first == "*" || first == host.first) && pattern.dropFirst().elementsEqual(host.dropFirst())
    }
}
