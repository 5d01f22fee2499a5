import Testing

@testable import Server

@Suite("Identities follow from URLs and names (cluster.md §2)")
struct MemberIdentityTests {
    @Test(
        "SHA-1 agrees with FIPS 180-4's examples, around block borders too",
        arguments: [
            ("", "da39a3ee5e6b4b0d3255bfef95601890afd80709"),
            ("abc", "a9993e364706816aba3e25717850c26c9cd0d89d"),
            (
                "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
                "84983e441c3bd26ebaae4aa1f95129e5e54670f1"
            ),
            (String(repeating: "a", count: 1_000_000), "34aa973cd4c4daa4f61eeb2bdbad27316534016f"),
        ])
    func digests(message: String, digest: String) {
        let hex = SHA1.digest(Array(message.utf8)).map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
        #expect(hex == digest)
    }

    @Test(
        "Members",
        arguments: [
            (["http://192.168.56.101:2380"], "etcd-cluster-1", "11796896800e7f4d"),
            (["http://192.168.56.102:2380"], "etcd-cluster-1", "b3a64181bea306fb"),
            (["http://192.168.56.103:2380"], "etcd-cluster-1", "4a84c8889f5d7a35"),
            (["http://localhost:2380"], "etcd-cluster", "8e9e05c52164694d"),
            (["http://localhost:7001", "http://localhost:2380"], "etcd-cluster", "ce2a822cea30bfca"),
            (["http://192.168.0.10:2380"], "etcd-cluster-1", "7a0fb1a3031d4c79"),
            (["http://192.168.0.11:2380"], "etcd-cluster-1", "10be6d2d401032f8"),
            (["http://192.168.0.12:2380"], "etcd-cluster-1", "fce50bcd610e3fb7"),
            (["http://localhost:12380"], "http://localhost:2379/v2/keys/_etcd/registry/test", "38538e10a590934a"),
            (["http://localhost:22380"], "http://localhost:2379/v2/keys/_etcd/registry/test", "d9067d913c6c8ec1"),
            (["http://localhost:32380"], "http://localhost:2379/v2/keys/_etcd/registry/test", "6104f38a34ee187e"),
            (["http://localhost:42380"], "http://localhost:2379/v2/keys/_etcd/registry/test", "84074fa680e71ff8"),
            (["http://localhost:52380"], "http://localhost:2379/v2/keys/_etcd/registry/test", "540a30cee9fea123"),
            (["http://127.0.0.1:22380"], "etcd-cluster", "9e737febb6b99eee"),
            (["http://127.0.0.1:22380"], "", "1ba17f2b78f30dcb"),
        ])
    func members(urls: [String], name: String, identity: String) {
        #expect(MemberIdentity.text(MemberIdentity.member(peerURLs: urls, clusterName: name)) == identity)
    }

    @Test("A member added at run time carries the second it was added in")
    func addedMember() {
        let id = MemberIdentity.member(peerURLs: ["http://127.0.0.1:22680"], clusterName: "", time: 1_795_248_506)
        #expect(MemberIdentity.text(id) == "5f494c69e2ca0ccb")
    }

    @Test(
        "Clusters",
        arguments: [
            ([0x1179_6896_800e_7f4d, 0xb3a6_4181_bea3_06fb, 0x4a84_c888_9f5d_7a35], "917ad5c333e2593"),
            ([0x8e9e_05c5_2164_694d], "cdf818194e3a8c32"),
            ([0xce2a_822c_ea30_bfca], "7e27652122e8b2ae"),
            ([0x7a0f_b1a3_031d_4c79, 0x10be_6d2d_4010_32f8, 0xfce5_0bcd_610e_3fb7], "5ce25a8f71ac7f30"),
            (
                [
                    0x3853_8e10_a590_934a, 0xd906_7d91_3c6c_8ec1, 0x6104_f38a_34ee_187e, 0x8407_4fa6_80e7_1ff8,
                    0x540a_30ce_e9fe_a123,
                ], "ae0d4a553ba2d8dd"
            ),
        ] as [([UInt64], String)])
    func clusters(members: [UInt64], identity: String) {
        #expect(MemberIdentity.text(MemberIdentity.cluster(members: members)) == identity)
        #expect(MemberIdentity.text(MemberIdentity.cluster(members: members.reversed())) == identity)
    }
}
