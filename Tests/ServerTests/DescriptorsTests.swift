import Testing

@testable import Server

@Suite("How file descriptors are shared out")
struct DescriptorsTests {
    @Test("There is something for everybody, and no more than there is", arguments: [151, 190, 256, 1024, 4096, 65_536, 1 << 20, .max] as [UInt64])
    func shares(limit: UInt64) {
        let shares = Descriptors(limit: limit)
        #expect(shares.clients >= 40 && shares.peers >= 20 && shares.metrics >= 4)
        // What is left holds the files, and a snapshot in both directions.
        #expect(UInt64(shares.clients + shares.peers + shares.metrics) + 60 <= limit)
    }

    @Test("With many, nearly all are for clients, as with etcd")
    func many() {
        #expect(Descriptors(limit: 1024).clients > 700)
        #expect(Descriptors(limit: 1 << 20).clients > 1_000_000)
    }
}
