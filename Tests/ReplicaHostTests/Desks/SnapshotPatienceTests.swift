import Raft
import Testing

@testable import ReplicaHost

@Suite("Snapshots that a member refuses")
struct SnapshotPatienceTests {
    @Test("The next one comes at once, then after longer and longer; each member has its own patience")
    func longer() {
        var patience = SnapshotPatience()
        #expect((1...12).map { _ in patience.refused(by: MemberID(1)) } == [0, 1, 2, 4, 8, 16, 32, 60, 60, 60, 60, 60])
        #expect(patience.refused(by: MemberID(2)) == 0)
        patience.forget(MemberID(1))
        #expect(patience.refused(by: MemberID(1)) == 0)
        #expect(patience.refused(by: MemberID(2)) == 1)
    }
}
