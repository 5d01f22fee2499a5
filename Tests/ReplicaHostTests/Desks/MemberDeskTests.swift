import PeerTransport
import Raft
import Testing
import Wire

@testable import ReplicaHost

@Suite("The desk of members")
struct MemberDeskTests {
    private let one = MemberID(1)
    private let two = MemberID(2)
    private let three = MemberID(3)

    private func member(_ id: MemberID, name: String = "name", urls: [String] = ["http://a:1"]) -> Member {
        Member(id: id, name: name, peerURLs: urls)
    }

    private func desk(_ members: [Member], inLog: MembersInLog = MembersInLog()) -> MemberDesk {
        var configuration = Host.configuration()
        configuration.serverVersion = "3.4.23"
        return MemberDesk(own: one, configuration, members, clusterVersion: "", inLog: inLog)
    }

    private func adding(_ id: MemberID, request: UInt64 = 7) -> LogEntry {
        LogEntry(index: 9, term: 1, payload: MembershipCodec.encode(.add(member(id, name: "", urls: ["http://new:1"])), time: 0, request: request))
    }

    @Test("One whose addition is in the log counts and is reachable from then on, and is told of once it is applied")
    func announced() {
        var desk = desk([member(one), member(two)])
        let news = desk.note([adding(three)], isLeading: true)
        #expect(news.isChanged && news.answers.isEmpty)
        #expect(desk.isKnown(three) && desk.peers.list.map(\.0) == [one, two, three])
        let counted = Configuration(voters: [one, two, three])
        #expect(desk.onTheirWay(counted: counted).map(\.id) == [three])
        #expect(desk.records(counted: counted).map(\.peerURLs.count) == [1, 1, 1])
        #expect(desk.onTheirWay(counted: Configuration(voters: [one, two])).isEmpty, "a new leader has taken it out of the log")
        var removed = member(three)
        removed.isRemoved = true
        desk.follow([member(one), member(two), removed])
        #expect(!desk.isKnown(three) && desk.peers.removed == [three])
        #expect(desk.peers.list.map(\.0) == [one, two])
    }

    @Test("The addition of a second member is answered when the first has it on disk; no other is")
    func second() {
        var alone = desk([member(one)])
        let answered = alone.note([adding(two)], isLeading: true).answers
        #expect(answered == [7])
        var follower = desk([member(one)])
        let answeredByFollower = follower.note([adding(two)], isLeading: false).answers
        #expect(answeredByFollower.isEmpty)
    }

    @Test("What the member says of itself it says again only when it has not come through in time")
    func ownWords() {
        var desk = desk([])
        let (first, second) = (desk.ownWords(isAlone: true, at: 0), desk.ownWords(isAlone: false, at: 1))
        #expect(first.count == 2 && second.isEmpty)
        let late = Host.configuration().requestTimeoutNanoseconds + 1
        let due = (desk.mustSayAgain(at: 1), desk.mustSayAgain(at: late))
        #expect(due == (false, true))
        let again = desk.ownWords(isAlone: false, at: late)
        #expect(again.count == 1)
        var own = member(one, name: "one")
        own.clientURLs = Host.configuration().clientURLs
        desk.follow([own])
        #expect(desk.isPublished && !desk.mustSayAgain(at: 2 * late))
    }

    @Test("The version waits for founders for a moment, is that of the oldest, and is proposed once at a time")
    func version() {
        var desk = desk([member(one), member(two)])
        #expect(desk.versionDue(leadingSince: 0, at: 1_000_000_000, connected: []) == nil)
        let lowest = desk.versionDue(leadingSince: 0, at: 2_000_000_000, connected: [])
        #expect(lowest == .minimum)
        #expect(desk.versionDue(leadingSince: 0, at: 2_100_000_000, connected: []) == nil)
        #expect(desk.take(clusterVersion: "3.0.0") == nil)
        desk.serverVersions[two] = "3.2.1"
        #expect(desk.versionDue(leadingSince: 0, at: 3_000_000_000, connected: []) == nil, "it may be another by now")
        let oldest = desk.versionDue(leadingSince: 0, at: 3_000_000_000, connected: [two])
        #expect(oldest == ClusterVersion(major: 3, minor: 2))
        #expect(desk.take(clusterVersion: "3.5.0") != nil, "newer than this server")
    }

    @Test("Strict: nobody is added beside a member that is not there, and nobody removed that the majority needs")
    func strict() {
        let desk = desk([member(one), member(two), member(three)])
        let counted = Configuration(voters: [one, two, three])
        let seconds: Int64 = 1_000_000_000
        let add = MemberChange.add(peerURLs: ["http://new:1"], isStarting: false)
        let all = [two: 6 * seconds, three: 6 * seconds]
        #expect(desk.refusal(of: add, counted: counted, connections: all) == nil)
        #expect(desk.refusal(of: add, counted: counted, connections: [two: 6 * seconds, three: seconds]) != nil)
        let joining = MemberChange.add(peerURLs: ["http://new:1"], isStarting: true)
        #expect(desk.refusal(of: joining, counted: counted, connections: [two: 6 * seconds, three: seconds]) == nil)
        #expect(desk.refusal(of: joining, counted: counted, connections: [two: 6 * seconds]) != nil)
        #expect(desk.refusal(of: .remove(3), counted: counted, connections: [two: 0]) == nil, "the dead one")
        #expect(desk.refusal(of: .remove(2), counted: counted, connections: [two: 0]) != nil, "the living one")
        #expect(desk.refusal(of: .remove(9), counted: counted, connections: [:]) == nil)
        #expect(self.desk([member(one)]).refusal(of: .remove(1), counted: Configuration(voters: [one]), connections: [:]) != nil)
    }
}
