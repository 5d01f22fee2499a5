import Raft
import Testing

@testable import ReplicaHost

@Suite("The desk of the leader, and of the rooms")
struct LeaderDeskTests {
    private let three = Configuration(voters: [MemberID(1), MemberID(2), MemberID(3)])

    private func why(_ leader: MemberID, start: Int64, connections: [MemberID: Int64]) -> Unavailable {
        var desk = LeaderDesk()
        _ = desk.note(leader, wall: 5, steady: 1000)
        return desk.whyLate(since: start, at: 3000, own: MemberID(1), election: 100, configuration: three, connections: connections)
    }

    @Test("A request is late because the leader was lost, the connection was, or for no known reason")
    func late() {
        #expect(why(MemberID(2), start: 900, connections: [:]) == .timedOutLeaderLost)
        #expect(why(MemberID(2), start: 2000, connections: [:]) == .timedOutConnectionLost)
        #expect(why(MemberID(2), start: 2000, connections: [MemberID(2): 999]) == .timedOutConnectionLost)
        #expect(why(MemberID(2), start: 2000, connections: [MemberID(2): 1000]) == .timedOut)
        #expect(why(MemberID(1), start: 2000, connections: [:]) == .timedOutConnectionLost)
        #expect(why(MemberID(1), start: 2000, connections: [MemberID(3): 5000]) == .timedOut)
        #expect(why(.none, start: 2000, connections: [:]) == .timedOut)
    }

    @Test("Two disks, one room: news is the first that is full and the last that no longer is")
    func disks() {
        var room = RoomDesk()
        let news = [room.note(.log, isFull: true), room.note(.tree, isFull: true), room.note(.log, isFull: false)]
        #expect(news == [true, false, false] && room.refusal() == .diskFull)
        #expect(room.note(.tree, isFull: false) && room.refusal() == nil)
        room.enter(.stopping)
        room.enter(.handingOver)
        #expect(room.isStopping && room.refusal() == .stopped)
    }
}
