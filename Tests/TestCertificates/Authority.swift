import Crypto
import Foundation
import SwiftASN1
import X509

/// A certificate authority for tests: real certificates, made on the spot.
package final class TestAuthority: Sendable {
    /// A certificate and its key, both PEM.
    package struct Pair: Sendable {
        package let certificate: String
        package let key: String
        package let serial: [UInt8]

        /// Writes `<name>.pem` and `<name>-key.pem`, each at once.
        package func write(to directory: String, as name: String) throws {
            try key.write(toFile: "\(directory)/\(name)-key.pem", atomically: true, encoding: .utf8)
            try certificate.write(toFile: "\(directory)/\(name).pem", atomically: true, encoding: .utf8)
        }
    }

    package let name: String
    private let key: P256.Signing.PrivateKey
    private let subject: DistinguishedName
    /// PEM.
    package let certificate: String

    /// - Parameter days: from when to when it is valid, counted from now.
    package init(_ name: String = "Test CA", days: ClosedRange<Double> = -0.05...30) throws {
        self.name = name
        let key = P256.Signing.PrivateKey()
        let subject = try DistinguishedName {
            OrganizationName("etclite tests")
            CommonName(name)
        }
        let now = Date()
        let certificate = try Certificate(
            version: .v3, serialNumber: Certificate.SerialNumber(), publicKey: .init(key.publicKey), notValidBefore: now + days.lowerBound * 86_400,
            notValidAfter: now + days.upperBound * 86_400, issuer: subject, subject: subject, signatureAlgorithm: .ecdsaWithSHA256,
            extensions: Certificate.Extensions {
                Critical(BasicConstraints.isCertificateAuthority(maxPathLength: nil))
                Critical(KeyUsage(keyCertSign: true, cRLSign: true))
            }, issuerPrivateKey: .init(key))
        (self.key, self.subject) = (key, subject)
        self.certificate = try certificate.serializeAsPEM().pemString + "\n"
    }

    /// - Parameters:
    ///   - hosts: names and IPv4 addresses.
    ///   - days: from when to when it is valid, counted from now.
    package func issue(
        _ commonName: String, hosts: [String] = [], isForServers: Bool = true, isForClients: Bool = true, days: ClosedRange<Double> = -1...10
    ) throws -> Pair {
        let key = P256.Signing.PrivateKey()
        let serial = Certificate.SerialNumber()
        let names: [GeneralName] = hosts.map { host in
            let numbers = host.split(separator: ".").compactMap { UInt8($0) }
            return numbers.count == 4 ? .ipAddress(ASN1OctetString(contentBytes: numbers[...])) : .dnsName(host)
        }
        let usages: [ExtendedKeyUsage.Usage] = (isForServers ? [.serverAuth] : []) + (isForClients ? [.clientAuth] : [])
        let now = Date()
        let certificate = try Certificate(
            version: .v3, serialNumber: serial, publicKey: .init(key.publicKey), notValidBefore: now + days.lowerBound * 86_400,
            notValidAfter: now + days.upperBound * 86_400, issuer: subject, subject: DistinguishedName { CommonName(commonName) },
            signatureAlgorithm: .ecdsaWithSHA256,
            extensions: Certificate.Extensions {
                Critical(BasicConstraints.notCertificateAuthority)
                Critical(KeyUsage(digitalSignature: true))
                try ExtendedKeyUsage(usages)
                if !names.isEmpty { SubjectAlternativeNames(names) }
            }, issuerPrivateKey: .init(self.key))
        return Pair(
            certificate: try certificate.serializeAsPEM().pemString + "\n", key: key.pemRepresentation + "\n", serial: Array(serial.bytes))
    }

    /// A list of what this authority has taken back, PEM (RFC 5280 §5.1).
    package func revocations(_ pairs: [Pair], signedBy other: TestAuthority? = nil) throws -> String {
        let algorithm: ASN1ObjectIdentifier = [1, 2, 840, 10045, 4, 3, 2]
        func writeAlgorithm(_ coder: inout DER.Serializer) throws {
            try coder.appendConstructedNode(identifier: .sequence) { try $0.serialize(algorithm) }
        }
        func time(_ date: Date) throws -> UTCTime {
            let parts = Calendar(identifier: .gregorian).dateComponents(in: TimeZone(identifier: "UTC") ?? .current, from: date)
            return try UTCTime(
                year: parts.year ?? 2026, month: parts.month ?? 1, day: parts.day ?? 1, hours: parts.hour ?? 0, minutes: parts.minute ?? 0,
                seconds: parts.second ?? 0)
        }
        var list = DER.Serializer()
        try list.appendConstructedNode(identifier: .sequence) { coder in
            try coder.serialize(1)
            try writeAlgorithm(&coder)
            try coder.serialize(subject)
            try coder.serialize(time(Date() - 60))
            try coder.serialize(time(Date() + 86_400))
            guard !pairs.isEmpty else { return }
            try coder.appendConstructedNode(identifier: .sequence) { coder in
                for pair in pairs {
                    try coder.appendConstructedNode(identifier: .sequence) { coder in
                        let needsZero = (pair.serial.first ?? 0) & 0x80 != 0
                        coder.appendPrimitiveNode(identifier: .integer) { $0 += (needsZero ? [0] : []) + pair.serial }
                        try coder.serialize(time(Date() - 60))
                    }
                }
            }
        }
        let signature = try (other ?? self).key.signature(for: list.serializedBytes).derRepresentation
        var whole = DER.Serializer()
        try whole.appendConstructedNode(identifier: .sequence) { coder in
            coder.serializeRawBytes(list.serializedBytes)
            try writeAlgorithm(&coder)
            try coder.serialize(ASN1BitString(bytes: Array(signature)[...]))
        }
        return PEMDocument(type: "X509 CRL", derBytes: whole.serializedBytes).pemString + "\n"
    }
}
