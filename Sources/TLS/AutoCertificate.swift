import Crypto
import Foundation
import SwiftASN1
import X509

/// A certificate that a member makes for itself, for connections that are encrypted and prove nothing (`--auto-tls`; server.md §6).
package enum AutoCertificate {
    /// Makes `cert.pem` and `key.pem` in the directory, unless they are there: P-521, subject `O=etcd`, good for servers.
    ///
    /// - Parameters:
    ///   - hosts: names and addresses of the listeners.
    /// - Returns: the paths of certificate and key.
    package static func ensure(in directory: String, hosts: [String], years: Int) throws(TLSFailure) -> (certificate: String, key: String) {
        let paths = (certificate: directory + "/cert.pem", key: directory + "/key.pem")
        if SecretFile.stamp(paths.certificate) != nil, SecretFile.stamp(paths.key) != nil { return paths }
        try SecretFile.makeDirectory(directory)
        let made: (certificate: String, key: String)
        do {
            made = try make(hosts: hosts, years: years)
        } catch {
            throw TLSFailure("cannot make a certificate in \(directory): \(error)")
        }
        // The key first: with both there, they belong together.
        try SecretFile.write(made.key, to: paths.key)
        try SecretFile.write(made.certificate, to: paths.certificate)
        return paths
    }

    private static func make(hosts: [String], years: Int) throws -> (certificate: String, key: String) {
        let key = P521.Signing.PrivateKey()
        let subject = try DistinguishedName { OrganizationName("etcd") }
        var names: [GeneralName] = []
        for host in hosts {
            let name: GeneralName
            if let bytes = IPAddress.bytes(host) {
                name = .ipAddress(ASN1OctetString(contentBytes: bytes[...]))
            } else {
                name = .dnsName(host)
            }
            if !names.contains(name) { names.append(name) }
        }
        let now = Date()
        let certificate = try Certificate(
            version: .v3, serialNumber: Certificate.SerialNumber(), publicKey: .init(key.publicKey), notValidBefore: now - 3600,
            notValidAfter: now + Double(years) * 365 * 86_400, issuer: subject, subject: subject, signatureAlgorithm: .ecdsaWithSHA512,
            extensions: Certificate.Extensions {
                Critical(KeyUsage(digitalSignature: true, keyEncipherment: true))
                try ExtendedKeyUsage([.serverAuth])
                SubjectAlternativeNames(names)
            }, issuerPrivateKey: .init(key))
        return (try certificate.serializeAsPEM().pemString + "\n", key.pemRepresentation + "\n")
    }
}
