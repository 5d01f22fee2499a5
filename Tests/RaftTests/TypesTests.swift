import Raft
import Testing

@Suite("Numbers of the protocol")
struct TypesTests {
    @Test("A member id is printed as etcd prints it, and read back from 1 to 16 hex digits only")
    func memberID() {
        #expect(MemberID(0x8e9e_05c5_2164_694d).description == "8e9e05c52164694d")
        #expect(MemberID(0xabc).description == "abc")
        #expect(MemberID(hex: "8e9e05c52164694d") == MemberID(0x8e9e_05c5_2164_694d))
        #expect(MemberID(hex: "ffffffffffffffff") == MemberID(.max))
        for text in ["", "8e9e05c52164694d0", "xyz", "-1 ", "0x1"] { #expect(MemberID(hex: text) == nil, "\(text)") }
    }

    @Test("Before the first index there is none")
    func previousOfZero() {
        #expect(Index(0).previous == 0)
        #expect(Index(5).previous == 4)
        #expect(Index(5).next == 6)
    }
}
