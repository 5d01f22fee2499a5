import Raft
import Storage
import TestSupport
import Testing
import Wire

@Suite("Changes of the membership as they are applied")
struct MembershipTests {
    private let directory: TemporaryDirectory
    private let bench: TreeBench

    private static let one = Member(id: MemberID(1), name: "one", peerURLs: ["http://a:1", "http://a:2"])
    private static let two = Member(id: MemberID(2), name: "two", peerURLs: ["http://b:1"])

    init() throws {
        directory = try TemporaryDirectory()
        bench = try TreeBench(directory.file("tree.db"))
        for member in [Self.one, Self.two] { _ = try apply(.add(member)) }
    }

    private func apply(_ change: MembershipChange, isVoid: Bool = false) throws -> AppliedOutcome {
        let payload = MembershipCodec.encode(change, time: 1, request: 1)
        return try bench.applier.apply(
            LogEntry(
                index: bench.applier.applied.index.next, term: 1, payload: isVoid ? MembershipCodec.voided(payload) : payload))
    }

    /// Nil when the change happened.
    private func refusal(_ change: MembershipChange, isVoid: Bool = false) throws -> MembershipRefusal? {
        let before = (bench.applier.members, bench.applier.tree.index)
        switch try apply(change, isVoid: isVoid) {
        case .membership(let applied):
            #expect(applied == change)
            #expect(bench.applier.tree.index == before.1 + 1)
            return nil
        case .membershipRefused(let refused, let refusal):
            #expect(refused == change)
            #expect(bench.applier.members == before.0 && bench.applier.tree.index == before.1, "a refused change does nothing")
            return refusal
        default:
            Issue.record("an outcome of another kind")
            return nil
        }
    }

    @Test("Adding: the id and each of the URLs must be new; a removed id never comes back, its URL may")
    func adding() throws {
        let three = MemberID(3)
        #expect(try refusal(.add(Member(id: Self.two.id, peerURLs: ["http://c:1"]))) == .idExists(Self.two.id))
        #expect(
            try refusal(.add(Member(id: three, peerURLs: ["http://c:1", "http://a:2"]))) == .peerURLExists("http://a:2"))
        #expect(try refusal(.remove(Self.two.id)) == nil)
        #expect(try refusal(.add(Member(id: Self.two.id, peerURLs: ["http://c:1"]))) == .idWasRemoved(Self.two.id))
        #expect(try refusal(.add(Member(id: three, peerURLs: ["http://b:1"]))) == nil)
        #expect(bench.applier.members.map(\.id) == [MemberID(1), MemberID(2), three])
    }

    @Test("Another spelling of a URL: only the leader refuses it, so that members of earlier versions come to the same; the answer says why")
    func spelling() throws {
        let local = Member(id: MemberID(3), peerURLs: ["http://[::1]:1"])
        #expect(try refusal(.add(local)) == nil)
        let add = MembershipChange.add(Member(id: MemberID(4), peerURLs: ["http://[0::1]:01"]))
        let update = MembershipChange.update(Self.one.id, peerURLs: ["http://A.:1", "http://B:1"])
        #expect(MembershipRules.refusalOfSpelling(add, in: bench.applier.members) == .peerURLExists("http://[0::1]:01"))
        #expect(MembershipRules.refusalOfSpelling(update, in: bench.applier.members) == .peerURLExists("http://B:1"))
        let own = MembershipChange.update(local.id, peerURLs: ["http://[0::1]:1"])
        #expect(MembershipRules.refusalOfSpelling(own, in: bench.applier.members) == nil, "its own may be spelt anew")
        #expect(try refusal(add, isVoid: true) == .peerURLExists("http://[0::1]:01"))
        #expect(try refusal(update, isVoid: true) == .peerURLExists("http://B:1"))
        #expect(try refusal(add) == nil)
    }

    @Test("Removing and updating: the id must be there; the last voter stays; URLs of others are not for the taking")
    func removingAndUpdating() throws {
        #expect(try refusal(.remove(MemberID(9))) == .unknownID(MemberID(9)))
        #expect(try refusal(.update(MemberID(9), peerURLs: ["http://x:1"])) == .unknownID(MemberID(9)))
        #expect(try refusal(.publish(MemberID(9), name: "x", clientURLs: [])) == .unknownID(MemberID(9)))
        #expect(try refusal(.update(Self.one.id, peerURLs: ["http://b:1"])) == .peerURLExists("http://b:1"))
        #expect(try refusal(.update(Self.one.id, peerURLs: ["http://a:2", "http://a:3"])) == nil, "its own may stay")
        #expect(try refusal(.remove(Self.two.id)) == nil)
        #expect(try refusal(.remove(Self.two.id)) == .idWasRemoved(Self.two.id))
        #expect(try refusal(.update(Self.two.id, peerURLs: ["http://y:1"])) == .idWasRemoved(Self.two.id))
        #expect(try refusal(.remove(Self.one.id)) == .lastVoter)
    }

    @Test("A learner: one at a time, promoted by being added as a voter, with what it has published")
    func learners() throws {
        let three = MemberID(3)
        #expect(try refusal(.add(Member(id: three, peerURLs: ["http://c:1"], isLearner: true))) == nil)
        #expect(try refusal(.add(Member(id: MemberID(4), peerURLs: ["http://d:1"], isLearner: true))) == .tooManyLearners)
        try bench.flush()
        #expect(try bench.file.configuration() == Configuration(voters: [Self.one.id, Self.two.id], learners: [three]))
        #expect(try refusal(.publish(three, name: "three", clientURLs: ["http://c:2"])) == nil)
        #expect(try refusal(.add(Member(id: three, peerURLs: []))) == nil)
        #expect(
            bench.applier.members.last
                == Member(id: three, name: "three", peerURLs: ["http://c:1"], clientURLs: ["http://c:2"]))
        try bench.flush()
        #expect(try bench.file.configuration() == Configuration(voters: [Self.one.id, Self.two.id, three]))
        #expect(try refusal(.add(Member(id: three, peerURLs: []))) == .idExists(three))
    }

    @Test("A change that the leader marked as refused does nothing, whatever the members are by then")
    func void() throws {
        #expect(try refusal(.remove(Self.two.id), isVoid: true) == .notNow)
        #expect(try refusal(.remove(MemberID(9)), isVoid: true) == .unknownID(MemberID(9)))
        #expect(MembershipCodec.encode(.remove(Self.two.id), time: 1, request: 1).configurationChange == .remove(Self.two.id))
        #expect(MembershipCodec.voided(MembershipCodec.encode(.remove(Self.two.id), time: 1, request: 1)).configurationChange == nil)
    }
}
