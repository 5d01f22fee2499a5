import Foundation
import NIOSSL
import TestCertificates
import Testing

@testable import TLS

@Suite("Revocation lists")
struct RevocationListTests {
    let place: CertificatePlace
    let authority: TestAuthority

    init() throws {
        place = try CertificatePlace()
        authority = try TestAuthority()
        try place.write(authority.certificate, "ca.pem")
    }

    private func read() throws -> RevocationList {
        try RevocationList(file: place.path + "/crl.pem", Authorities(file: place.path + "/ca.pem"))
    }

    private func facts(_ pair: TestAuthority.Pair) throws -> CertificateFacts {
        try CertificateFacts(try #require(try NIOSSLCertificate.fromPEMBytes(Array(pair.certificate.utf8)).first), in: nil)
    }

    @Test("Lists of several authorities in one file count, each for its own")
    func several() throws {
        let other = try TestAuthority("Other CA")
        let (mine, theirs, good) = (try authority.issue("mine"), try other.issue("theirs"), try authority.issue("good"))
        try place.write(authority.revocations([mine]) + other.revocations([theirs]), "crl.pem")
        let list = try read()
        #expect(try list.contains(facts(mine)) && list.contains(facts(theirs)) && !list.contains(facts(good)))
    }

    @Test("Of a list that is cut off or changed anywhere nothing is taken, and nothing breaks")
    func damaged() throws {
        let bad = try authority.issue("bad")
        let pem = try authority.revocations([bad, authority.issue("worse")])
        let der = try #require(Data(base64Encoded: pem.split(separator: "\n").filter { !$0.hasPrefix("-") }.joined()))
        let path = place.path + "/crl.pem"
        try der.write(to: URL(fileURLWithPath: path))
        #expect(try read().contains(facts(bad)))
        for count in 0..<der.count {
            try der.prefix(count).write(to: URL(fileURLWithPath: path))
            #expect(throws: TLSFailure.self, "\(count)") { try read() }
        }
        let certificate = try facts(bad)
        for place in der.indices {
            for change in [UInt8(0x01), 0x80, 0xff] {
                var changed = der
                changed[place] ^= change
                try changed.write(to: URL(fileURLWithPath: path))
                // With another name it is the list of an authority that is not there, which is believed, and has not issued this certificate.
                let list = try? read()
                #expect(list?.contains(certificate) != true, "\(place)")
            }
        }
    }
}
