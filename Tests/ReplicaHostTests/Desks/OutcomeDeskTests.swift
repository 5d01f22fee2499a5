import Raft
import Testing

@testable import ReplicaHost

@Suite("The desk of outcomes that others want to be told")
struct OutcomeDeskTests {
    @Test("Each is told once, to whoever asked")
    func once() {
        var desk = OutcomeDesk()
        #expect(desk.isEmpty)
        desk.want([1, 2, 0], by: MemberID(7), at: 0, patience: 10)
        desk.want([3], by: MemberID(8), at: 0, patience: 10)
        #expect(desk.take(2) == MemberID(7) && desk.take(3) == MemberID(8) && desk.take(0) == nil && desk.take(9) == nil)
        #expect(desk.take(2) == nil && desk.take(1) == MemberID(7) && desk.isEmpty)
    }

    @Test("What is never told makes room when nobody waits any more, and not before")
    func bounded() {
        var desk = OutcomeDesk(wantedMax: 3)
        desk.want([1, 2, 3], by: MemberID(7), at: 0, patience: 10)
        desk.want([4], by: MemberID(7), at: 5, patience: 10)
        #expect(desk.take(4) == nil && desk.take(1) == MemberID(7))
        desk.want([5, 6], by: MemberID(7), at: 11, patience: 10)
        #expect(desk.take(2) == nil && desk.take(5) == MemberID(7) && desk.take(6) == MemberID(7))
    }
}
